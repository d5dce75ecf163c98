import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, it } from 'vitest';
import { TestRedis } from '../../lib/testing/index.js';

const FIXTURE = fileURLToPath(new URL('fixtures/suite.mjs', import.meta.url));

describe('TestRedis', () => {
  const redis = new TestRedis({ password: 'sesame' });
  afterAll(() => redis.stop());

  it('is not there before it is started', () => {
    expect(() => redis.url).toThrow('await start() first');
  });

  it('starts once, whoever asks', async () => {
    await Promise.all([redis.start(), redis.start()]);
    const { pid } = redis.server;
    await redis.start();
    expect(redis.server.pid).toBe(pid);
    expect(redis.connection).toEqual({ host: '127.0.0.1', port: redis.server.port, password: 'sesame' });
  });

  it('flushes, whatever a test has done to the server', async () => {
    await using client = closing(new Redis(redis.url));
    await client.redis.set('a', 1);
    redis.server.pause();
    await redis.flush();
    expect(await client.redis.keys('*')).toEqual([]);
    await redis.server.kill();
    await redis.flush();
    expect(await client.redis.keys('*')).toEqual([]);
  });

  it('finds connections that were left open', async () => {
    await redis.expectNoConnections();
    await using client = closing(new Redis(redis.url, { connectionName: 'left-behind' }));
    await client.redis.ping();
    await expect(redis.expectNoConnections()).rejects.toThrow(
      /1 connection\(s\) to Redis are open still:.*name=left-behind/s,
    );
  });
});

it('lets a process end by itself once the app is closed and the server stopped', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [FIXTURE], { timeout: 15_000 });
  expect(stdout).toBe('sent\nclosed\n');
});

function closing(redis: Redis) {
  redis.on('error', () => {});
  return {
    redis,
    [Symbol.asyncDispose]: async () => {
      redis.disconnect();
    },
  };
}
