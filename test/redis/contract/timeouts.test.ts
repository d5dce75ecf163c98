import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { JobCancelledError, JobTimeoutError, LeaseLostError } from '../../../lib/engine/index.js';
import type { Clock, Job, JobsOptions, Processor, WorkerOptions } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, take, useKit } from './kit.js';

const kit = useKit();

/** A handler that never ends by itself, and does not look at its signal. */
const hang: Processor = () => new Promise(() => undefined);

/** Keeps the process busy, as a handler with too much to compute does. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const isTimeout = (error: unknown, ms: number): void => {
  expect(error).toBeInstanceOf(JobTimeoutError);
  expect(error).toMatchObject({ code: 'CMQ-014', timeoutMs: ms });
};

describe('a run that takes longer than its timeoutMs', () => {
  test('fails, and its signal is aborted with the same error', async () => {
    let reason: unknown;
    const worker = kit.worker((_, signal) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      return hang(undefined as never, signal);
    });
    const failed = next(worker, 'failed');
    const job = await kit.queue().add('a', 1, { timeoutMs: 30, attempts: 1 });
    const [ended, error] = await failed;
    isTimeout(error, 30);
    expect(reason).toBe(error);
    expect((error as JobTimeoutError).jobId).toBe(job.id);
    expect(error.message).toBe(
      `Job ${job.id} of queue "mail" ran longer than its timeoutMs of 30 ms. What its handler does from now on does not count.`,
    );
    expect(ended).toMatchObject({ deadLetterReason: 'retries_exhausted', failedReason: error.message });
  });

  test('frees its handler at once, while the old one still runs', async () => {
    const started: string[] = [];
    const worker = kit.worker(
      (job) => {
        started.push(job.name);
        return job.name === 'slow' ? hang(job, job.signal) : undefined;
      },
      { concurrency: 1 },
    );
    const completed = next(worker, 'completed');
    const queue = kit.queue();
    await queue.add('slow', 1, { timeoutMs: 20, attempts: 1 });
    await queue.add('quick', 2);
    await completed;
    expect(started).toEqual(['slow', 'quick']);
    await eventually(() => expect(worker.health().running).toBe(0));
  });

  test('is retried until its attempts are used, and the dead letter says why', async () => {
    const attempts: number[] = [];
    const worker = kit.worker((job) => {
      attempts.push(job.attemptsMade);
      return hang(job, job.signal);
    });
    const events = await kit.events();
    const letters = take(events, 'dlq', 1);
    const failures = take(events, 'failed', 3);
    await kit.queue().add('a', 1, { timeoutMs: 15, attempts: 3 });
    expect((await letters)[0]).toMatchObject({ reason: 'retries_exhausted', attempt: 3 });
    for (const failure of await failures)
      expect(failure).toMatchObject({
        failedReason: expect.stringContaining('timeoutMs of 15 ms') as string,
      });
    expect(attempts).toEqual([1, 2, 3]);
    const [letter] = await kit.queue().peekDlq(10);
    expect(letter).toMatchObject({
      attempts: 3,
      detail: expect.stringContaining('timeoutMs of 15 ms') as string,
    });
    expect(letter?.stack).toContain('JobTimeoutError');
    await worker.close();
  });

  test.each<[string, (job: Job) => unknown]>([
    ['returns later', () => delay(60)],
    ['throws later', () => delay(60).then(() => Promise.reject(new Error('late')))],
    ['throws because of its signal', (job) => delay(10_000, undefined, { signal: job.signal })],
    [
      'discards, moves and throws later',
      async (job) => {
        await delay(60);
        expect(() => job.discard()).toThrow(/is (active|delayed|failed)/);
        await job.moveToDelayed(Date.now());
      },
    ],
  ])('does not count what a handler does that %s', async (_, late) => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    const settled = new Latch();
    let runs = 0;
    const worker = kit.worker(async (job) => {
      if (++runs > 1) return 'second';
      try {
        return await late(job);
      } finally {
        settled.open();
      }
    });
    const failed = take(worker, 'failed', 1);
    const completed = take(worker, 'completed', 1);
    await kit.queue().add('a', 1, { timeoutMs: 20 });
    expect((await failed)[0]?.id).toBe((await completed)[0]?.id);
    await settled.opened;
    await delay(5);
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
    expect(runs).toBe(2);
    expect(await kit.client.xlen(KEYS.stream)).toBe(0);
    expect(await kit.client.zcard(KEYS.delayed)).toBe(0);
    expect(worker.health()).toMatchObject({ running: 0 });
  });

  test.each<[string, Processor]>([
    ['and is synchronous', () => block(40)],
    ['and blocks the process after a while', () => delay(1).then(() => block(40))],
    [
      'and fails in the end',
      async () => {
        await delay(1);
        block(40);
        throw new RangeError('mine');
      },
    ],
  ])('fails where its handler keeps the process busy %s', async (what, handler) => {
    const worker = kit.worker(handler);
    const failed = next(worker, 'failed');
    await kit.queue().add('a', 1, { timeoutMs: 20, attempts: 1 });
    const [, error] = await failed;
    isTimeout(error, 20);
    expect(error.cause instanceof RangeError).toBe(what.includes('fails'));
  });

  test('counts by the monotonic clock: a handler that settles exactly at the limit is late', async () => {
    // A clock that stands still, unless a handler moves it.
    let now = 1_000;
    const clock: Clock = { now: () => Date.now(), monotonic: () => now };
    const table: Record<string, number> = { '-1': 99, '-0.001': 99.999, '0': 100, '+1': 101, '+0': 0 };
    const seen: Record<string, boolean> = {};
    const worker = kit.worker(
      (job) => {
        now += table[job.name]!;
      },
      { clock, concurrency: 1 },
    );
    worker.on('completed', ({ name }) => (seen[name] = true));
    worker.on('failed', ({ name }, error) => {
      isTimeout(error, 100);
      seen[name] = false;
    });
    const queue = kit.queue();
    for (const name of Object.keys(table)) await queue.add(name, 1, { timeoutMs: 100, attempts: 1 });
    await eventually(() => expect(Object.keys(seen)).toHaveLength(5));
    expect(seen).toEqual({ '-1': true, '-0.001': true, '0': false, '+1': false, '+0': true });
  });

  test('that its backoff strategy outlasts does not fail twice', async () => {
    const worker = kit.worker(
      (job) => {
        if (job.attemptsMade === 1) throw new Error('mine');
      },
      { backoffStrategies: { slow: () => delay(80, 0) } },
    );
    const failures: string[] = [];
    worker.on('failed', (_, error) => failures.push(error.message));
    const completed = next(worker, 'completed');
    await kit.queue().add('a', 1, { timeoutMs: 20, backoff: { type: 'slow' } });
    await completed;
    expect(failures).toEqual(['mine']);
  });

  test('and whose backoff strategy is asynchronous is retried once', async () => {
    const errors: unknown[] = [];
    const worker = kit.worker((job) => (job.attemptsMade === 1 ? hang(job, job.signal) : undefined), {
      backoffStrategies: {
        slow: (_, error) => {
          errors.push(error);
          return delay(40, 0);
        },
      },
    });
    const completed = take(worker, 'completed', 1);
    await kit.queue().add('a', 1, { timeoutMs: 20, backoff: { type: 'slow' } });
    await completed;
    expect(errors).toHaveLength(1);
    isTimeout(errors[0], 20);
  });

  test('and was cancelled before ends as cancelled, even if the handler hangs', async () => {
    const reasons: unknown[] = [];
    const worker = kit.worker((job) => {
      job.signal.addEventListener('abort', () => reasons.push(job.signal.reason));
      return hang(job, job.signal);
    });
    const queue = kit.queue();
    const active = next(worker, 'active');
    const failed = next(worker, 'failed');
    const job = await queue.add('a', 1, { timeoutMs: 200 });
    await active;
    expect(await queue.cancel(job.id)).toBe('signalled');
    const [, error] = await failed;
    expect(error).toBeInstanceOf(JobCancelledError);
    isTimeout(error.cause, 200);
    expect(reasons).toEqual([error]);
    expect(await kit.client.exists(KEYS.stream, KEYS.delayed, KEYS.dlq)).toBe(1);
    expect(await kit.client.xlen(KEYS.stream)).toBe(0);
  });

  test('and has lost its lease frees its handler, and reports no second failure', async () => {
    const worker = kit.worker(hang, { claimMinIdleMs: 60, concurrency: 1 });
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => failures.push(error));
    const active = next(worker, 'active');
    await kit.queue().add('a', 1, { timeoutMs: 300 });
    await active;
    const lost = next(worker, 'error');
    const [[entry]] = (await kit.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    await kit.client.xclaim(KEYS.stream, 'default', 'thief;lease=60000', 0, entry);
    expect((await lost)[0]).toBeInstanceOf(LeaseLostError);
    kit.errors.length = 0;
    expect(worker.health().running).toBe(1);
    await eventually(() => expect(worker.health().running).toBe(0));
    expect(failures).toEqual([]);
    expect(await kit.client.xlen(KEYS.stream)).toBe(1);
  });

  test('ends while its worker closes: the job is retried, and the worker does not wait for the handler', async () => {
    const worker = kit.worker(hang, { shutdownDeadlineSecs: 30 });
    const active = next(worker, 'active');
    const failed = next(worker, 'failed');
    await kit.queue().add('a', 1, { timeoutMs: 100 });
    await active;
    const closed = worker.close();
    const [, error] = await failed;
    isTimeout(error, 100);
    await closed;
    expect(await kit.client.zcard(KEYS.delayed)).toBe(1);
  });

  test('after its worker has closed, nothing happens', async () => {
    const worker = kit.worker(hang);
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => failures.push(error));
    const active = next(worker, 'active');
    await kit.queue().add('a', 1, { timeoutMs: 50 });
    await active;
    await worker.close(true);
    await delay(100);
    expect(failures).toEqual([]);
    expect(await kit.client.xlen(KEYS.stream)).toBe(1);
  });
});

describe('timeoutMs', () => {
  test.each<[string, JobsOptions, Partial<WorkerOptions>, number]>([
    ['the job', { timeoutMs: 20 }, { timeoutMs: 60_000, limitsOf: () => ({ timeoutMs: 60_000 }) }, 20],
    ['the name', {}, { timeoutMs: 60_000, limitsOf: () => ({ timeoutMs: 21 }) }, 21],
    ['the worker', {}, { timeoutMs: 22, limitsOf: () => ({}) }, 22],
    ['the worker, for an unknown name', {}, { timeoutMs: 23, limitsOf: () => undefined }, 23],
  ])('comes from %s', async (_, options, settings, expected) => {
    const worker = kit.worker(hang, settings);
    const failed = next(worker, 'failed');
    await kit.queue().add('a', 1, { ...options, attempts: 1 });
    isTimeout((await failed)[1], expected);
  });

  test.each<[string, JobsOptions, Partial<WorkerOptions>]>([
    ['Infinity on the job', { timeoutMs: Infinity }, { timeoutMs: 10 }],
    ['Infinity for the name', {}, { timeoutMs: 10, limitsOf: () => ({ timeoutMs: Infinity }) }],
    ['a time above 2^31 on the job', { timeoutMs: 2 ** 31 + 5 }, { timeoutMs: 10 }],
    ['a time above 2^32 on the worker', {}, { timeoutMs: 2 ** 40 }],
    ['nothing', {}, {}],
  ])('does not end a run with %s', async (_, options, settings) => {
    const worker = kit.worker(() => delay(40, 'done'), settings);
    const completed = next(worker, 'completed');
    await kit.queue().add('a', 1, { ...options, attempts: 1 });
    await completed;
  });

  test.each([0, -1, NaN, '5', null, 1.5])('cannot be %s for a worker', (timeoutMs) => {
    expect(() => kit.worker(hang, { timeoutMs } as never)).toThrow(
      'Worker "mail": option "timeoutMs" must be a whole number of at least 1, or Infinity',
    );
  });

  test.each<[string, unknown]>([
    [
      'throws',
      () => {
        throw new Error('x');
      },
    ],
    ['returns a number', () => 5],
    ['returns a promise', () => Promise.resolve({ timeoutMs: 5 })],
    ['returns a negative time', () => ({ timeoutMs: -5 })],
    ['returns NaN', () => ({ ttlMs: NaN })],
    ['returns another action', () => ({ expired: 'explode' })],
  ])("is the worker's where limitsOf %s, and the worker reports it", async (what, limitsOf) => {
    const worker = kit.worker(hang, { timeoutMs: 20, limitsOf } as never);
    const failed = next(worker, 'failed');
    await kit.queue().add('a', 1, { attempts: 1 });
    isTimeout((await failed)[1], 20);
    expect(kit.errors).toHaveLength(1);
    if (what !== 'throws') expect(kit.errors[0]).toMatchObject({ code: 'CMQ-004' });
    kit.errors.length = 0;
  });
});
