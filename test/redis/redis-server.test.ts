import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RedisServer, type RedisServerOptions } from '../../lib/testing/index.js';
import * as ports from '../../lib/testing/server/free-port.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';

vi.mock('../../lib/testing/server/free-port.js', { spy: true });

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  cleanups.push(() => server.stop());
  return server;
}

function connect(server: RedisServer, options: { commandTimeout?: number } = {}): Redis {
  const client = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null, ...options });
  client.on('error', () => undefined);
  cleanups.push(() => {
    client.disconnect();
  });
  return client;
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'chasqui-test-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function occupiedPort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  cleanups.push(() => {
    listener.close();
  });
  return (listener.address() as AddressInfo).port;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('RedisServer.start', () => {
  it('gives a server that answers, in a folder of its own, with nothing on disk', async () => {
    const server = await start();
    const client = connect(server);
    expect(await client.ping()).toBe('PONG');
    expect(alive(server.pid)).toBe(true);
    expect(server.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    expect(await client.config('GET', 'save')).toEqual(['save', '']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'no']);
    expect(await client.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
    expect(await client.config('GET', 'protected-mode')).toEqual(['protected-mode', 'yes']);
    expect(await client.config('GET', 'dir')).toEqual(['dir', server.dir]);
  });

  it('gives each of many started at once its own port', async () => {
    const servers = await Promise.all(Array.from({ length: 8 }, () => start()));
    expect(new Set(servers.map(({ port }) => port)).size).toBe(8);
  });

  it('takes a password and more arguments', async () => {
    const server = await start({ password: 'p@ss word', args: ['--maxmemory', '10mb'] });
    expect(await connect(server).config('GET', 'maxmemory')).toEqual(['maxmemory', String(10 * 1024 * 1024)]);
    const stranger = new Redis({ host: server.host, port: server.port, lazyConnect: true });
    stranger.on('error', () => undefined);
    cleanups.push(() => {
      stranger.disconnect();
    });
    await expect(stranger.get('key')).rejects.toThrow(/NOAUTH/);
  });

  it("rejects with the server's own last lines when it dies", async () => {
    const failure = start({ args: ['--maxmemory', 'plenty'] });
    await expect(failure).rejects.toThrow(/ended during its start.*argument must be a memory value/s);
  });

  it('rejects when the given port is taken, without trying another', async () => {
    const port = await occupiedPort();
    await expect(start({ port })).rejects.toThrow(/Port \d+ was taken/);
  });

  it('tries another port when one is taken between the probe and the bind', async () => {
    const taken = await occupiedPort();
    vi.mocked(ports.freePort).mockResolvedValueOnce(taken);
    const server = await start();
    expect(server.port).not.toBe(taken);
    expect(await connect(server).ping()).toBe('PONG');
  });

  it('says which binary cannot be run', async () => {
    await expect(start({ binary: '/nonexistent/redis-server' })).rejects.toThrow(
      /\/nonexistent\/redis-server cannot be run: .*ENOENT/,
    );
  });

  it('passes on what the server prints', async () => {
    const lines: string[] = [];
    await start({ log: (line) => lines.push(line) });
    expect(lines.join('\n')).toMatch(/Ready to accept connections/);
  });
});

describe('a running RedisServer', () => {
  it('is gone with its folder after stop, also when stop is called twice or while paused', async () => {
    const server = await start();
    server.pause();
    await Promise.all([server.stop(), server.stop()]);
    expect(alive(server.pid)).toBe(false);
    expect(server.running).toBe(false);
    expect(existsSync(server.dir)).toBe(false);
    await expect(server.restart()).rejects.toThrow(/stop\(\) was called/);
  });

  it('keeps a folder that was given to it', async () => {
    const dir = await folder();
    const server = await start({ dir });
    await server.stop();
    expect(existsSync(dir)).toBe(true);
  });

  it('comes back on the same port with what AOF always wrote, after kill -9', async () => {
    const server = await start({ appendonly: 'always' });
    const client = connect(server);
    await client.set('kept', 'yes');
    const { pid, port } = server;
    await server.kill();
    expect(alive(pid)).toBe(false);
    expect(server.running).toBe(false);
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await client.get('kept')).toBe('yes');
  });

  it('is shut down in order by a restart while it runs', async () => {
    const server = await start({ appendonly: 'everysec' });
    const client = connect(server);
    await client.set('kept', 'yes');
    await server.restart();
    expect(await client.get('kept')).toBe('yes');
  });

  it('answers nothing while paused, and everything afterwards', async () => {
    const server = await start();
    const client = connect(server);
    await client.ping();
    server.pause();
    let answered = false;
    const reply = client.incr('count').then((count) => {
      answered = true;
      return count;
    });
    const impatient = connect(server, { commandTimeout: 200 });
    await expect(impatient.ping()).rejects.toThrow(/timed out/);
    expect(answered).toBe(false);
    server.resume();
    expect(await reply).toBe(1);
  });
});

describe('the end of the process that started it', () => {
  const script = `
    import { RedisServer } from ${JSON.stringify(new URL('../../dist/testing/index.js', import.meta.url).href)};
    const server = await RedisServer.start();
    console.log(JSON.stringify({ pid: server.pid, dir: server.dir }));
    if (process.argv[1] === 'throw') throw new Error('on purpose');
    if (process.argv[1] === 'exit') process.exit(0);
  `;

  it.each(['throw', 'exit', 'SIGTERM', 'SIGKILL'] as const)('by %s ends the server too', async (how) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, how], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const exited = once(child, 'exit');
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { pid, dir } = JSON.parse(line) as { pid: number; dir: string };
    if (how === 'SIGTERM' || how === 'SIGKILL') child.kill(how);
    await exited;
    await waitUntil('the end of the server', 5_000, () =>
      Promise.resolve(alive(pid) ? 'it lives' : undefined),
    );
    await waitUntil('its folder', 5_000, () => Promise.resolve(existsSync(dir) ? 'it is there' : undefined));
  });
});
