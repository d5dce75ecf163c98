import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveServerBinary } from '../../lib/testing/index.js';
import { findServerBinary } from '../../lib/testing/server/find-server.js';
import { installCommand } from '../../lib/testing/server/install-server.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'chasqui-test-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function program(name: string, mode = 0o755): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, mode);
  return path;
}

describe('findServerBinary', () => {
  it('takes CHASQUI_REDIS_SERVER before anything in PATH', async () => {
    await program('redis-server');
    const mine = await program('mine');
    expect(findServerBinary({ PATH: dir, CHASQUI_REDIS_SERVER: mine })).toBe(mine);
    expect(findServerBinary({ PATH: dir, CHASQUI_REDIS_SERVER: 'mine' })).toBe(mine);
  });

  it('refuses a CHASQUI_REDIS_SERVER that cannot be run, by its name and value', async () => {
    const plain = await program('plain', 0o644);
    expect(() => findServerBinary({ CHASQUI_REDIS_SERVER: plain })).toThrow(
      `CHASQUI_REDIS_SERVER is '${plain}', which is not a program that can be run`,
    );
    expect(() => findServerBinary({ CHASQUI_REDIS_SERVER: 'no-such-server' })).toThrow(/'no-such-server'/);
    expect(() => findServerBinary({ CHASQUI_REDIS_SERVER: dir })).toThrow(/not a program/);
  });

  it('prefers redis-server to valkey-server, wherever in PATH they are', async () => {
    const valkey = await program('valkey-server');
    const redis = await program('redis-server');
    expect(findServerBinary({ PATH: dir })).toBe(redis);
    await rm(redis);
    expect([valkey, '/usr/bin/redis-server', '/usr/local/bin/redis-server']).toContain(
      findServerBinary({ PATH: dir }),
    );
  });
});

describe('resolveServerBinary', () => {
  it('gives an absolute path of something that is there', async () => {
    expect(await resolveServerBinary()).toBe(findServerBinary());
  });

  it('can tell the user what to run', () => {
    expect(installCommand()).toMatch(/redis|valkey/);
  });
});
