import { describe, expect, test } from 'vitest';
import type { PromoterTick } from '../../../lib/engine/index.js';
import { KEYS, ULID, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

async function serverMs(): Promise<number> {
  const [seconds, micros] = await redis.client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

describe('a delayed job', () => {
  test('runs when it is due by Redis’s clock: not earlier, and soon after', async () => {
    const starts: number[] = [];
    const worker = redis.worker(async () => {
      starts.push(await serverMs());
    });
    await next(worker, 'ready');
    const done = take(worker, 'completed', 3);
    const queue = redis.queue();
    const added: number[] = [];
    for (const delay of [120, 60, 1]) {
      added.push((await serverMs()) + delay);
      await queue.add('a', delay, { delay });
    }
    await done;
    const due = [...added].sort((a, b) => a - b);
    starts.forEach((start, index) => {
      expect(start - due[index]!).toBeGreaterThanOrEqual(0);
      expect(start - due[index]!).toBeLessThan(1_000);
    });
  });

  test('has its delay, rounded up, and isDelayed', async () => {
    const job = await redis.queue().add('a', 1, { delay: 1_500.2 });
    expect([job.delay, await job.isDelayed()]).toEqual([1_501, true]);
    expect(await (await redis.queue().add('a', 1)).isDelayed()).toBe(false);
  });

  test('keeps its name, data, options and submission time', async () => {
    const worker = redis.worker(() => undefined);
    const done = next(worker, 'completed');
    await redis.queue().add('welcome', { to: 'ada' }, { delay: 5, attempts: 9, timestamp: 1_234 });
    const [job] = await done;
    expect(job).toMatchObject({
      name: 'welcome',
      data: { to: 'ada' },
      timestamp: 1_234,
      opts: { attempts: 9 },
      attemptsMade: 1,
    });
  });

  test('is promoted in time although every promoter sleeps: an earlier job wakes one', async () => {
    const worker = redis.worker(() => undefined, { delayedPollIntervalMs: 60_000 });
    await next(worker, 'ready');
    const queue = redis.queue();
    await queue.add('late', 1, { delay: 50_000 });
    const done = next(worker, 'completed');
    await queue.add('soon', 1, { delay: 30 });
    const [job] = await done;
    expect(job.name).toBe('soon');
  });

  test('is promoted once, by one of many promoters', async () => {
    const count = 300;
    const workers = Array.from({ length: 4 }, () => redis.worker(() => undefined));
    const all = Promise.all(workers.map((worker) => next(worker, 'ready')));
    await all;
    let completed = 0;
    const done = new Promise<void>((resolve) => {
      for (const worker of workers)
        worker.on('completed', () => (++completed === count ? resolve() : undefined));
    });
    await redis
      .queue()
      .addBulk(
        Array.from({ length: count }, (_, data) => ({ name: 'a', data, opts: { delay: 1 + (data % 40) } })),
      );
    await done;
    expect(completed).toBe(count);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('a backlog larger than a batch is promoted without a pause, and reported to the metrics sink', async () => {
    const ticks: PromoterTick[] = [];
    const queue = redis.queue();
    await queue.addBulk(
      Array.from({ length: 1_000 }, (_, data) => ({ name: 'a', data, opts: { delay: 1 } })),
    );
    const worker = redis.worker(() => undefined, {
      delayedPromoteBatch: 100,
      metrics: { promoterTick: (tick) => ticks.push(tick) },
    });
    await take(worker, 'completed', 1_000);
    expect(ticks.reduce((sum, { promoted }) => sum + promoted, 0)).toBe(1_000);
    expect(ticks[0]).toMatchObject({ promoted: 100, depth: 900 });
    expect(ticks[0]!.oldestPendingLagMs).toBeGreaterThanOrEqual(0);
  });

  test('waits if no worker runs a promoter', async () => {
    const worker = redis.worker(() => undefined, { delayedEnabled: false });
    await next(worker, 'ready');
    const queue = redis.queue();
    await queue.add('a', 'delayed', { delay: 1 });
    const done = next(worker, 'completed');
    await queue.add('a', 'now');
    const [job] = await done;
    expect(job.data).toBe('now');
    expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
  });
});

describe('remove', () => {
  test.each([
    ['an id of its own', undefined],
    ['an id of the caller’s', 'order-1'],
  ])('cancels a delayed job with %s, and leaves nothing of it', async (_, jobId) => {
    const queue = redis.queue({ eventsEnabled: false });
    const job = await queue.add('a', 1, { delay: 60_000, ...(jobId === undefined ? {} : { jobId }) });
    if (jobId === undefined) expect(job.id).toMatch(ULID);
    expect(await queue.remove(job.id)).toBe(1);
    expect(await queue.remove(job.id)).toBe(0);
    expect((await redis.keys()).filter((key) => !key.includes(':wake:'))).toEqual([]);
  });

  test.each([
    ['an id of its own', undefined],
    ['an id of the caller’s', 'order-1'],
  ])('cancels a job with %s that waits for a retry', async (_, jobId) => {
    const queue = redis.queue();
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { retry: { initialBackoffMs: 60_000, maxBackoffMs: 60_000 } },
    );
    const failed = next(worker, 'failed');
    const job = await queue.add('a', 1, jobId === undefined ? {} : { jobId });
    await failed;
    expect(await queue.remove(job.id)).toBe(1);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    expect(await redis.client.exists(KEYS.dedup(job.id), KEYS.delayedIndex(job.id))).toBe(0);
  });

  test('finds a job among thousands', async () => {
    const queue = redis.queue();
    const jobs = await queue.addBulk(
      Array.from({ length: 3_000 }, (_, data) => ({
        name: `name-${data % 5}`,
        data,
        opts: { delay: 60_000 },
      })),
    );
    expect(await queue.remove(jobs[1_234]!.id)).toBe(1);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(2_999);
  });

  test('is 0 for a job that runs, has ended or never existed', async () => {
    const queue = redis.queue();
    const added = await queue.add('a', 1, { jobId: 'order-1' });
    expect(await queue.remove('never')).toBe(0);
    const worker = redis.worker(async (job) => queue.remove(job.id), { storeResults: true });
    await next(worker, 'completed');
    expect(await queue.getJobResult(added.id)).toBe(0);
    expect(await queue.remove(added.id)).toBe(0);
  });

  test('and promotion exclude each other', async () => {
    const queue = redis.queue();
    const ran = new Set<string>();
    const worker = redis.worker((job) => void ran.add(job.id));
    await next(worker, 'ready');
    const jobs = await queue.addBulk(
      Array.from({ length: 200 }, (_, data) => ({
        name: 'a',
        data,
        opts: { delay: 1 + (data % 20), ...(data % 2 ? { jobId: `id-${data}` } : {}) },
      })),
    );
    const cancelled = new Set<string>();
    await Promise.all(
      jobs.map(async ({ id }) => ((await queue.remove(id)) === 1 ? cancelled.add(id) : undefined)),
    );
    await expect.poll(() => ran.size + cancelled.size, { timeout: 5_000 }).toBe(200);
    expect([...cancelled].filter((id) => ran.has(id))).toEqual([]);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
  });
});

describe('maxDelaySecs', () => {
  test('bounds the delay', async () => {
    const queue = redis.queue({ maxDelaySecs: 60 });
    await queue.add('a', 1, { delay: 60_000 });
    expect(await rejection(queue.add('a', 1, { delay: 60_001 }))).toMatchObject({ code: 'CMQ-004' });
  });
});
