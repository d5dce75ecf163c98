import { describe, expect, test } from 'vitest';
import { Worker } from '../../../lib/engine/index.js';
import { KEYS, NAME, next, take, useKit } from './kit.js';

const redis = useKit();
const OLD = { accepts: (name: string) => name === 'old' };

/**
 * Resolves when a worker that does not accept the only job has released it. Both counts are read at once: after half a
 * second, the job is back in the stream.
 */
async function released(): Promise<void> {
  const counts = async (): Promise<unknown[]> => {
    const replies = await redis.client.multi().zcard(KEYS.delayed).xlen(KEYS.stream).exec();
    return (replies ?? []).map(([, count]) => count);
  };
  await expect.poll(counts, { interval: 5, timeout: 10_000 }).toEqual([1, 0]);
}

describe('a job that a worker does not accept', () => {
  test('runs on a worker that accepts it, unchanged', async () => {
    const ran: string[] = [];
    const events = await redis.events();
    const heard: string[] = [];
    for (const event of ['active', 'failed', 'retry-scheduled', 'dlq', 'completed'] as const) {
      events.on(event, () => heard.push(event));
    }
    const old = redis.worker((job) => ran.push(`old ${job.name}`), OLD);
    const active: string[] = [];
    old.on('active', ({ name }) => active.push(name));
    const queue = redis.queue();
    const job = await queue.add('new', { n: 1 }, { attempts: 1 });
    await released();
    const modern = redis.worker((running) => {
      ran.push(`modern ${running.name} ${String(running.attemptsMade)} ${JSON.stringify(running.data)}`);
    });
    const done = next(events, 'completed');
    await next(modern, 'completed');
    await done;
    expect(ran).toEqual(['modern new 1 {"n":1}']);
    expect(active).toEqual([]);
    expect(heard.filter((event) => event !== 'active')).toEqual(['completed']);
    expect(await queue.peekDlq()).toEqual([]);
    expect(job.attemptsMade).toBe(0);
  });

  test('does not delay the jobs that it accepts', async () => {
    const ran: string[] = [];
    const worker = redis.worker((job) => ran.push(job.name), { ...OLD, concurrency: 1 });
    const done = take(worker, 'completed', 50);
    await redis
      .queue()
      .addBulk(Array.from({ length: 100 }, (_, i) => ({ name: i % 2 ? 'old' : 'new', data: i })));
    await done;
    expect(new Set(ran)).toEqual(new Set(['old']));
    await expect.poll(() => redis.client.zcard(KEYS.delayed)).toBe(50);
  });

  test('waits longer each time, and is not fetched in between', async () => {
    const refused: number[] = [];
    redis.worker(() => undefined, {
      accepts: () => {
        refused.push(performance.now());
        return false;
      },
    });
    await redis.queue().add('new', 1);
    await expect.poll(() => refused.length, { timeout: 5_000 }).toBe(3);
    const [first = 0, second = 0, third = 0] = refused;
    expect(second - first).toBeGreaterThanOrEqual(450);
    expect(third - second).toBeGreaterThanOrEqual(950);
  });

  test('keeps its id, and can be removed', async () => {
    redis.worker(() => undefined, OLD);
    const queue = redis.queue();
    await queue.add('new', 1, { jobId: 'once' });
    await released();
    expect((await queue.add('new', 2, { jobId: 'once' })).duplicate).toBe(true);
    // While the worker has it in flight, it cannot be removed.
    await expect.poll(() => queue.remove('once'), { timeout: 10_000 }).toBe(1);
    expect((await queue.add('old', 3, { jobId: 'once' })).duplicate).toBe(false);
  });

  test('is not lost when the worker closes', async () => {
    const queue = redis.queue();
    await queue.addBulk(Array.from({ length: 500 }, (_, i) => ({ name: 'new', data: i })));
    const worker = redis.worker(() => undefined, OLD);
    await expect.poll(() => redis.client.zcard(KEYS.delayed), { interval: 1 }).toBeGreaterThan(0);
    await worker.close();
    expect((await redis.client.zcard(KEYS.delayed)) + (await redis.client.xlen(KEYS.stream))).toBe(500);
    const [pending] = (await redis.client.xpending(KEYS.stream, 'default')) as [number];
    expect(pending).toBe(0);
  });
});

test('a worker whose `accepts` throws runs the job, and reports the error', async () => {
  const worker = redis.worker(() => 'ran', {
    accepts: () => {
      throw new Error('no list of names');
    },
  });
  const done = next(worker, 'completed');
  await redis.queue().add('any', 1);
  expect((await done)[1]).toBe('ran');
  expect(redis.errors.splice(0).map(({ message }) => message)).toEqual(['no list of names']);
});

test('`accepts` must be a function', () => {
  const { connection } = redis;
  expect(() => new Worker(NAME, () => 1, { connection, accepts: ['old'] as never })).toThrow(
    '"accepts" must be a function',
  );
});
