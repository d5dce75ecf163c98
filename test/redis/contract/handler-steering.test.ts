import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DelayedError, UnrecoverableError } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, rejection, take, useKit } from './kit.js';

const kit = useKit();

describe('job.discard', () => {
  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('x');
      },
    ],
    ['rejects later', () => delay(5).then(() => Promise.reject(new Error('x')))],
    ['returns an error', () => new Error('x')],
    ['takes too long', () => new Promise(() => undefined)],
  ])('makes a failure final: a handler that %s', async (_, end) => {
    const runs: number[] = [];
    const worker = kit.worker((job) => {
      runs.push(job.attemptsMade);
      job.discard();
      return end();
    });
    const failed = next(worker, 'failed');
    await kit.queue().add('a', 1, { attempts: 5, timeoutMs: 60 });
    expect((await failed)[0]).toMatchObject({ deadLetterReason: 'unrecoverable', attemptsMade: 1 });
    expect(runs).toEqual([1]);
    expect(await kit.queue().peekDlq(9)).toMatchObject([{ reason: 'unrecoverable', attempts: 1 }]);
  });

  test('asks no backoff strategy', async () => {
    let asked = 0;
    const worker = kit.worker(
      (job) => {
        job.discard();
        throw new Error('x');
      },
      { backoffStrategies: { mine: () => ++asked } },
    );
    const failed = next(worker, 'failed');
    await kit.queue().add('a', 1, { backoff: { type: 'mine' } });
    await failed;
    expect(asked).toBe(0);
  });

  test('does not matter to a job that completes', async () => {
    const worker = kit.worker((job) => {
      job.discard();
    });
    const completed = next(worker, 'completed');
    await kit.queue().add('a', 1);
    await completed;
  });

  test('is forgotten by a replay', async () => {
    let discards = true;
    const worker = kit.worker((job) => {
      if (discards) job.discard();
      throw new Error('x');
    });
    const dead = next(worker, 'deadLettered');
    const queue = kit.queue();
    await queue.add('a', 1, { attempts: 2 });
    await dead;
    discards = false;
    const failed = take(worker, 'failed', 2);
    await queue.replayDlq(1);
    const letter = next(worker, 'deadLettered');
    await failed;
    expect((await letter)[0].reason).toBe('retries_exhausted');
  });

  test('is refused for a job that does not run here', async () => {
    const queue = kit.queue();
    const job = await queue.add('a', 1);
    expect(() => job.discard()).toThrow(
      expect.objectContaining({ code: 'CMQ-107', name: 'JobStateError', state: 'unknown' }),
    );
    expect(() => job.discard()).toThrow(
      /^discard: job \S+ of queue "mail" does not run here\. Nothing was changed\. Call it in the processor/,
    );
    let ran: Job | undefined;
    const worker = kit.worker((running) => void (ran = running));
    await next(worker, 'completed');
    expect(() => ran?.discard()).toThrow(expect.objectContaining({ code: 'CMQ-107', state: 'completed' }));
    expect(await rejection(ran!.moveToDelayed(Date.now()))).toMatchObject({
      code: 'CMQ-107',
      state: 'completed',
    });
  });
});

describe('job.moveToDelayed in a handler', () => {
  test.each<[string, () => unknown]>([
    [
      'throws a DelayedError',
      () => {
        throw new DelayedError();
      },
    ],
    [
      'throws anything else',
      () => {
        throw new UnrecoverableError('x');
      },
    ],
    ['returns', () => 'done'],
    ['returns an error', () => new Error('x')],
    ['takes too long', () => new Promise(() => undefined)],
  ])('moves the job with no attempt used; then the handler %s', async (_, end) => {
    const events = await kit.events();
    const heard: string[] = [];
    for (const event of [
      'active',
      'failed',
      'retry-scheduled',
      'delayed',
      'waiting',
      'completed',
      'dlq',
    ] as const)
      events.on(event, () => heard.push(event));
    const runs: number[] = [];
    const worker = kit.worker(
      async (job) => {
        runs.push(job.attemptsMade);
        if (runs.length > 1) return;
        await job.moveToDelayed(Date.now() + 80, 'token');
        return await end();
      },
      { storeResults: true },
    );
    const failures: unknown[] = [];
    worker.on('failed', (_job, error) => failures.push(error));
    const completed = next(worker, 'completed');
    const [moved] = [next(events, 'delayed')];
    const before = performance.now();
    await kit.queue().add('a', { x: 1 }, { attempts: 1, jobId: 'mine', timeoutMs: 70 });
    expect((await moved)[0]).toMatchObject({ jobId: 'mine', name: 'a' });
    const [done] = await completed;
    expect(done).toMatchObject({ id: 'mine', data: { x: 1 }, attemptsMade: 1 });
    expect(performance.now() - before).toBeGreaterThanOrEqual(79);
    expect([runs, failures]).toEqual([[1, 1], []]);
    await eventually(() =>
      expect(heard).toEqual(['waiting', 'active', 'delayed', 'waiting', 'active', 'completed']),
    );
  });

  test('in the past puts the job behind the others, at once', async () => {
    const ran: string[] = [];
    const worker = kit.worker(
      async (job) => {
        ran.push(job.name);
        if (ran.length > 1) return;
        await job.moveToDelayed(0);
        throw new DelayedError();
      },
      { concurrency: 1 },
    );
    const completed = take(worker, 'completed', 2);
    await kit.queue().addBulk(['a', 'b'].map((name) => ({ name, data: 1 })));
    await completed;
    expect(ran).toEqual(['a', 'b', 'a']);
  });

  test('keeps the attempts that are used: failures and crashes', async () => {
    const runs: number[] = [];
    const worker = kit.worker(async (job) => {
      runs.push(job.attemptsMade);
      if (runs.length === 2) {
        await job.moveToDelayed(Date.now());
        throw new DelayedError();
      }
      throw new Error('x');
    });
    const dead = next(worker, 'deadLettered');
    await kit.queue().add('a', 1, { attempts: 3 });
    await dead;
    expect(runs).toEqual([1, 2, 2, 3]);
  });

  test('twice: the last counts', async () => {
    const worker = kit.worker(async (job) => {
      await job.moveToDelayed(Date.now() + 10);
      await job.moveToDelayed(Date.now() + 3_600_000);
      throw new DelayedError();
    });
    const active = next(worker, 'active');
    await kit.queue().add('a', 1);
    await active;
    await eventually(async () => expect(await kit.client.zcard(KEYS.delayed)).toBe(1));
    const [, score] = await kit.client.zrange(KEYS.delayed, '0', '-1', 'WITHSCORES');
    expect(Math.abs(Number(score) - Date.now() - 3_600_000)).toBeLessThan(30_000);
  });

  test.each([NaN, Infinity, '5', null, undefined, new Date(NaN)])(
    'refuses the time %s',
    async (timestamp) => {
      let error: unknown;
      const worker = kit.worker(async (job) => {
        error = await rejection(job.moveToDelayed(timestamp as number));
      });
      const completed = next(worker, 'completed');
      await kit.queue().add('a', 1);
      await completed;
      expect(error).toMatchObject({ code: 'CMQ-004', name: 'TypeError' });
    },
  );

  test('and a cancellation: the job ends as cancelled', async () => {
    const latch = new Latch();
    const worker = kit.worker(async (job) => {
      await job.moveToDelayed(Date.now() + 60_000);
      await latch.opened;
      throw new DelayedError();
    });
    const queue = kit.queue();
    const active = next(worker, 'active');
    const job = await queue.add('a', 1);
    await active;
    const failed = next(worker, 'failed');
    expect(await queue.cancel(job.id)).toBe('signalled');
    await eventually(() => expect(worker.health().running).toBe(1));
    latch.open();
    expect((await failed)[1]).toMatchObject({ code: 'CMQ-012' });
    expect(await kit.client.exists(KEYS.delayed)).toBe(0);
  });

  test('does not start the time to live again: the job has started', async () => {
    let runs = 0;
    const worker = kit.worker(async (job) => {
      runs += 1;
      if (runs > 1) return;
      await job.moveToDelayed(Date.now() + 150);
      throw new DelayedError();
    });
    const completed = next(worker, 'completed');
    await kit.queue().add('a', 1, { ttlMs: 100 });
    await completed;
    expect(runs).toBe(2);
  });

  test('of a job that its caller waits for keeps the waiter', async () => {
    let runs = 0;
    kit.worker(
      async (job) => {
        runs += 1;
        if (runs > 1) return 'done';
        await job.moveToDelayed(Date.now() + 20);
        throw new DelayedError();
      },
      { storeResults: true },
    );
    const job = await kit.queue().add('a', 1);
    expect(await job.waitForResult()).toBe('done');
  });
});

test('moveToDelayed takes a Date, and refuses what add refuses, in a handler and outside', async () => {
  const worker = kit.worker(async (job) => {
    const codes: unknown[] = [];
    for (const at of [Date.now() * 1_000, 1e300, NaN, new Date(NaN), 'now', undefined]) {
      codes.push(((await rejection(job.moveToDelayed(at as never))) as { code?: string }).code);
    }
    return codes;
  });
  const completed = next(worker, 'completed');
  const queue = kit.queue();
  await queue.add('a', 1);
  expect((await completed)[1]).toEqual(Array(6).fill('CMQ-004'));
  await worker.close();
  const job = await queue.add('a', 2);
  expect(await rejection(job.moveToDelayed(Date.now() * 1_000))).toMatchObject({ code: 'CMQ-004' });
  expect(((await rejection(job.moveToDelayed(new Date(NaN)))) as Error).message).toContain('an invalid Date');
  await job.moveToDelayed(new Date(Date.now() + 60_000));
  expect(await job.getState()).toBe('delayed');
});

test('a DelayedError without moveToDelayed is a failed attempt', async () => {
  const worker = kit.worker(() => {
    throw new DelayedError();
  });
  const failed = take(worker, 'failed', 2);
  await kit.queue().add('a', 1, { attempts: 2 });
  await failed;
  expect(await kit.queue().peekDlq(2)).toMatchObject([
    { reason: 'retries_exhausted', detail: 'The handler threw a DelayedError to end its run' },
  ]);
});
