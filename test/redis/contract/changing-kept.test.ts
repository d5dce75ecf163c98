import { describe, expect, test } from 'vitest';
import type { Job, JobsOptions } from '../../../lib/engine/index.js';
import { KEYS, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();
const HOUR = 3_600_000;

const ids = [
  ['an id of its own', {}],
  ['an id of the caller’s', { jobId: 'order 1\n', dedupTtlMs: 0 }],
  ['an id that stays taken', { jobId: 'order 2' }],
] as const;

/** Keys about jobs. */
const keys = async (): Promise<string[]> =>
  (await redis.keys()).filter((key) => !/:(wake:|events|stream$|failed:|dlq(:tracked)?$)|lock$/.test(key));

async function completed(options: JobsOptions, count = 1): Promise<Job[]> {
  const worker = redis.worker((job) => `done ${String(job.data)}`);
  const done = take(worker, 'completed', count);
  const queue = redis.queue({ trackJobs: true });
  const jobs = await queue.addBulk(
    Array.from({ length: count }, (_, data) => ({ name: 'a', data, opts: options })),
  );
  await done;
  await worker.close();
  return jobs;
}

describe.each(ids)('a kept job with %s', (_, withId) => {
  test('that has completed is removed, and only removed or retried', async () => {
    const events = await redis.events();
    const [job] = (await completed(withId)) as [Job];
    for (const change of [
      () => job.promote(),
      () => job.updateData(1),
      () => job.changeDelay(1),
      () => job.retry(),
    ]) {
      expect(await rejection(change())).toMatchObject({ code: 'CMQ-107', state: 'completed' });
    }
    const removed = next(events, 'removed');
    await job.remove();
    expect((await removed)[0]).toMatchObject({ jobId: job.id, name: 'a', prev: 'completed' });
    expect(await keys()).toEqual([]);
    expect(await rejection(job.remove())).toMatchObject({ code: 'CMQ-106' });
  });

  test('that has completed and is removed did run, says an error to those who wait for its result', async () => {
    const [job] = (await completed(withId)) as [Job];
    await redis.client.set(`${KEYS.prefix}waiters`, '1');
    await job.remove();
    expect(await rejection(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
  });

  test('that has completed runs again, and is kept again', async () => {
    const [job] = (await completed({ attempts: 5, ...withId })) as [Job];
    await job.retry('completed');
    expect(await redis.client.zcard(`${KEYS.prefix}completed`)).toBe(0);
    expect(await rejection(job.retry('completed'))).toMatchObject({ code: 'CMQ-107', state: 'waiting' });
    const [ran] = await next(
      redis.worker((running) => running.attemptsMade),
      'completed',
    );
    expect(ran).toMatchObject({
      id: job.id,
      name: 'a',
      data: 0,
      opts: { attempts: 5 },
      timestamp: job.timestamp,
    });
    expect(await redis.client.zrange(`${KEYS.prefix}completed`, '0', '-1')).toEqual([job.id]);
  });

  test('that has failed is found without a search, changed, retried and removed', async () => {
    const worker = redis.worker(
      (job) => {
        throw new Error(String(job.data));
      },
      { maxAttempts: 1 },
    );
    const queue = redis.queue({ trackJobs: true });
    let failed = next(worker, 'failed');
    const job = await queue.add('a', 'first', withId);
    await failed;
    await job.updateData('second');
    failed = next(worker, 'failed');
    await job.retry();
    expect((await failed)[1].message).toBe('second');
    await worker.close();
    expect(await rejection(job.retry('completed'))).toMatchObject({
      code: 'CMQ-107',
      state: 'failed',
      message: expect.stringContaining('You asked for a job that has completed and is kept.') as string,
    });
    await job.updateData('third');
    const [letter] = await queue.peekDlq();
    expect(await redis.client.get(`${KEYS.prefix}job:${job.id}`)).toBe(`f${letter!.dlqId}`);
    expect(await queue.remove(job.id)).toBe(1);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
    expect(await keys()).toEqual([]);
  });

  test('leaves nothing when it is removed while it waits for its retry', async () => {
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { retry: { initialBackoffMs: HOUR, maxBackoffMs: HOUR } },
    );
    const failed = next(worker, 'failed');
    const job = await redis.queue({ trackJobs: true }).add('a', 1, withId);
    await failed;
    await worker.close();
    expect((await keys()).some((key) => key.includes(':job-runs:'))).toBe(true);
    await job.remove();
    expect(await keys()).toEqual([]);
  });
});

test('clean removes completed jobs by age, oldest first; drain and obliterate spare and delete them', async () => {
  const jobs = await completed({}, 1_100);
  const queue = redis.queue();
  expect(await queue.clean(HOUR, 0, 'completed')).toEqual([]);
  const oldest = jobs.slice(0, 5);
  for (const [i, { id }] of oldest.entries()) await redis.client.zadd(`${KEYS.prefix}completed`, i, id);
  expect(await queue.clean(HOUR, 3)).toEqual(oldest.slice(0, 3).map(({ id }) => id));
  expect(await queue.clean(HOUR, 0)).toEqual(oldest.slice(3).map(({ id }) => id));
  await queue.drain(true);
  const progress: unknown[] = [];
  expect(await queue.clean(0, 1_000, 'completed', { onProgress: (at) => progress.push(at) })).toHaveLength(
    1_000,
  );
  expect(progress).toEqual([250, 500, 750, 1_000].map((done) => ({ done, total: 1_000 })));
  expect(await redis.client.zcard(`${KEYS.prefix}completed`)).toBe(95);
  await queue.obliterate();
  expect(await keys()).toEqual([]);
});

test('drain and clean leave nothing of tracked jobs that wait or are delayed', async () => {
  const queue = redis.queue({ trackJobs: true });
  for (const opts of [{}, { delay: HOUR }, { jobId: 'x' }, { jobId: 'y', delay: HOUR }])
    await queue.add('a', 1, opts);
  expect(await queue.clean(0, 1, 'wait')).toHaveLength(1);
  expect(await queue.clean(0, 1, 'delayed')).toHaveLength(1);
  await queue.drain(true);
  expect(await keys()).toEqual([]);
});

test('retryJobs runs completed jobs again, in the order of their ends, and only those that had ended by then', async () => {
  const jobs = await completed({}, 700);
  const queue = redis.queue();
  await queue.retryJobs({ state: 'completed', timestamp: Date.now() - HOUR });
  expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  // A record that is gone, or somebody else's, does not stop the others.
  await redis.client.zadd(`${KEYS.prefix}completed`, 1, 'ghost', 2, 'foreign');
  await redis.client.set(`${KEYS.prefix}job:foreign`, 'c');
  const progress: number[] = [];
  await queue.retryJobs({ state: 'completed', count: 300, onProgress: ({ done }) => progress.push(done) });
  expect(progress.at(-1)).toBe(700);
  expect(await redis.client.zcard(`${KEYS.prefix}completed`)).toBe(0);
  const worker = redis.worker(() => 1, { concurrency: 1 });
  const again = await take(worker, 'completed', 700);
  expect(again.map(({ id }) => id).sort()).toEqual(jobs.map(({ id }) => id).sort());
  await eventually(async () => {
    expect(await redis.client.zcard(`${KEYS.prefix}completed`)).toBe(700);
  });
});
