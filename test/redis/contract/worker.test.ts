import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { LeaseLostError, ShutdownError, Worker } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { KEYS, Latch, NAME, next, take, useKit } from './kit.js';

const redis = useKit();

const list = (count: number): { name: string; data: number }[] =>
  Array.from({ length: count }, (_, data) => ({ name: 'a', data }));

async function pending(): Promise<number> {
  return ((await redis.client.xpending(KEYS.stream, 'default')) as [number])[0];
}

describe('life', () => {
  test('starts by itself, says ready, active, completed, closing and closed, in this order', async () => {
    const told: unknown[] = [];
    const worker = redis.worker(() => 'result');
    expect([worker.isRunning(), worker.isClosed, worker.isPaused()]).toEqual([false, false, false]);
    worker.on('ready', () => told.push('ready'));
    worker.on('active', (job, prev) => told.push(['active', job.id, job.attemptsMade, prev]));
    worker.on('completed', (job, result, prev) =>
      told.push(['completed', job.id, result, job.returnvalue, prev]),
    );
    worker.on('closing', (message) => told.push(['closing', message]));
    worker.on('closed', () => told.push('closed'));
    const completed = next(worker, 'completed');
    const { id } = await redis.queue().add('a', 1);
    await completed;
    expect(worker.isRunning()).toBe(true);
    await worker.close();
    expect([worker.isRunning(), worker.isClosed]).toEqual([false, true]);
    expect(told).toEqual([
      'ready',
      ['active', id, 1, ''],
      ['completed', id, 'result', 'result', ''],
      ['closing', 'waiting for running jobs'],
      'closed',
    ]);
  });

  test('says failed after the retry or the dead letter is committed', async () => {
    const depths: unknown[] = [];
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 2, retry: { initialBackoffMs: 30, jitterMs: 0 } },
    );
    worker.on('failed', (job, error, prev) => {
      depths.push([job.attemptsMade, error.message, job.failedReason, prev]);
    });
    const first = next(worker, 'failed').then(() => redis.client.zcard(KEYS.delayed));
    const both = take(worker, 'failed', 2).then(() => redis.client.xlen(KEYS.dlq));
    await redis.queue().add('a', 1);
    expect([await first, await both]).toEqual([1, 1]);
    expect(depths).toEqual([
      [1, 'x', 'x', ''],
      [2, 'x', 'x', ''],
    ]);
  });

  test('with autorun off waits for run(), which resolves when it is closed', async () => {
    const worker = redis.worker(() => undefined, { autorun: false });
    await redis.queue().add('a', 1);
    expect(worker.isRunning()).toBe(false);
    const completed = next(worker, 'completed');
    const running = worker.run();
    expect(worker.run()).toBe(running);
    await completed;
    await worker.close();
    await running;
  });

  test('waitUntilReady waits for the start, also in the tick in which the worker was made', async () => {
    const worker = redis.worker(() => undefined, { limiter: { max: 5, duration: 600 } });
    await worker.waitUntilReady();
    expect(worker.isRunning()).toBe(true);
    expect(await redis.client.hget(KEYS.meta, 'max')).toBe('5');
    expect(await redis.client.xinfo('CONSUMERS', KEYS.stream, 'default')).toHaveLength(1);
  });

  test('closed before it has started, and while it starts', async () => {
    for (let round = 0; round < 12; round++) {
      const worker = redis.worker(() => undefined);
      if (round % 4 === 1) await Promise.resolve();
      if (round % 4 === 2) await new Promise((resolve) => setImmediate(resolve));
      if (round % 4 === 3) await delay(round / 4);
      const closing = worker.close();
      expect(worker.close()).toBe(closing);
      await closing;
      await worker.run();
    }
  });

  test('await using closes it', async () => {
    let kept: Worker;
    {
      await using worker = new Worker(NAME, () => undefined, { connection: redis.connection });
      await next(worker, 'ready');
      kept = worker;
    }
    expect(kept.isClosed).toBe(true);
  });

  test('leaves no consumer behind, and no connection', async () => {
    const worker = redis.worker(() => undefined, { name: 'mine' });
    const done = next(worker, 'completed');
    await redis.queue().add('a', 1, { delay: 1 });
    await done;
    expect(worker.id).toMatch(/^mine-[0-9a-f-]{36};lease=30000$/);
    expect(JSON.stringify(await redis.client.xinfo('CONSUMERS', KEYS.stream, 'default'))).toContain('mine');
    await worker.close();
    for (const stream of [KEYS.stream, KEYS.promoterWake, KEYS.schedulerWake]) {
      expect(await redis.client.xinfo('CONSUMERS', stream, 'default'), stream).toEqual([]);
    }
  });

  test('two workers of one queue share the work, each job once', async () => {
    const ran: Job[] = [];
    const workers = [1, 2].map(() =>
      redis.worker((job) => delay(1).then(() => ran.push(job)), { concurrency: 5 }),
    );
    let completed = 0;
    const done = new Promise<void>((resolve) => {
      for (const worker of workers)
        worker.on('completed', () => (++completed === 200 ? resolve() : undefined));
    });
    await redis.queue().addBulk(list(200));
    await done;
    expect(new Set(ran.map(({ id }) => id)).size).toBe(200);
  });
});

describe('the processor', () => {
  test.each<[string, (job: Job) => unknown]>([
    ['async', async () => Promise.resolve(7)],
    ['not async', () => 7],
    ['a thenable', () => ({ then: (resolve: (value: number) => void) => resolve(7) })],
  ])('may be %s', async (_, processor) => {
    const worker = redis.worker(processor, { concurrency: 3 });
    const done = take(worker, 'completed', 20);
    await redis.queue().addBulk(list(20));
    for (const job of await done) expect(job.returnvalue).toBe(7);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('sees the job', async () => {
    const seen: Job[] = [];
    const worker = redis.worker((job) => void seen.push(job));
    const done = next(worker, 'completed');
    await redis.queue().add('send', { to: 'ada' }, { attempts: 5, timestamp: 1_234 });
    await done;
    expect(seen[0]).toMatchObject({
      name: 'send',
      data: { to: 'ada' },
      opts: { attempts: 5 },
      attemptsMade: 1,
      timestamp: 1_234,
      priority: 0,
      queueName: NAME,
      queue: undefined,
    });
    expect(seen[0]!.finishedOn).toBeGreaterThan(0);
  });

  test('that resolves and then throws, or settles twice, counts once', async () => {
    const twice = {
      then: (resolve: (value: number) => void, reject: (error: Error) => void) => {
        resolve(1);
        reject(new Error('x'));
        resolve(2);
      },
    };
    const worker = redis.worker(() => twice);
    const done = next(worker, 'completed');
    await redis.queue().add('a', 1);
    expect((await done)[1]).toBe(1);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
  });

  test('reports progress to the listeners', async () => {
    const worker = redis.worker(async (job) => {
      await job.updateProgress(50);
      await job.updateProgress({ step: 2 });
    });
    const told: unknown[] = [];
    worker.on('progress', (job, progress) => told.push([job.name, progress, job.progress]));
    const done = next(worker, 'completed');
    await redis.queue().add('a', 1);
    await done;
    expect(told).toEqual([
      ['a', 50, 50],
      ['a', { step: 2 }, { step: 2 }],
    ]);
  });

  test('listeners and sinks that throw harm nothing', async () => {
    const boom = (): never => {
      throw new Error('listener');
    };
    const worker = redis.worker(() => undefined, {
      concurrency: 2,
      metrics: { jobOutcome: boom, readerBatch: boom, promoterTick: boom, promoterLockOutcome: boom },
    });
    for (const event of ['ready', 'active', 'closing', 'closed'] as const) worker.on(event, boom);
    const done = take(worker, 'completed', 50);
    await redis.queue().addBulk(list(50));
    await done;
    await worker.close();
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    expect(redis.errors.length).toBeGreaterThan(0);
    expect(redis.errors.every(({ message }) => message.includes('listener'))).toBe(true);
    redis.errors.length = 0;
  });
});

describe('concurrency', () => {
  test.each([1, 3, 10])('of %i is reached, and never exceeded', async (concurrency) => {
    let running = 0;
    let most = 0;
    const worker = redis.worker(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await delay(1);
        running -= 1;
      },
      { concurrency },
    );
    const done = take(worker, 'completed', 60);
    await redis.queue().addBulk(list(60));
    await done;
    expect(most).toBe(concurrency);
  });

  test('bounds what is fetched: the rest stays for other workers', async () => {
    const latch = new Latch();
    const slow = redis.worker(() => latch.opened, { concurrency: 4 });
    const active = take(slow, 'active', 4);
    await redis.queue().addBulk(list(50));
    await active;
    expect(await pending()).toBe(4);
    let done = 0;
    const fast = redis.worker(() => (done += 1), { concurrency: 10 });
    await take(fast, 'completed', 46);
    expect(await pending()).toBe(4);
    latch.open();
    await take(slow, 'completed', 4);
  });

  test('slow handlers hold no more than can run soon', async () => {
    let most = 0;
    const worker = redis.worker(() => delay(30), { concurrency: 2 });
    const counting = (async () => {
      while (!worker.isClosed) {
        most = Math.max(most, await pending().catch(() => 0));
        await delay(1);
      }
    })();
    const done = take(worker, 'completed', 12);
    await redis.queue().addBulk(list(12));
    await done;
    await worker.close();
    await counting;
    expect(most).toBeGreaterThanOrEqual(2);
    expect(most).toBeLessThanOrEqual(4);
  });
});

describe('close', () => {
  test('lets running handlers end, gives back what has not started, with no attempt used', async () => {
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, { concurrency: 2 });
    const active = take(worker, 'active', 2);
    await redis.queue().addBulk(list(10));
    await active;
    const closing = worker.close();
    const completed = take(worker, 'completed', 2);
    latch.open();
    await completed;
    await closing;
    expect(await pending()).toBe(0);
    expect(await redis.client.xlen(KEYS.stream)).toBe(8);
    const attempts: number[] = [];
    const other = redis.worker((job) => void attempts.push(job.attemptsMade));
    await take(other, 'completed', 8);
    expect(attempts).toEqual(Array(8).fill(1));
  });

  test('handlers can still add jobs while it waits for them', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(async (job) => {
      await latch.opened;
      if (job.name === 'a') await queue.add('child', 1);
    });
    const active = next(worker, 'active');
    await queue.add('a', 1);
    await active;
    const closing = worker.close();
    latch.open();
    await closing;
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });

  test('has a deadline: what outlives it is told, and goes back with no attempt used', async () => {
    const reasons: unknown[] = [];
    const latch = new Latch();
    const worker = redis.worker(
      async (_job, signal) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        await latch.opened;
      },
      { shutdownDeadlineSecs: 0.05 },
    );
    const active = next(worker, 'active');
    await redis.queue().add('a', 1);
    await active;
    await worker.close();
    expect(reasons).toEqual([expect.any(ShutdownError)]);
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
    const other = redis.worker((job) => job.attemptsMade);
    expect((await next(other, 'completed'))[1]).toBe(1);
    latch.open();
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('by force does not wait', async () => {
    const worker = redis.worker(
      (job) =>
        new Promise((_, reject) =>
          job.signal.addEventListener('abort', () => reject(job.signal.reason as Error)),
        ),
    );
    const active = next(worker, 'active');
    await redis.queue().add('a', 1);
    await active;
    const begun = performance.now();
    await worker.close(true);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
  });
});

describe('leases', () => {
  test('a handler that runs for several leases runs once, because its worker is alive', async () => {
    let runs = 0;
    const leaseMs = 600;
    const work = async (): Promise<void> => {
      runs += 1;
      await delay(2.5 * leaseMs);
    };
    const options = { claimMinIdleMs: leaseMs };
    const workers = [redis.worker(work, options), redis.worker(work, options)];
    const done = Promise.race(workers.map((worker) => next(worker, 'completed')));
    await redis.queue().add('a', 1);
    await done;
    expect(runs).toBe(1);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('the job of a worker that died runs again elsewhere, with the attempt counted', async () => {
    await redis.queue().add('a', 1);
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'dead', 'COUNT', 10, 'STREAMS', KEYS.stream, '>');
    const worker = redis.worker((job) => job.attemptsMade, { claimMinIdleMs: 60 });
    expect((await next(worker, 'completed'))[1]).toBe(2);
    expect(await pending()).toBe(0);
  });

  test('a worker that has lost a lease reports it, and can no longer change the job', async () => {
    const latch = new Latch();
    let reason: unknown;
    const worker = redis.worker(
      async (_job, signal) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        });
        await latch.opened;
        throw new Error('too late');
      },
      { claimMinIdleMs: 900, concurrency: 1 },
    );
    const active = next(worker, 'active');
    await redis.queue().add('a', 1);
    await active;
    const [[entry]] = (await redis.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    const lost = next(worker, 'error');
    await redis.client.xclaim(KEYS.stream, 'default', 'thief', 0, entry, 'IDLE', 0);
    // The thief keeps it.
    const keep = setInterval(
      () => void redis.client.xclaim(KEYS.stream, 'default', 'thief', 0, entry, 'JUSTID'),
      100,
    );
    const [error] = await lost;
    expect(error).toBeInstanceOf(LeaseLostError);
    expect(reason).toBeInstanceOf(LeaseLostError);
    latch.open();
    await worker.close();
    clearInterval(keep);
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    expect(await pending()).toBe(1);
    redis.errors.length = 0;
  });

  test('a job that keeps killing its worker ends as exhausted, and says so', async () => {
    await redis.queue().add('poison', 1, { attempts: 2 });
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'dead', 'COUNT', 10, 'STREAMS', KEYS.stream, '>');
    const [[entry]] = (await redis.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    // As if it had killed two workers: two starts were counted.
    await redis.client.xclaim(KEYS.stream, 'default', 'dead', 0, entry, 'IDLE', 1_000, 'RETRYCOUNT', 2);
    let runs = 0;
    const worker = redis.worker(() => (runs += 1), { claimMinIdleMs: 60 });
    await next(worker, 'failed');
    expect(runs).toBe(0);
    expect(await redis.queue().peekDlq()).toMatchObject([
      {
        reason: 'retries_exhausted',
        detail: expect.stringMatching(
          /^The worker died 2 times .*, at least once while running it/,
        ) as string,
        attempts: 2,
      },
    ]);
  });

  test('an entry that vanished while it was pending is reported as an error', async () => {
    await redis.queue().add('a', 1);
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'dead', 'COUNT', 10, 'STREAMS', KEYS.stream, '>');
    const [[entry]] = (await redis.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    await redis.client.xdel(KEYS.stream, entry);
    const worker = redis.worker(() => undefined, { claimMinIdleMs: 60 });
    const [error] = await next(worker, 'error');
    expect(error).toMatchObject({ code: 'CMQ-009', message: expect.stringContaining(entry) as string });
    await worker.close();
    redis.errors.length = 0;
  });
});

describe('options', () => {
  test('group: another group sees every job too', async () => {
    const a = redis.worker(() => undefined, { group: 'audit', delayedEnabled: false });
    const done = next(a, 'completed');
    await redis.queue().add('a', 1);
    await done;
    expect(JSON.stringify(await redis.client.xinfo('GROUPS', KEYS.stream))).toContain('audit');
  });

  test('maxPayloadBytes: what is larger goes to the dead letters unseen', async () => {
    const worker = redis.worker(() => undefined, { maxPayloadBytes: 100 });
    await next(worker, 'ready');
    const events = await redis.events();
    const dead = next(events, 'dlq');
    await redis.queue().add('a', 'x'.repeat(200));
    expect((await dead)[0]).toMatchObject({ reason: 'oversize_payload' });
  });

  test('what is accepted for compatibility changes nothing', async () => {
    const worker = redis.worker(() => undefined, {
      removeOnComplete: true,
      removeOnFail: 5,
      prefix: 'bull',
      drainDelay: 100,
    });
    const done = next(worker, 'completed');
    await redis.queue({ prefix: 'bull' }).add('a', 1, { removeOnComplete: 5, removeOnFail: true });
    await done;
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });
});
