import { afterEach, expect, it } from 'vitest';
import { ConfigError, Queue, QueueEvents, Worker } from '../../lib/engine/index.js';
import type { QueueOptions, WorkerOptions } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const opened: { close: () => Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

/** The first is the shortest that setTimeout cannot take, the second more than 2^32. */
const LONG = [2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER];

function queueOf(options: Partial<QueueOptions> = {}): Queue {
  const queue = new Queue('long', { connection: redis.connection, ...options });
  opened.push(queue);
  return queue;
}

function workerOf(
  options: Partial<WorkerOptions> = {},
  handler = async (): Promise<unknown> => 'done',
): Worker {
  const worker = new Worker('long', handler, {
    connection: redis.connection,
    storeResults: true,
    ...options,
  });
  opened.push(worker);
  return worker;
}

/** All that a worker and a queue time out by. */
const limits = (ms: number): { queue: Partial<QueueOptions>; worker: Partial<WorkerOptions> } => ({
  queue: { connectTimeoutMs: ms, commandTimeoutMs: ms },
  worker: { connectTimeoutMs: ms, commandTimeoutMs: ms, blockMs: ms, shutdownDeadlineSecs: ms },
});

it.each([...LONG, Infinity])('limits of %s ms do not end what they limit', async (ms) => {
  const { queue: queueOptions, worker: workerOptions } = limits(ms);
  const queue = queueOf(queueOptions);
  const job = await queue.add('a', {});
  const errors: unknown[] = [];
  let finish = (): void => {};
  let started = (): void => {};
  const running = new Promise<void>((resolve) => (started = resolve));
  const worker = workerOf(workerOptions, async () => {
    started();
    await new Promise<void>((resolve) => (finish = resolve));
    return 'done';
  });
  worker.on('error', (error) => errors.push(error));
  await running;
  const result = job.waitForResult({ timeoutMs: ms });
  const closed = worker.close();
  // The worker waits for the handler: a deadline of 1 ms would have given the job back.
  await new Promise((resolve) => setTimeout(resolve, 50));
  finish();
  await closed;
  expect(await result).toBe('done');
  expect(errors).toEqual([]);
});

it.each(LONG)('times of %s ms that Redis is told are told as they are, or refused', async (ms) => {
  const whole = Math.min(ms, 2 ** 52);
  const worker = workerOf({
    claimMinIdleMs: whole,
    resultTtlMs: whole,
    delayedPollIntervalMs: whole,
    delayedLockTtlSecs: Math.floor(whole / 1000),
    scheduler: { tickIntervalMs: whole, lockTtlSecs: Math.floor(whole / 1000) },
    retry: { maxBackoffMs: whole },
  });
  const errors: unknown[] = [];
  worker.on('error', (error) => errors.push(error));
  const queue = queueOf();
  const job = await queue.add('a', {}, { jobId: 'mine', dedupTtlMs: whole });
  expect(await job.waitForResult({ timeoutMs: 5_000 })).toBe('done');
  await queue.add('a', {}, { repeat: { every: whole } });
  expect(errors).toEqual([]);
});

it('a fraction of a second that is no whole number of ms is rounded', async () => {
  const worker = workerOf({ resultTtlSecs: 1.001, delayedLockTtlSecs: 0.0503 });
  const errors: unknown[] = [];
  worker.on('error', (error) => errors.push(error));
  const queue = queueOf();
  const job = await queue.add('a', {});
  expect(await job.waitForResult({ timeoutMs: 5_000 })).toBe('done');
  const delayed = await queue.add('a', {}, { delay: 10 });
  expect(await delayed.waitForResult({ timeoutMs: 5_000 })).toBe('done');
  expect(errors).toEqual([]);
});

it('a backoff of a month is planned, and does not run at once', async () => {
  const queue = queueOf();
  const failing = workerOf({}, async () => {
    throw new Error('not now');
  });
  const ran: number[] = [];
  const failed = new Promise<void>((resolve) => {
    failing.on('failed', (job) => {
      ran.push(job?.attemptsMade ?? 0);
      resolve();
    });
  });
  await queue.add('a', {}, { attempts: 3, backoff: { type: 'fixed', delay: 30 * 86_400_000 } });
  await failed;
  await expect.poll(() => queue.getBacklog()).toMatchObject({ delayed: 1, due: 0, active: 0 });
  expect(ran.length).toBe(1);
});

it.each([
  ['claimMinIdleMs', Infinity],
  ['resultTtlSecs', Infinity],
  ['resultTtlSecs', 1e300],
  ['delayedLockTtlSecs', 1e30],
  ['ackIdleMs', Infinity],
  ['commandTimeoutMs', NaN],
  ['shutdownDeadlineSecs', NaN],
  ['shutdownDeadlineSecs', -1],
  ['blockMs', 1e300 + 0.5],
])('a worker refuses %s: %s', (option, value) => {
  expect(() => workerOf({ [option]: value })).toThrow(ConfigError);
});

it('ioredis is given no time that it would make 1 ms of', async () => {
  const connection = {
    ...redis.connection,
    connectTimeout: Infinity,
    commandTimeout: 2 ** 31,
    retryStrategy: () => 2 ** 40,
  };
  const queue = queueOf({ connection });
  const events = new QueueEvents('long', { connection, blockingTimeout: 2 ** 40 });
  opened.push(events);
  const heard = new Promise((resolve) => events.on('completed', resolve));
  await events.waitUntilReady();
  const job = await queue.add('a', {});
  workerOf({ connection });
  expect(await job.waitForResult({ timeoutMs: 5_000 })).toBe('done');
  await heard;
});
