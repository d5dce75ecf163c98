import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Worker, WorkerOptions } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

function numbers(count: number): { name: string; data: number }[] {
  return Array.from({ length: count }, (_, data) => ({ name: 'job', data }));
}

/** Workers that note how many handlers run at once, over all of them. */
function counting(workers: number, options: Partial<WorkerOptions> = {}, ms = 5) {
  const seen = { running: 0, most: 0, done: 0, workers: [] as Worker[] };
  for (let i = 0; i < workers; i++) {
    const worker = redis.worker(async () => {
      seen.running += 1;
      seen.most = Math.max(seen.most, seen.running);
      await delay(ms);
      seen.running -= 1;
      seen.done += 1;
    }, options);
    seen.workers.push(worker);
  }
  return seen;
}

async function pending(): Promise<number> {
  const [count] = (await redis.client.xpending(KEYS.stream, 'default')) as [number];
  return count;
}

describe('setGlobalConcurrency', () => {
  test.each([1, 3])(
    '%i: no more handlers run at once, over three workers, and all jobs run',
    async (limit) => {
      const queue = redis.queue();
      await queue.setGlobalConcurrency(limit);
      expect(await queue.getGlobalConcurrency()).toBe(limit);
      await queue.addBulk(numbers(90));
      const seen = counting(3, { concurrency: 10 });
      await eventually(() => {
        expect(seen.done).toBe(90);
      });
      expect(seen.most).toBe(limit);
      await eventually(async () => {
        expect(await pending()).toBe(0);
      });
    },
  );

  test('while workers run: what they have fetched and not started goes back', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    let running = 0;
    const worker = redis.worker(
      async (job) => {
        if (job.name === 'quick') return;
        running += 1;
        await latch.opened;
        running -= 1;
      },
      { concurrency: 2, batch: 50 },
    );
    // A worker fetches ahead once it knows that its handlers are quick.
    const quick = take(worker, 'completed', 200);
    await queue.addBulk(numbers(200).map(({ data }) => ({ name: 'quick', data })));
    await quick;
    await queue.addBulk(numbers(60));
    await eventually(async () => {
      expect(running).toBe(2);
      expect(await pending()).toBeGreaterThan(2);
    });
    await queue.setGlobalConcurrency(2);
    await eventually(async () => {
      expect(await pending()).toBe(2);
    });
    expect(await queue.isMaxed()).toBe(true);
    latch.open();
    await eventually(async () => {
      expect((await queue.getJobCounts()).waiting).toBe(0);
      expect(await pending()).toBe(0);
    });
    expect(await queue.isMaxed()).toBe(false);
    expect(worker.isRunning()).toBe(true);
  });

  test('applies to jobs with a priority and to plain jobs together, in their order', async () => {
    const queue = redis.queue();
    await queue.setGlobalConcurrency(1);
    const started: unknown[] = [];
    for (const priority of [3, 1, 2, 0]) await queue.add('job', priority, { priority });
    for (let i = 0; i < 2; i++) {
      redis.worker(
        async (job) => {
          started.push(job.data);
          await delay(5);
        },
        { concurrency: 5 },
      );
    }
    await eventually(() => {
      expect(started).toEqual([0, 1, 2, 3]);
    });
  });

  test('a slot comes back from a job that fails, is retried, is delayed, or becomes a dead letter', async () => {
    const queue = redis.queue();
    await queue.setGlobalConcurrency(1);
    let runs = 0;
    redis.worker((job) => {
      runs += 1;
      if (job.data !== 'good') throw new Error('no');
    });
    await queue.add('job', 'bad', { attempts: 3 });
    await queue.add('job', 'worse', { attempts: 1 });
    await queue.add('job', 'good');
    await eventually(async () => {
      expect(runs).toBe(5);
      expect(await pending()).toBe(0);
    });
  });

  test('the slots of a worker that has died come back with its jobs', async () => {
    const queue = redis.queue();
    await queue.setGlobalConcurrency(2);
    await queue.addBulk(numbers(6));
    const latch = new Latch();
    const dead = redis.worker(() => latch.opened, { concurrency: 2, claimMinIdleMs: 300 });
    await next(dead, 'active');
    await eventually(async () => {
      expect(await pending()).toBe(2);
    });
    // As if its process were gone: its entries belong to a consumer that renews nothing.
    for (const [entry] of await redis.client.xrange(KEYS.stream, '-', '+', 'COUNT', 2)) {
      await redis.client.xclaim(KEYS.stream, 'default', 'gone;lease=1', 0, entry);
    }
    const seen = counting(1, { claimMinIdleMs: 300 });
    await eventually(() => {
      expect(seen.done).toBe(6);
    });
    expect(seen.most).toBeLessThanOrEqual(2);
    latch.open();
    await eventually(async () => {
      expect(await pending()).toBe(0);
    });
    await dead.close();
    redis.errors.length = 0;
  });

  test('raised: more jobs start at once; removed: all do, and the queue is as before', async () => {
    const queue = redis.queue();
    await queue.setGlobalConcurrency(1);
    const latch = new Latch();
    let running = 0;
    redis.worker(
      async () => {
        running += 1;
        await latch.opened;
      },
      { concurrency: 20 },
    );
    await queue.addBulk(numbers(10));
    await eventually(() => {
      expect(running).toBe(1);
    });
    await delay(100);
    expect(running).toBe(1);
    await queue.setGlobalConcurrency(4);
    await eventually(() => {
      expect(running).toBe(4);
    });
    await queue.removeGlobalConcurrency();
    expect(await queue.getGlobalConcurrency()).toBeNull();
    await eventually(() => {
      expect(running).toBe(10);
    });
    latch.open();
    await eventually(async () => {
      expect(await redis.client.exists(KEYS.meta)).toBe(0);
    });
  });

  test.each([0, -1, 1.5, Number.NaN, Infinity, '1', null, undefined])('%s is refused', async (limit) => {
    const queue = redis.queue();
    expect(await rejection(queue.setGlobalConcurrency(limit as number))).toMatchObject({ code: 'CMQ-004' });
    expect(await queue.getGlobalConcurrency()).toBeNull();
  });

  test('a policy of the wrong type: it fails, and says so', async () => {
    await redis.client.set(KEYS.meta, 'x');
    expect(String(await rejection(redis.queue().setGlobalConcurrency(1)))).toContain('WRONGTYPE');
  });
});
