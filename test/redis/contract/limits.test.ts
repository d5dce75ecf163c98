import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { RateLimitError, Worker } from '../../../lib/engine/index.js';
import type { Job, Processor, Queue } from '../../../lib/engine/index.js';
import { fullest } from '../../support/fullest.js';
import { countAnswers } from '../../support/machine.js';
import { KEYS, Latch, eventually, next, rejection, useKit } from './kit.js';
import { join, redisNow, takeAs } from './starts-kit.js';
import type { Taken } from './starts-kit.js';

const redis = useKit();

/**
 * Fewer answers than this come from when a job may start until it does: see {@link countAnswers}. The calls of the workers in between take as
 * long as a few of them.
 */
const WASTED = 35;

/** Jobs to add. */
const jobs = (count: number, opts = {}): { name: string; data: number; opts: object }[] =>
  Array.from({ length: count }, (_, i) => ({ name: 'a', data: i, opts }));

/** A processor that writes down when each job started, and ended, in ms of one clock for all workers. */
function starting(ms = 0): { starts: number[]; ends: number[]; most: () => number; processor: Processor } {
  const starts: number[] = [];
  const ends: number[] = [];
  let running = 0;
  let most = 0;
  const processor = async (): Promise<void> => {
    starts.push(performance.now());
    running += 1;
    most = Math.max(most, running);
    if (ms > 0) await delay(ms);
    running -= 1;
    ends.push(performance.now());
  };
  return { starts, ends, most: () => most, processor };
}

async function all(starts: readonly number[], count: number): Promise<void> {
  await eventually(() => {
    expect(starts.length).toBe(count);
  }, 20_000);
}

describe('a rate limit', () => {
  test.each([
    ['of the queue', (queue: Queue) => queue.setGlobalRateLimit(50, 400), {}],
    ['of the workers', () => Promise.resolve(), { limiter: { max: 50, duration: 400 } }],
  ])('%s holds in every window, for all workers together, and is used up', async (_, set, options) => {
    const queue = redis.queue();
    await set(queue);
    await queue.addBulk(jobs(300));
    const { starts, processor } = starting(1);
    for (let i = 0; i < 3; i += 1) redis.worker(processor, { concurrency: 40, ...options });
    const answers = await countAnswers(redis.client, () => all(starts, 300));
    expect(fullest(starts, 400)).toBeLessThanOrEqual(50);
    // While jobs wait, each start lets another one follow when it leaves the window. A wasted window has about 75 answers.
    const wasted = starts.slice(50).map((at, i) => answers((starts[i] as number) + 400, at));
    expect(Math.max(...wasted)).toBeLessThan(WASTED);
  });

  /** Two starts that leave the window in so many ms, as if two jobs had started. Resolves with what three workers get then. */
  async function takeBefore(ms: number): Promise<Awaited<ReturnType<typeof takeAs>>[]> {
    const leaves = (await redisNow(redis)) * 1000 + ms * 1000;
    const window = `${KEYS.prefix}limit`;
    await redis.client.del(window, `${KEYS.prefix}taking`);
    await redis.client.rpush(window, '0:0', `${String(leaves - 60_000_000)}:2`);
    const taken = [];
    for (const consumer of ['one', 'two', 'three']) taken.push(await takeAs(redis, consumer, 1));
    return taken;
  }

  test('gives starts out a little before they become free, and no more than that', async () => {
    const queue = redis.queue();
    await queue.setGlobalRateLimit(2, 60_000);
    await join(redis, 'one', 'two', 'three');
    await queue.addBulk(jobs(200));
    // The server may be slow, so this is tried until three calls come in time.
    for (let i = 0; i < 60; i += 1) {
      const [first, second, third] = (await takeBefore(4)) as [Taken, Taken, Taken];
      for (const { startsInMs } of [first, second, third]) expect(startsInMs).toBeLessThanOrEqual(5);
      expect(first.jobs + second.jobs + third.jobs).toBeLessThanOrEqual(2);
      if (third.jobs > 0 || !(second.startsInMs > 0)) continue;
      expect([first.jobs, second.jobs]).toEqual([1, 1]);
      expect(first.startsInMs).toBeGreaterThanOrEqual(second.startsInMs);
      // What has left and has been given out is spent: there is nothing to ask for at once.
      expect(third.waitMs).toBeGreaterThan(59_000);
      // A better job may come in the meantime, so none of these may wait in a worker.
      await queue.add('a', 1, { priority: 1 });
      expect((await takeBefore(4)).filter(({ jobs, startsInMs }) => jobs > 0 && startsInMs > 0)).toEqual([]);
      return;
    }
    throw new Error('No three calls came in time');
  });

  test('with jobs that have a priority, keeps their order', async () => {
    const queue = redis.queue();
    await queue.setGlobalRateLimit(2, 100);
    for (const priority of [5, 3, 1, 4, 2]) await queue.add(String(priority), 1, { priority });
    const ran: string[] = [];
    redis.worker(({ name }) => void ran.push(name), { concurrency: 1 });
    await eventually(() => {
      expect(ran).toEqual(['1', '2', '3', '4', '5']);
    });
  });

  test('takes effect while workers run, and ends when it is removed', async () => {
    const queue = redis.queue();
    const { starts, processor } = starting();
    redis.worker(processor);
    await queue.addBulk(jobs(100));
    await all(starts, 100);
    expect(await queue.setGlobalRateLimit(10, 60_000)).toBe(1);
    expect(await queue.setGlobalRateLimit(10, 60_000)).toBe(0);
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 10, duration: 60_000 });
    // A worker learns of it within a second.
    await delay(1_100);
    await queue.addBulk(jobs(100));
    await all(starts, 110);
    await delay(300);
    expect(starts.length).toBe(110);
    expect(await queue.getRateLimitTtl(10)).toBeGreaterThan(50_000);
    expect(await queue.getRateLimitTtl(11)).toBe(0);
    expect(await queue.removeGlobalRateLimit()).toBe(1);
    expect(await queue.removeGlobalRateLimit()).toBe(0);
    await all(starts, 200);
    expect(await queue.getGlobalRateLimit()).toBe(null);
    await queue.addBulk(jobs(100));
    await all(starts, 300);
  });

  test('that is declared again leaves alone what a call has set; another one replaces it', async () => {
    const queue = redis.queue();
    const declare = async (max: number): Promise<void> => {
      const worker = redis.worker(() => undefined, { limiter: { max, duration: 1_000 } });
      const completed = next(worker, 'completed');
      await queue.add('a', 1);
      await completed;
      await worker.close();
    };
    await declare(5);
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 5, duration: 1_000 });
    await queue.setGlobalRateLimit(7, 2_000);
    await declare(5);
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 7, duration: 2_000 });
    await declare(6);
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 6, duration: 1_000 });
  });

  test('does not stop the queue when the clock of the server was set back', async () => {
    const queue = redis.queue();
    await queue.setGlobalRateLimit(2, 300);
    const ahead = (Date.now() + 3_600_000) * 1000;
    await redis.client.rpush(`${KEYS.prefix}limit`, '0:0', `${String(ahead)}:2`);
    await queue.addBulk(jobs(2));
    const { starts, processor } = starting();
    redis.worker(processor);
    await all(starts, 2);
  });

  test('that removeRateLimitKey forgets lets jobs start at once', async () => {
    const queue = redis.queue();
    await queue.setGlobalRateLimit(1, 600_000);
    await queue.addBulk(jobs(2));
    const { starts, processor } = starting();
    redis.worker(processor);
    await all(starts, 1);
    expect(await queue.removeRateLimitKey()).toBe(1);
    await all(starts, 2);
    expect(await queue.removeRateLimitKey()).toBe(1);
    expect(await queue.removeRateLimitKey()).toBe(0);
    expect(await queue.getRateLimitTtl()).toBe(-2);
  });
});

describe('a handler that is told to come back later', () => {
  test.each([
    ['worker.rateLimit', (worker: Worker) => worker.rateLimit(400), Worker.RateLimitError],
    ['queue.rateLimit', (_: Worker, queue: Queue) => queue.rateLimit(400), () => new RateLimitError()],
  ])('%s stops all starts, and the job goes back with no attempt used', async (_, limit, error) => {
    const queue = redis.queue();
    const { starts, processor } = starting();
    let limitedAt = 0;
    const seen: number[] = [];
    const failed: unknown[] = [];
    const first: Worker = redis.worker(async (job: Job) => {
      seen.push(job.attemptsMade);
      if (seen.length === 1) {
        limitedAt = performance.now();
        await limit(first, queue);
        throw error();
      }
      return processor(job, undefined as never);
    });
    first.on('failed', (job) => failed.push(job));
    await queue.add('a', 1, { attempts: 1 });
    await eventually(async () => {
      expect(await queue.getRateLimitTtl()).toBeGreaterThan(0);
    });
    redis.worker(processor);
    await queue.addBulk(jobs(20));
    await all(starts, 21);
    expect(Math.min(...starts) - limitedAt).toBeGreaterThan(400 - 1);
    expect(new Set(seen)).toEqual(new Set([1]));
    expect(failed).toEqual([]);
    expect(await queue.getFailedCount()).toBe(0);
    await eventually(async () => {
      expect(await redis.client.hexists(KEYS.meta, 'limited')).toBe(0);
    });
  });

  test.each([
    ['jobs of one priority', () => ({ priority: 5 }), [0, 1, 1, 2, 3]],
    ['jobs of several priorities', (i: number) => ({ priority: i + 1 }), [0, 1, 1, 2, 3]],
    ['jobs with lifo', () => ({ lifo: true }), [3, 2, 1, 1, 0]],
    ['jobs of one group', () => ({ group: { id: 'a' } }), [0, 1, 1, 2, 3]],
  ])('goes back to its place: %s', async (_, optionsOf, expected) => {
    const queue = redis.queue();
    const seen: number[] = [];
    const worker: Worker = redis.worker(
      async (job) => {
        seen.push(job.data as number);
        if (job.data !== 1 || seen.filter((i) => i === 1).length > 1) return;
        await worker.rateLimit(300);
        throw new RateLimitError();
      },
      { concurrency: 1, autorun: false },
    );
    await queue.addBulk([0, 1, 2, 3].map((i) => ({ name: 'a', data: i, opts: optionsOf(i) })));
    void worker.run();
    await eventually(() => {
      expect(seen).toEqual(expected);
    });
  });

  test('waits 100 ms where no limit holds, behind the others', async () => {
    const queue = redis.queue();
    const seen: number[] = [];
    const worker: Worker = redis.worker(
      (job) => {
        seen.push(job.data as number);
        if (seen.length === 1) throw new RateLimitError();
      },
      { concurrency: 1, autorun: false },
    );
    await queue.addBulk([0, 1, 2].map((i) => ({ name: 'a', data: i, opts: { priority: 5 } })));
    void worker.run();
    await eventually(() => {
      expect(seen).toEqual([0, 1, 2, 0]);
    });
  });

  test('an error of that name from elsewhere counts, too', async () => {
    const queue = redis.queue();
    let runs = 0;
    const worker = redis.worker(() => {
      runs += 1;
      if (runs === 1) throw Object.assign(new Error('later'), { name: 'RateLimitError' });
    });
    const completed = next(worker, 'completed');
    await queue.add('a', 1, { attempts: 1 });
    expect((await completed)[0].attemptsMade).toBe(1);
  });
});

describe('a global concurrency', () => {
  test('holds for all workers together, and can change', async () => {
    const queue = redis.queue();
    expect(await queue.getGlobalConcurrency()).toBe(null);
    expect(await queue.isMaxed()).toBe(false);
    expect(await queue.setGlobalConcurrency(3)).toBe(1);
    expect(await queue.getGlobalConcurrency()).toBe(3);
    await queue.addBulk(jobs(60));
    const { starts, most, processor } = starting(5);
    for (let i = 0; i < 3; i += 1) redis.worker(processor, { concurrency: 10 });
    await all(starts, 60);
    expect(most()).toBe(3);
    expect(await queue.setGlobalConcurrency(12)).toBe(1);
    await queue.addBulk(jobs(120));
    await all(starts, 180);
    expect(most()).toBeGreaterThan(3);
    expect(most()).toBeLessThanOrEqual(12);
    expect(await queue.removeGlobalConcurrency()).toBe(1);
    expect(await queue.removeGlobalConcurrency()).toBe(0);
  });

  test('does not slow the queue down: each end lets the next job start', async () => {
    const queue = redis.queue();
    await queue.setGlobalConcurrency(2);
    await queue.addBulk(jobs(100));
    const { starts, ends, processor } = starting(5);
    redis.worker(processor, { concurrency: 10 });
    redis.worker(processor, { concurrency: 10 });
    const answers = await countAnswers(redis.client, () => all(starts, 100));
    // Without a wake, a worker looks for jobs about once a second, which is about 190 answers.
    const wasted = starts.slice(2).map((at, i) => answers(ends[i] as number, at));
    expect(Math.max(...wasted)).toBeLessThan(WASTED);
  });

  test('isMaxed says when it is reached', async () => {
    const queue = redis.queue();
    await queue.setGlobalConcurrency(1);
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, { concurrency: 5 });
    const started = next(worker, 'active');
    await queue.addBulk(jobs(2));
    await started;
    expect(await queue.isMaxed()).toBe(true);
    expect(await queue.getActiveCount()).toBe(1);
    latch.open();
    await eventually(async () => {
      expect(await queue.isMaxed()).toBe(false);
    });
  });
});

describe('wrong limits are refused', () => {
  const WRONG = [0, -1, 1.5, Number.NaN, Infinity, '3', null, undefined, {}];
  test.each(WRONG)('%j', async (value) => {
    const queue = redis.queue();
    const wrong = value as number;
    for (const call of [
      () => queue.setGlobalConcurrency(wrong),
      () => queue.setGlobalRateLimit(wrong, 1_000),
      () => queue.setGlobalRateLimit(1, wrong),
      () => queue.rateLimit(wrong),
      ...(value === undefined ? [] : [() => queue.getRateLimitTtl(wrong)]),
    ]) {
      expect(await rejection(call())).toMatchObject({ code: 'CMQ-004' });
    }
    expect(await redis.client.exists(KEYS.meta)).toBe(0);
    for (const limiter of [
      { max: wrong, duration: 1 },
      { max: 1, duration: wrong },
    ]) {
      expect(() => redis.worker(() => undefined, { limiter })).toThrow(/limiter/);
    }
  });

  test('a time of more than 30 days', async () => {
    expect(await rejection(redis.queue().rateLimit(30 * 86_400_000 + 1))).toMatchObject({ code: 'CMQ-004' });
  });
});
