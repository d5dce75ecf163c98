import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { drain, TestRedis, waitForJob } from '../../lib/testing/index.js';

const FIXTURE = fileURLToPath(new URL('fixtures/suite.mjs', import.meta.url));

describe('TestRedis', () => {
  const redis = new TestRedis({ password: 'sesame' });
  afterAll(() => redis.stop());

  it('is not there before it is started', () => {
    expect(() => redis.url).toThrow('await start() first');
  });

  it('starts once, however often start is called', async () => {
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
      /1 connection\(s\) to Redis are still open:.*name=left-behind/s,
    );
  });
});

describe('after a flush', () => {
  const redis = new TestRedis();
  beforeAll(() => redis.start());
  afterAll(() => redis.stop());

  it('queues, workers and waits that were there before go on at once', async () => {
    const connection = redis.connection;
    await using queue = new Queue<number, number>('sums', { connection });
    await using worker = new Worker<number, number>('sums', ({ data }) => data + 1, {
      connection,
      storeResults: true,
    });
    const delays: number[] = [];
    for (let i = 0; i < 3; i++) {
      // One waits while nobody has flushed anything since the last; the next is told as quickly.
      const first = await queue.add('a', i);
      expect(await first.waitForResult()).toBe(i + 1);
      await redis.flush();
      const begun = performance.now();
      const job = await queue.add('b', i, { delay: 20 });
      expect(await job.waitForResult()).toBe(i + 1);
      delays.push(performance.now() - begun);
      await redis.flush();
      await queue.add('c', i);
      await drain(queue);
      const last = await queue.add('d', i);
      await waitForJob(queue, last.id, 'completed');
    }
    expect(worker.isRunning()).toBe(true);
    // Looking every two seconds would find it too.
    expect(Math.min(...delays)).toBeLessThan(1_500);
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
