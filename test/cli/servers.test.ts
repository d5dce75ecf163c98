import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisServer } from '../../lib/testing/index.js';
import { freePort } from '../../lib/testing/server/free-port.js';
import { useCluster, useRedis, useSentinel } from '../support/redis.js';
import { usePipes } from './support/piped.js';
import type { Piped } from './support/piped.js';
import { useTerminals } from './support/terminal.js';

/** A write, and what `inspect` says of it. */
async function addAndInspect(chasqui: Piped, ...connection: string[]): Promise<void> {
  for (const queue of ['mail', 'reports', 'sync']) {
    const added = await chasqui('add', queue, 'hello', '{"to":"you"}', '--create', ...connection);
    expect(added).toMatchObject({ code: 0, err: '' });
  }
  const { json } = await chasqui('inspect', '--json', ...connection);
  expect(json).toMatchObject({
    queues: [
      { name: 'mail', waiting: 1 },
      { name: 'reports', waiting: 1 },
      { name: 'sync', waiting: 1 },
    ],
  });
  const drained = await chasqui('drain', 'mail', '--yes', '--json', ...connection);
  expect(drained.json).toEqual({ queue: 'mail', removed: 1 });
}

const noDefaults = usePipes(() => ({}));

describe('a cluster', { timeout: 60_000 }, () => {
  const redis = useCluster();

  it('has the queues of all masters', async () => {
    const hosts = redis.connection.cluster.map(({ host, port }) => `${host}:${String(port)}`);
    await addAndInspect(noDefaults, '--cluster', '--redis-url', `redis://${hosts.join(',')}`);
  });
});

describe('sentinels', { timeout: 60_000 }, () => {
  const redis = useSentinel();

  it('lead to the master', async () => {
    const { sentinels, name } = redis.connection;
    const addresses = sentinels.map(({ host, port }) => `${host}:${String(port)}`);
    const options = addresses.flatMap((address) => ['--sentinel', address]);
    await addAndInspect(noDefaults, ...options, '--sentinel-name', name);
    const url = `redis+sentinel://${addresses.join(',')}/${name}`;
    expect((await noDefaults('inspect', 'sync', '--redis-url', url)).code).toBe(0);
  });

  it('that do not know the name of the master are an error at once', async () => {
    const [{ host, port } = { host: '', port: 0 }] = redis.connection.sentinels;
    const args = ['--sentinel', `${host}:${String(port)}`, '--sentinel-name', 'nope', '--timeout', '1h'];
    const { code, err } = await noDefaults('inspect', ...args);
    expect(code).toBe(5);
    expect(err).toContain('No sentinel knows the master');
  });
});

describe('TLS', { timeout: 60_000 }, () => {
  let folder = '';
  let server: RedisServer;
  let url = '';
  const file = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chasqui-cli-tls-'));
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
      ],
    });
    writeFileSync(file('cert.pem'), cert);
    writeFileSync(file('key.pem'), key, { mode: 0o600 });
    const port = await freePort();
    url = `rediss://127.0.0.1:${String(port)}`;
    const files = ['--tls-ca-cert-file', file('cert.pem'), '--tls-cert-file', file('cert.pem')];
    const args = ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files];
    server = await RedisServer.start({ args: [...args, '--tls-key-file', file('key.pem')] });
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('works with the authority of the certificate', async () => {
    await addAndInspect(noDefaults, '--redis-url', url, '--tls-ca', file('cert.pem'));
    expect((await noDefaults('inspect', 'sync', '--redis-url', url, '--tls-insecure')).code).toBe(0);
  });

  it('with an unknown certificate, or without TLS, is an error at once', async () => {
    const untrusted = await noDefaults('inspect', '--redis-url', url, '--timeout', '1h');
    expect(untrusted.code).toBe(5);
    expect(untrusted.err).toContain('is not trusted');
    const plain = url.replace('rediss:', 'redis:');
    const { code, err } = await noDefaults('inspect', '--redis-url', plain, '--timeout', '1h');
    expect(code).toBe(5);
    expect(err).toContain('rediss://');
  });
});

describe('a password', { timeout: 60_000 }, () => {
  const redis = useRedis({ password: 'open sesame' });
  const terminals = useTerminals();
  const url = (): string[] => ['--redis-url', `redis://127.0.0.1:${String(redis.port)}`];

  it('is asked for on a terminal, and not shown', async () => {
    for (const args of [
      ['add', 'mail', 'hello', '--create'],
      ['inspect', 'mail'],
    ]) {
      const terminal = await terminals.chasqui(...args, ...url(), '--ask-password');
      await terminal.until('Password:');
      terminal.press('open sesame', 'enter');
      expect((await terminal.exit()).code).toBe(0);
      expect(terminal.raw).not.toContain('sesame');
    }
    expect(await redis.client.xlen('{chasqui:mail}:stream')).toBe(1);
  });

  it('that is wrong or missing is an error at once', async () => {
    const terminal = await terminals.chasqui('inspect', ...url(), '--ask-password', '--timeout', '1h');
    await terminal.until('Password:');
    terminal.press('wrong one', 'enter');
    expect((await terminal.exit()).code).toBe(5);
    expect(terminal.text).toContain('Check username and password');
    expect(terminal.raw).not.toContain('wrong one');
    const missing = await noDefaults('inspect', ...url(), '--timeout', '1h');
    expect(missing.code).toBe(5);
  });
});
