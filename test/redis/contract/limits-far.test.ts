import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Queue } from '../../../lib/engine/index.js';
import { fullest } from '../../support/fullest.js';
import { KEYS, Latch, eventually, useKit } from './kit.js';
import { GROUP, join, takeAs, untilAllConfirmed } from './starts-kit.js';

// Where the rate limit of a queue is far from reached, jobs are fetched ahead, as they are where there is none.
const redis = useKit();

/** No test here comes near it. */
const FAR = { max: 100_000, duration: 60_000 };
/** The data of the first job of which the handler takes its time. */
const SLOW = 10_000;

const jobs = (count: number, from = 0): { name: string; data: number }[] =>
  Array.from({ length: count }, (_, i) => ({ name: 'a', data: from + i }));

describe('jobs that wait in a worker', () => {
  const far = async (): Promise<Queue> => {
    const queue = redis.queue();
    await queue.setGlobalRateLimit(1_000, 60_000);
    await join(redis, 'one', 'two');
    await queue.addBulk(jobs(400));
    return queue;
  };

  test('are as many as may, while the limit allows twice as many as are asked for', async () => {
    await far();
    const first = await takeAs(redis, 'one', 10, { more: 190 });
    expect([first.jobs, first.waiting]).toEqual([200, 'more']);
    // 800 starts are left.
    const more = { before: first.starts as string, more: 399 };
    const second = await takeAs(redis, 'one', 2, more);
    expect([second.jobs, second.waiting]).toEqual([2, 'stay']);
    const third = await takeAs(redis, 'two', 0, { more: 399 });
    expect([third.jobs, third.waiting]).toEqual([198, 'more']);
  });

  test('do not come where the limit allows just what can start', async () => {
    const queue = await far();
    await queue.setGlobalRateLimit(6, 60_000);
    const taken = await takeAs(redis, 'one', 4, { more: 100 });
    expect([taken.jobs, taken.waiting, taken.waitMs]).toEqual([4, 'stay', undefined]);
    const rest = await takeAs(redis, 'two', 4, { more: 100 });
    expect([rest.jobs, rest.waiting]).toEqual([2, 'stay']);
    expect(rest.waitMs).toBeGreaterThan(59_000);
  });

  test.each<[string, (queue: Queue) => Promise<unknown>]>([
    ['there is a global concurrency', (queue) => queue.setGlobalConcurrency(300)],
    ['a job with a priority has come', (queue) => queue.add('b', 0, { priority: 1 })],
    ['a job with lifo has come', (queue) => queue.add('b', 0, { lifo: true })],
    ['a job of a group has come', (queue) => queue.add('b', 0, { group: { id: 'g' } })],
    ['the queue is paused', (queue) => queue.pause()],
  ])('go back when %s', async (_, change) => {
    const queue = await far();
    const first = await takeAs(redis, 'one', 10, { more: 90 });
    expect([first.jobs, first.waiting]).toEqual([100, 'more']);
    await change(queue);
    const second = await takeAs(redis, 'one', 10, { more: 90, before: first.starts as string, isLate: true });
    expect(second.waiting).toBe('back');
    expect(second.jobs).toBeLessThanOrEqual(10);
  });
});

/** Many quick jobs have run, so the worker fetches ahead. For jobs from {@link SLOW} on, its two handlers wait for this. */
async function quick(wait: () => Promise<unknown>): Promise<{ queue: Queue; ran: number[] }> {
  const queue = redis.queue();
  const ran: number[] = [];
  const worker = redis.worker(
    async ({ data }) => {
      ran.push(data as number);
      if ((data as number) >= SLOW) await wait();
    },
    { concurrency: 2, limiter: FAR },
  );
  await worker.waitUntilReady();
  await queue.addBulk(jobs(500));
  await eventually(() => {
    expect(ran.length).toBe(500);
  });
  return { queue, ran };
}

const inFlight = async (): Promise<number> =>
  ((await redis.client.xpending(KEYS.stream, GROUP)) as [number])[0];

test('what waits in a worker goes back when handlers are slow, and starts elsewhere', async () => {
  const latch = new Latch();
  const { queue, ran } = await quick(() => latch.opened);
  await queue.addBulk(jobs(60, SLOW));
  await eventually(async () => {
    expect(await inFlight()).toBeGreaterThan(20);
  });
  await eventually(async () => {
    expect(await inFlight()).toBe(2);
  });
  expect(await queue.getWaitingCount()).toBe(58);
  const other: number[] = [];
  redis.worker(({ data }) => other.push(data as number), { limiter: FAR });
  await eventually(() => {
    expect(other.length).toBe(58);
  });
  latch.open();
  await eventually(async () => {
    expect(await inFlight()).toBe(0);
  });
  expect(new Set([...ran, ...other]).size).toBe(560);
  expect(ran.length + other.length).toBe(560);
  await untilAllConfirmed(redis);
});

test('what waits in a worker goes back when handlers are slower than they were, although jobs start all the time', async () => {
  const { queue } = await quick(() => delay(150));
  await queue.addBulk(jobs(60, SLOW));
  await eventually(async () => {
    expect(await inFlight()).toBeGreaterThan(20);
  });
  await eventually(async () => {
    expect(await inFlight()).toBeLessThanOrEqual(2);
  });
  expect(await queue.getWaitingCount()).toBeGreaterThan(20);
});

test('a global concurrency holds for what waits in a worker, and each job runs once', async () => {
  const queue = redis.queue();
  let running = 0;
  let most = 0;
  const ran: number[] = [];
  redis.worker(
    async ({ data }) => {
      running += 1;
      most = Math.max(most, running);
      ran.push(data as number);
      await delay(1);
      running -= 1;
    },
    { concurrency: 50, limiter: FAR },
  );
  await queue.addBulk(jobs(4_000));
  for (const concurrency of [3, 7]) {
    await eventually(() => {
      expect(most).toBeGreaterThan(20);
    });
    await queue.setGlobalConcurrency(concurrency);
    await eventually(async () => {
      expect(await inFlight()).toBeLessThanOrEqual(concurrency);
    });
    most = 0;
    const before = ran.length;
    await eventually(() => {
      expect(ran.length).toBeGreaterThan(before + 30);
    });
    expect(most).toBeLessThanOrEqual(concurrency);
    await queue.removeGlobalConcurrency();
  }
  await eventually(() => {
    expect(ran.length).toBe(4_000);
  });
  expect(new Set(ran).size).toBe(4_000);
});

test('worker.rateLimit holds at once for what waits in that worker', async () => {
  const queue = redis.queue();
  const starts: number[] = [];
  let resolvedAt = Infinity;
  const worker = redis.worker(
    async ({ data }) => {
      starts.push(performance.now());
      if (data !== 3_000) return;
      await worker.rateLimit(600);
      resolvedAt = performance.now();
    },
    { concurrency: 4, limiter: FAR },
  );
  await queue.addBulk(jobs(5_000));
  await eventually(() => {
    expect(starts.length).toBe(5_000);
  });
  const during = starts.filter((at) => at > resolvedAt && at < resolvedAt + 500);
  expect(during).toEqual([]);
  expect(starts.filter((at) => at > resolvedAt).length).toBeGreaterThan(500);
});

test('no window has more starts than it may, when the limit comes near while jobs wait in workers', async () => {
  const queue = redis.queue();
  const limiter = { max: 400, duration: 500 };
  const starts: number[] = [];
  for (let i = 0; i < 3; i += 1)
    redis.worker(
      () => {
        starts.push(performance.now());
      },
      { concurrency: 10, limiter },
    );
  await queue.addBulk(jobs(1_800));
  await eventually(() => {
    expect(starts.length).toBe(1_800);
  }, 20_000);
  expect(fullest(starts, limiter.duration)).toBeLessThanOrEqual(limiter.max);
});
