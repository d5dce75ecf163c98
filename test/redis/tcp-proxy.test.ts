import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
let proxy: TcpProxy;
const open: { disconnect(): void }[] = [];

beforeEach(async () => {
  proxy = await TcpProxy.start(redis.connection);
});

afterEach(async () => {
  for (const client of open.splice(0)) client.disconnect();
  await proxy.stop();
});

function viaProxy(options: { commandTimeout?: number } = {}): Redis {
  const client = new Redis(proxy.url, { retryStrategy: () => 20, maxRetriesPerRequest: null, ...options });
  client.on('error', () => undefined);
  open.push(client);
  return client;
}

async function socket(): Promise<Socket> {
  const raw = connect(proxy.port, proxy.host);
  open.push({ disconnect: () => raw.destroy() });
  await once(raw, 'connect');
  return raw;
}

describe('TcpProxy', () => {
  it('passes everything on both ways, large values too', async () => {
    const client = viaProxy();
    const value = 'x'.repeat(3_000_000);
    await client.set('large', value);
    expect(await client.get('large')).toBe(value);
    expect(proxy.connections).toBe(1);
  });

  it('cut closes what is open; a client can connect again', async () => {
    const client = viaProxy();
    await client.ping();
    const closed = once(client, 'close');
    proxy.cut();
    await closed;
    expect(await client.ping()).toBe('PONG');
  });

  it('blackhole swallows both ways and tells nobody; the connection stays dead, a new one works', async () => {
    const raw = await socket();
    let ended = false;
    raw.on('close', () => (ended = true));
    proxy.blackhole(true);
    raw.write('SET lost 1\r\n');
    const doomed = viaProxy({ commandTimeout: 200 });
    await expect(doomed.ping()).rejects.toThrow(/timed out/);
    expect(await redis.client.get('lost')).toBeNull();
    expect(ended).toBe(false);

    proxy.blackhole(false);
    raw.write('SET lost 2\r\n');
    expect(await viaProxy().ping()).toBe('PONG');
    expect(await redis.client.get('lost')).toBeNull();
    expect(ended).toBe(false);
  });

  it('blackhole swallows the end of a connection', async () => {
    const raw = await socket();
    raw.write('PING\r\n');
    await once(raw, 'data');
    const clientsBefore = await redis.client.client('LIST');
    proxy.blackhole(true);
    raw.end();
    await redis.client.ping();
    const count = (list: unknown): number => String(list).trim().split('\n').length;
    expect(count(await redis.client.client('LIST'))).toBe(count(clientsBefore));
  });

  it('blackholeReplies lets commands take effect and their replies vanish', async () => {
    const client = viaProxy({ commandTimeout: 200 });
    await client.ping();
    proxy.blackholeReplies(true);
    await expect(client.set('arrived', 'yes')).rejects.toThrow(/timed out/);
    expect(await redis.client.get('arrived')).toBe('yes');
  });

  it('delay holds everything back, in order', async () => {
    const client = viaProxy();
    await client.ping();
    proxy.delay(100);
    const begin = performance.now();
    const replies = await Promise.all([client.incr('n'), client.incr('n'), client.incr('n')]);
    expect(replies).toEqual([1, 2, 3]);
    // Once on the way there and once on the way back; a timer may fire up to a millisecond early.
    expect(performance.now() - begin).toBeGreaterThanOrEqual(198);
    proxy.delay(0);
    expect(await client.incr('n')).toBe(4);
  });

  it('splitReplies keeps the order where the process loses time between the pieces', async () => {
    const client = viaProxy();
    await client.ping();
    proxy.splitReplies(() => true);
    const now = performance.now.bind(performance);
    let calls = 0;
    // Every fifth reading of the clock comes 3 ms late.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + Math.floor(calls++ / 5) * 3);
    try {
      const text = 'abcdefghijklmnopqrstuvwxyz';
      expect(await client.echo(text)).toBe(text);
    } finally {
      clock.mockRestore();
    }
  });

  it('refuse turns new connections away and keeps open ones', async () => {
    const client = viaProxy();
    await client.ping();
    await proxy.refuse(true);
    const raw = connect(proxy.port, proxy.host);
    const [error] = (await once(raw, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    expect(await client.ping()).toBe('PONG');
    await proxy.refuse(false);
    expect(await viaProxy().ping()).toBe('PONG');
  });

  it('stop leaves no connection at either end', async () => {
    const client = viaProxy();
    await client.ping();
    client.disconnect();
    await proxy.stop();
    await waitUntil('The end of every connection', 2_000, () =>
      Promise.resolve(proxy.connections === 0 ? undefined : `${proxy.connections} open`),
    );
  });
});
