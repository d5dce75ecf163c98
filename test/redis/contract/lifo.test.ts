import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Job, JobsOptions } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, take, useKit } from './kit.js';
import { orderKit } from './order-kit.js';

const redis = useKit();
const { add, runAll } = orderKit(redis);

describe('lifo', () => {
  test('runs before all others, the job that was added last first', async () => {
    await add('plain');
    await add('best', { priority: 1 });
    for (const data of ['older', 'newer', 'newest']) await add(data, { lifo: true });
    // Workers that read the stream have learned by now that the queue is gated.
    await delay(2_100);
    expect(await runAll(5)).toEqual(['newest', 'newer', 'older', 'plain', 'best']);
  });

  test('overtakes a long backlog, and each job of it runs once, in order', async () => {
    const numbers = Array.from({ length: 200 }, (_, index) => index);
    await redis.queue().addBulk(numbers.map((data) => ({ name: 'job', data })));
    await add('a', { lifo: true });
    await delay(2_100);
    const started: unknown[] = [];
    const worker = redis.worker(
      async (job) => {
        started.push(job.data);
        if (job.data === 50) await add('b', { lifo: true });
        if (job.data === 100) await add('c', { lifo: true });
        if (job.data === 101) await add('last');
      },
      { concurrency: 1, autorun: false },
    );
    const done = take(worker, 'completed', 204);
    void worker.run();
    await done;
    expect(started).toEqual([
      'a',
      ...numbers.slice(0, 51),
      'b',
      ...numbers.slice(51, 101),
      'c',
      ...numbers.slice(101),
      'last',
    ]);
    await eventually(async () => {
      expect(await redis.client.exists(`${KEYS.prefix}ahead`, KEYS.room)).toBe(0);
    });
  });

  /* One call of take.lua steps over 100 entries at most. */
  test.each([101, 350])(
    '%i jobs of it overtake a backlog, and workers step over all of them',
    async (count) => {
      const queue = redis.queue();
      const addAll = (name: string, most: number, opts: JobsOptions = {}): Promise<Job[]> =>
        queue.addBulk(
          Array.from({ length: most }, (_, nth) => ({ name: 'job', data: `${name} ${nth}`, opts })),
        );
      const names = (name: string, most: number): string[] =>
        Array.from({ length: most }, (_, nth) => `${name} ${nth}`);
      await addAll('early', 10);
      await addAll('best', 10, { priority: 1 });
      await addAll('lifo', count, { lifo: true });
      // As if all workers had known for long that the queue is gated.
      await redis.client.hset(KEYS.meta, 'gated', 1);
      let mostAhead = 0;
      const started: unknown[] = [];
      const latch = new Latch();
      const worker = redis.worker(
        async (job) => {
          started.push(job.data);
          mostAhead = Math.max(mostAhead, await redis.client.llen(`${KEYS.prefix}ahead`));
          if (started.length === count) await addAll('late', 10);
          if (started.length === count + 5) await latch.opened;
        },
        { concurrency: 1 },
      );
      await eventually(() => {
        expect(started).toHaveLength(count + 5);
      });
      // What is ahead is of the queue, and not of the worker that took it.
      const closed = worker.close();
      latch.open();
      await closed;
      expect(mostAhead).toBe(count);
      started.push(...(await runAll(25)));
      expect(started).toEqual([
        ...names('lifo', count).reverse(),
        ...names('early', 10),
        ...names('late', 10),
        ...names('best', 10),
      ]);
      expect(await redis.client.exists(`${KEYS.prefix}ahead`, KEYS.room)).toBe(0);
    },
  );
});
