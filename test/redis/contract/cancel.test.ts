import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { JobCancelledError, Promoter } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { KEYS, Latch, NAME, addDeadLetter, eventually, next, take, useKit } from './kit.js';

const redis = useKit();

const ids = [
  ['an id of its own', undefined],
  ['an id of the caller’s', 'order-1'],
] as const;

const withId = (jobId: string | undefined): { jobId?: string } => (jobId === undefined ? {} : { jobId });

/** Resolves when the signal is aborted. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** Rejects when the signal is aborted, as handlers should. */
async function untilAborted(job: Job): Promise<never> {
  const { signal } = job;
  await aborted(signal);
  throw signal.reason;
}

/** Keys that a cancelled job must not leave: all except those of the queue itself and the reason of its end. */
async function leftovers(): Promise<string[]> {
  const rest = (await redis.keys()).filter((key) => !/:(wake:|events$|stream$|failed:)|lock$/.test(key));
  if ((await redis.client.xlen(KEYS.stream)) > 0) rest.push('an entry in the stream');
  return rest;
}

describe('remove', () => {
  test.each(ids)(
    'removes a job with %s from the work stream, and leaves nothing behind',
    async (_, jobId) => {
      const queue = redis.queue();
      const before = await queue.add('a', 'before');
      const job = await queue.add('a', 'removed', withId(jobId));
      const after = await queue.add('a', 'after');
      expect(await queue.remove(job.id)).toBe(1);
      expect(await queue.remove(job.id)).toBe(0);
      const worker = redis.worker((ran) => ran.data);
      const done = await take(worker, 'completed', 2);
      expect(done.map(({ id }) => id)).toEqual([before.id, after.id]);
      expect(await leftovers()).toEqual([]);
    },
  );

  test.each(ids)('removes a job with %s that was delayed and has been promoted', async (_, jobId) => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { delay: 1, ...withId(jobId) });
    const stop = new AbortController();
    const promoting = new Promoter({ ...redis.connection }, { queueName: NAME }).run(stop.signal);
    await eventually(async () => {
      expect(await redis.client.xlen(KEYS.stream)).toBe(1);
    });
    stop.abort();
    await promoting;
    expect(await queue.remove(job.id)).toBe(1);
    expect(await queue.remove(job.id)).toBe(0);
    expect(await leftovers()).toEqual([]);
  });

  test('removes replayed and released jobs by their markers', async () => {
    const queue = redis.queue();
    await addDeadLetter(redis, { jobId: 'replayed' });
    expect(await queue.replayDlq()).toBe(1);
    const latch = new Latch();
    const closing = redis.worker(() => latch.opened, { concurrency: 1, shutdownDeadlineSecs: 0 });
    const active = next(closing, 'active');
    await queue.add('a', 1, { jobId: 'released' });
    await active;
    await closing.close(true);
    latch.open();
    for (const id of ['replayed', 'released']) {
      const [, entry] = /^\d+:(\d+-\d+)$/.exec((await redis.client.get(KEYS.dedup(id))) ?? '') ?? [];
      expect(await redis.client.xrange(KEYS.stream, entry!, entry!), id).toHaveLength(1);
      expect(await queue.remove(id), id).toBe(1);
    }
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('finds a job among thousands, even if the clock of its producer is wrong', async () => {
    const queue = redis.queue();
    const jobs = await queue.addBulk(Array.from({ length: 3_500 }, (_, data) => ({ name: 'a', data })));
    expect(await queue.remove(jobs[2_345]!.id)).toBe(1);
    expect(await redis.client.xlen(KEYS.stream)).toBe(3_499);
    // Its ULID is of the year 2093.
    const early = '7'.padEnd(26, '0');
    await redis.client.xadd(KEYS.stream, '*', 'd', jobBytes(early));
    expect(await queue.remove(early)).toBe(1);
  });

  test('finds a job of a third-party producer, with a marker of its own or without one', async () => {
    const queue = redis.queue();
    await redis.client.set(KEYS.dedup('theirs'), '1', 'EX', 3_600);
    await redis.client.xadd(KEYS.stream, '*', 'd', jobBytes('theirs'), 'n', 'x');
    await redis.client.xadd(KEYS.stream, '*', 'trace', '1', 'd', jobBytes('bare'));
    expect(await queue.remove('theirs')).toBe(1);
    expect(await queue.remove('bare')).toBe(1);
    expect(await leftovers()).toEqual([]);
  });

  test('does not remove a job that is in flight, also in another group', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { jobId: 'order-1' });
    await redis.client.xgroup('CREATE', KEYS.stream, 'theirs', '0');
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'theirs', 'them', 'COUNT', 1, 'STREAMS', KEYS.stream, '>');
    expect(await queue.remove(job.id)).toBe(0);
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });

  test.each(ids)('and delivery exclude each other, with %s', async (_, jobId) => {
    const queue = redis.queue();
    const ran = new Set<string>();
    const workers = [1, 2].map(() => redis.worker((job) => void ran.add(job.id), { batch: 3 }));
    await Promise.all(workers.map((worker) => next(worker, 'ready')));
    const removed = new Set<string>();
    await Promise.all(
      Array.from({ length: 300 }, async (__, data) => {
        const job = await queue.add('a', data, jobId === undefined ? {} : { jobId: `${jobId}-${data}` });
        if ((await queue.remove(job.id)) === 1) removed.add(job.id);
      }),
    );
    await expect.poll(() => ran.size + removed.size, { timeout: 5_000 }).toBe(300);
    await expect.poll(() => redis.client.xlen(KEYS.stream), { timeout: 5_000 }).toBe(0);
    expect([...removed].filter((id) => ran.has(id))).toEqual([]);
  });
});

describe('cancel', () => {
  test.each(ids)('removes a job with %s that waits, is delayed, or waits for a retry', async (_, jobId) => {
    const queue = redis.queue();
    const waiting = await queue.add('a', 1, withId(jobId));
    expect(await queue.cancel(waiting.id)).toBe('removed');
    const delayed = await queue.add('a', 1, { delay: 60_000, ...withId(jobId) });
    expect(await queue.cancel(delayed.id)).toBe('removed');
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { retry: { initialBackoffMs: 60_000, maxBackoffMs: 60_000 } },
    );
    const failed = next(worker, 'failed');
    const failing = await queue.add('a', 1, withId(jobId));
    await failed;
    expect(await queue.cancel(failing.id)).toBe('removed');
    expect(await queue.cancel(failing.id)).toBe('gone');
    expect(await leftovers()).toEqual([]);
  });

  test.each(ids)(
    'ends a job with %s that runs: told by its signal, no retry, no dead letter',
    async (_, jobId) => {
      const queue = redis.queue();
      const events = await redis.events();
      const worker = redis.worker(untilAborted);
      const active = next(worker, 'active');
      const job = await queue.add('a', 1, { attempts: 5, ...withId(jobId) });
      await active;
      const failed = next(worker, 'failed');
      const told = next(events, 'failed');
      expect(await queue.cancel(job.id)).toBe('signalled');
      const [ended, error] = await failed;
      expect(ended).toMatchObject({ id: job.id, failedReason: 'cancelled', attemptsMade: 1 });
      expect(error).toBeInstanceOf(JobCancelledError);
      expect(error).toMatchObject({
        code: 'CMQ-012',
        message: `Job ${job.id} of queue "mail" was cancelled.`,
      });
      const [event] = await told;
      expect(event).toMatchObject({ jobId: job.id, failedReason: 'cancelled', cancelled: true, attempt: 1 });
      expect(event.durationUs).toBeGreaterThan(0);
      expect(await queue.cancel(job.id)).toBe('gone');
      expect(await queue.peekDlq()).toEqual([]);
      expect(await leftovers()).toEqual([]);
      await worker.close();
      expect((await queue.add('a', 1, { jobId: 'order-1' })).duplicate).toBe(false);
    },
  );

  test('reaches a worker that has no room for more jobs, at once', async () => {
    const queue = redis.queue();
    const worker = redis.worker(
      async (job) => {
        await aborted(job.signal);
      },
      { concurrency: 2, batch: 2 },
    );
    const running = take(worker, 'active', 2);
    const jobs = await queue.addBulk([1, 2].map((data) => ({ name: 'a', data })));
    await running;
    expect(worker.health().running).toBe(2);
    await eventually(() => {
      expect(worker.health().fullMs).toBeGreaterThan(150);
    });
    const done = next(worker, 'completed');
    const begun = performance.now();
    expect(await queue.cancel(jobs[1]!.id)).toBe('signalled');
    const [job] = await done;
    expect(job.id).toBe(jobs[1]!.id);
    expect(performance.now() - begun).toBeLessThan(1_000);
    // It reads again as soon as there is room, however long its reads block.
    const third = next(worker, 'active');
    await queue.add('a', 3);
    await third;
    for (const { id } of jobs) await queue.cancel(id);
    await worker.close(true);
  });

  test('a handler that completes anyway has completed', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(
      async (job) => {
        await aborted(job.signal);
        await latch.opened;
        return 'done before it mattered';
      },
      { storeResults: true },
    );
    const active = next(worker, 'active');
    const job = await queue.add('a', 1, { jobId: 'order-1' });
    await active;
    const completed = next(worker, 'completed');
    expect(await queue.cancel(job.id)).toBe('signalled');
    expect(await queue.cancel(job.id)).toBe('signalled');
    latch.open();
    await completed;
    expect(await queue.getJobResult(job.id)).toBe('done before it mattered');
    await eventually(async () => {
      expect((await redis.keys()).filter((key) => key.includes(':cancelled:'))).toEqual([]);
    });
  });

  test('the job ends as cancelled whatever its handler throws; the error is the cause', async () => {
    const queue = redis.queue();
    const worker = redis.worker(async (job) => {
      await aborted(job.signal);
      throw new TypeError('fetch failed');
    });
    const active = next(worker, 'active');
    const job = await queue.add('a', 1, { attempts: 1 });
    await active;
    const failed = next(worker, 'failed');
    await queue.cancel(job.id);
    const [, error] = await failed;
    expect(error).toMatchObject({ name: 'JobCancelledError', cause: { message: 'fetch failed' } });
    expect(await queue.peekDlq()).toEqual([]);
  });

  test('a handler that reads its signal only later finds it aborted', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    let reason: unknown;
    const worker = redis.worker(async (job) => {
      await latch.opened;
      reason = job.signal.reason;
    });
    const active = next(worker, 'active');
    const job = await queue.add('a', 1);
    await active;
    await queue.cancel(job.id);
    await eventually(async () => {
      // Heard, and cleared.
      expect(await redis.client.xlen(KEYS.workerWake(worker.id))).toBe(0);
    });
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(reason).toBeInstanceOf(JobCancelledError);
  });

  test('a job that was fetched but not started never starts, and ends while its worker is busy', async () => {
    const queue = redis.queue();
    const events = await redis.events();
    const latch = new Latch();
    const ran: unknown[] = [];
    const worker = redis.worker(
      async (job) => {
        ran.push(job.data);
        if (job.data === 'busy') await latch.opened;
      },
      { concurrency: 1 },
    );
    // It knows its handlers to be fast, and fetches ahead.
    const fast = take(worker, 'completed', 200);
    await queue.addBulk(Array.from({ length: 200 }, () => ({ name: 'a', data: 'fast' })));
    await fast;
    ran.length = 0;
    const jobs = await queue.addBulk(['busy', 'fetched', 'later'].map((data) => ({ name: 'a', data })));
    await eventually(async () => {
      const [pending] = (await redis.client.xpending(KEYS.stream, 'default')) as [number];
      expect([ran, pending]).toEqual([['busy'], 3]);
    });
    const told = next(events, 'failed');
    expect(await queue.cancel(jobs[1]!.id)).toBe('signalled');
    expect((await told)[0]).toMatchObject({ jobId: jobs[1]!.id, cancelled: true, attempt: 0, durationUs: 0 });
    const done = take(worker, 'completed', 2);
    latch.open();
    await done;
    expect(ran).toEqual(['busy', 'later']);
  });

  test('tells all result waiters, at once and afterwards', async () => {
    const queue = redis.queue();
    const worker = redis.worker(untilAborted);
    const active = next(worker, 'active');
    const job = await queue.add('a', 1);
    const result = job.waitForResult().catch((error: unknown) => error);
    await active;
    await queue.cancel(job.id);
    expect(await result).toMatchObject({
      code: 'CMQ-103',
      message: expect.stringContaining('cancelled') as string,
    });
    await expect(job.waitForResult()).rejects.toMatchObject({ code: 'CMQ-103' });
  });

  test('also without events', async () => {
    const queue = redis.queue({ eventsEnabled: false });
    const worker = redis.worker(untilAborted, { eventsEnabled: false });
    const active = next(worker, 'active');
    const job = await queue.add('a', 1);
    await active;
    const failed = next(worker, 'failed');
    expect(await queue.cancel(job.id)).toBe('signalled');
    await failed;
    expect(await redis.client.exists(KEYS.events)).toBe(0);
    await expect(job.waitForResult()).rejects.toMatchObject({ code: 'CMQ-103' });
  });
});

describe('a cancelled job does not run again', () => {
  /** A worker fetches the job and dies; then the job is cancelled. */
  async function fetchByDeadWorker(jobId: string): Promise<void> {
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'dead', 'COUNT', 1, 'STREAMS', KEYS.stream, '>');
    expect(await redis.queue().cancel(jobId)).toBe('signalled');
  }

  test('when its worker has died', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 'cancelled', { jobId: 'order-1' });
    await fetchByDeadWorker(job.id);
    let runs = 0;
    const worker = redis.worker(() => void (runs += 1), { claimMinIdleMs: 60 });
    const [ended] = await next(worker, 'failed');
    expect(ended).toMatchObject({ id: 'order-1', failedReason: 'cancelled' });
    expect(runs).toBe(0);
    expect(await leftovers()).toEqual([]);
  });

  test('when the reply that delivered it to its worker was lost', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 'cancelled', { jobId: 'order-1' });
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    let runs = 0;
    const worker = redis.worker(() => void (runs += 1), { autorun: false, claimMinIdleMs: 300 });
    await redis.client.xreadgroup('GROUP', 'default', worker.id, 'COUNT', 1, 'STREAMS', KEYS.stream, '>');
    await queue.cancel(job.id);
    const ready = next(worker, 'ready');
    void worker.run();
    await ready;
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const [ended] = await next(worker, 'failed');
    expect(ended).toMatchObject({ id: 'order-1', failedReason: 'cancelled' });
    expect(runs).toBe(0);
    redis.errors.length = 0;
  });

  test('when its handler runs longer than the grace time of a closing worker', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, { shutdownDeadlineSecs: 1 });
    const active = next(worker, 'active');
    const job = await queue.add('a', 1, { jobId: 'order-1' });
    await active;
    const closing = worker.close();
    expect(await queue.cancel(job.id)).toBe('signalled');
    await closing;
    latch.open();
    expect(await leftovers()).toEqual([]);
    expect(await queue.cancel(job.id)).toBe('gone');
  });

  test('when its handler fails before the cancellation reaches its worker', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(
      async () => {
        await latch.opened;
        throw new Error('of its own');
      },
      { blockMs: 60_000, retry: { initialBackoffMs: 60_000, maxBackoffMs: 60_000 } },
    );
    const active = next(worker, 'active');
    const job = await queue.add('a', 1, { jobId: 'order-1' });
    await active;
    // The mark without the word, as where both cross on the way.
    const [[entry]] = (await redis.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    await redis.client.set(KEYS.cancelled(entry), job.id);
    const failed = next(worker, 'failed');
    latch.open();
    const [ended] = await failed;
    expect(ended.failedReason).toBe('cancelled');
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    expect(await leftovers()).toEqual([]);
  });
});

describe('the wake stream of a worker', () => {
  test('exists while the worker runs, and not after it has closed', async () => {
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    expect(await redis.client.exists(KEYS.workerWake(worker.id))).toBe(1);
    await worker.close();
    expect(await redis.client.exists(KEYS.workerWake(worker.id))).toBe(0);
  });

  test('comes back with its group after a FLUSHALL, also while the worker is full', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker((job) => (job.data === 1 ? latch.opened : aborted(job.signal)), {
      concurrency: 1,
      batch: 1,
    });
    const active = next(worker, 'active');
    await queue.add('a', 1);
    await active;
    await eventually(() => {
      expect(worker.health().fullMs).toBeGreaterThan(150);
    });
    await redis.client.flushall();
    const lost = next(worker, 'error');
    latch.open();
    await lost;
    const again = next(worker, 'active');
    const job = await queue.add('a', 2);
    await again;
    const completed = next(worker, 'completed');
    expect(await queue.cancel(job.id)).toBe('signalled');
    await completed;
    redis.errors.length = 0;
  });

  test('is not created by a cancellation for a worker that has none', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1);
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'foreign', 'COUNT', 1, 'STREAMS', KEYS.stream, '>');
    expect(await queue.cancel(job.id)).toBe('signalled');
    expect(await redis.client.exists(KEYS.workerWake('foreign'))).toBe(0);
  });
});

/** A Job by hand: `{"to":"ada"}`, created at 1,700,000,000,000. */
function jobBytes(id: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x94, 0xa0 | id.length]),
    Buffer.from(id),
    Buffer.from('c40881a2746fa3616461cf0000018bcfe5680000', 'hex'),
  ]);
}
