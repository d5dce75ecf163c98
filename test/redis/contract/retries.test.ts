import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { BackoffSpec, UnrecoverableError } from '../../../lib/engine/index.js';
import type { Job, JobsOptions, RetryScheduledEvent, WorkerOptions } from '../../../lib/engine/index.js';
import { eventually, KEYS, Latch, NAME, next, take, useKit } from './kit.js';

const redis = useKit();

const raise = (value: unknown): never => {
  throw value;
};
const fail = (): never => raise(new Error('x'));

/** The backoffs of one job that fails every time, as the events tell them. */
async function backoffs(job: JobsOptions, worker: Partial<WorkerOptions>): Promise<number[]> {
  const events = await redis.events();
  const told: RetryScheduledEvent[] = [];
  events.on('retry-scheduled', (event) => told.push(event));
  redis.worker(fail, worker);
  const dead = next(events, 'dlq');
  await redis.queue().add('a', 1, job);
  await dead;
  expect(told.map(({ attempt }) => attempt)).toEqual(told.map((_, index) => index + 2));
  return told.map(({ backoffMs }) => backoffMs);
}

describe('the number of attempts', () => {
  test.each<[string, JobsOptions, Partial<WorkerOptions>, number]>([
    ['three by default', {}, {}, 3],
    ['of the worker', {}, { maxAttempts: 2 }, 2],
    ['of the worker, by its other name', {}, { maxStalledCount: 4 }, 4],
    ['of the job', { attempts: 5 }, { maxAttempts: 2 }, 5],
    ['one, for no retry', { attempts: 1 }, {}, 1],
  ])('is %s', async (_, options, worker, expected) => {
    const attempts: number[] = [];
    const events = await redis.events();
    redis.worker((job) => {
      attempts.push(job.attemptsMade);
      fail();
    }, worker);
    const dead = next(events, 'dlq');
    const job = await redis.queue().add('a', 1, { backoff: 1, ...options });
    const [event] = await dead;
    expect(attempts).toEqual(Array.from({ length: expected }, (__, index) => index + 1));
    expect(event).toMatchObject({ jobId: job.id, attempt: expected, reason: 'retries_exhausted' });
  });

  test('the same job comes back: id, name, data, options and time', async () => {
    const seen: object[] = [];
    const worker = redis.worker((job) => {
      const { id, name, data, opts, timestamp } = job;
      seen.push({ id, name, data, opts, timestamp });
      if (job.attemptsMade < 3) fail();
    });
    const done = next(worker, 'completed');
    const options = { attempts: 3, backoff: BackoffSpec.fixed(1, { jitterMs: 0 }) };
    const { id, timestamp } = await redis.queue().add('send', { to: 'ada' }, options);
    await done;
    expect(seen).toEqual(Array(3).fill({ id, name: 'send', data: { to: 'ada' }, opts: options, timestamp }));
  });

  test('many that fail together come back as they were: small and large, named or not, with ids of their own', async () => {
    const COUNT = 300;
    const data = (index: number): string => String(index).padEnd(index % 3 === 0 ? 6_000 : 10, 'é');
    const seen = new Map<string, unknown>();
    const worker = redis.worker(
      (job) => {
        if (job.attemptsMade === 1) fail();
        seen.set(job.id, [job.name, job.data, job.attemptsMade]);
      },
      { concurrency: COUNT },
    );
    const done = take(worker, 'completed', COUNT);
    const jobs = await redis.queue().addBulk(
      Array.from({ length: COUNT }, (_, index) => ({
        name: ['', 'send', 'ñ'][index % 4] ?? 'other',
        data: data(index),
        opts: index % 5 === 0 ? { jobId: `mine-${String(index)}` } : {},
      })),
    );
    await done;
    expect(seen).toEqual(new Map(jobs.map(({ id, name }, index) => [id, [name, data(index), 2]])));
    expect(await redis.client.keys('*didx*')).toEqual([]);
  });

  test('other jobs run while one waits for its retry', async () => {
    const order: unknown[] = [];
    const worker = redis.worker(
      (job) => {
        order.push(`${String(job.data)}${job.attemptsMade}`);
        if (job.data === 'a' && job.attemptsMade === 1) fail();
      },
      { concurrency: 1 },
    );
    const done = take(worker, 'completed', 3);
    await redis.queue().addBulk([
      { name: '', data: 'a', opts: { backoff: 40 } },
      { name: '', data: 'b' },
      { name: '', data: 'c' },
    ]);
    await done;
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2']);
  });
});

describe('the backoff', () => {
  test.each<[string, JobsOptions, Partial<WorkerOptions>, number[]]>([
    [
      'of the queue, exponential',
      { attempts: 5 },
      { retry: { initialBackoffMs: 2, jitterMs: 0 } },
      [2, 4, 8, 16],
    ],
    [
      'of the queue, capped',
      { attempts: 5 },
      { retry: { initialBackoffMs: 2, maxBackoffMs: 5, jitterMs: 0 } },
      [2, 4, 5, 5],
    ],
    [
      'of the queue, by another multiplier',
      { attempts: 4 },
      { retry: { initialBackoffMs: 2, multiplier: 3, jitterMs: 0 } },
      [2, 6, 18],
    ],
    ['a number: fixed', { attempts: 4, backoff: 7 }, { retry: { jitterMs: 0 } }, [7, 7, 7]],
    ['fixed', { attempts: 4, backoff: { type: 'fixed', delay: 3, jitterMs: 0 } }, {}, [3, 3, 3]],
    ['exponential', { attempts: 4, backoff: BackoffSpec.exponential(3, { jitterMs: 0 }) }, {}, [3, 6, 12]],
    [
      'exponential with options',
      { attempts: 4, backoff: { type: 'exponential', delay: 2, multiplier: 4, maxDelay: 10, jitterMs: 0 } },
      {},
      [2, 8, 10],
    ],
    ['none', { attempts: 3, backoff: { type: 'fixed', delay: 0, jitterMs: 0 } }, {}, [0, 0]],
    [
      'a strategy by name',
      { attempts: 4, backoff: { type: 'stairs' } },
      { backoffStrategies: { stairs: (attempt: number) => attempt * 5 } },
      [5, 10, 15],
    ],
    [
      'a strategy that answers with a promise',
      { attempts: 3, backoff: { type: 'later' } },
      { backoffStrategies: { later: (attempt: number) => delay(5, attempt * 4) } },
      [4, 8],
    ],
    [
      'a strategy that answers 0, or a fraction',
      { attempts: 3, backoff: { type: 'soon' } },
      { backoffStrategies: { soon: (attempt: number) => [0, 1.6][attempt - 1]! } },
      [0, 2],
    ],
  ])('is %s', async (_, job, worker, expected) => {
    expect(await backoffs(job, worker)).toEqual(expected);
  });

  test('a strategy sees the error, and may be named like a built-in kind', async () => {
    const seen: unknown[] = [];
    const told = await backoffs(
      { attempts: 2, backoff: { type: 'fixed', delay: 50 } },
      {
        backoffStrategies: {
          fixed: (attempt, error) => {
            seen.push([attempt, (error as Error).message]);
            return 3;
          },
        },
      },
    );
    expect(told).toEqual([3]);
    expect(seen).toEqual([[1, 'x']]);
  });

  describe('of a strategy', () => {
    const answers: [string, () => unknown, RegExp][] = [
      ['undefined', () => undefined, /returned undefined/],
      ['NaN', () => NaN, /returned NaN/],
      ['Infinity', () => Infinity, /returned Infinity/],
      ['-Infinity', () => -Infinity, /returned -Infinity/],
      ['-5', () => -5, /returned -5/],
      ['1e300', () => 1e300, /returned 1e\+300/],
      ['more than 30 days', () => 30 * 24 * 3_600_000 + 1, /returned 2592000001 .*2,592,000,000/],
      ['text', () => '500', /returned "500"/],
      ['null', () => null, /returned null/],
      ['true', () => true, /returned true/],
      ['a bigint', () => 5n, /returned 5/],
      ['an object', () => ({ ms: 5 }), /returned \{"ms":5\}/],
      ['a promise of nothing', () => Promise.resolve(), /returned undefined/],
      ['an error, thrown', fail, /threw x after/],
      ['a rejection', () => Promise.reject(new Error('no idea')), /rejected with no idea after/],
      [
        'a rejection with no error',
        async () => raise({ status: 429 }),
        /rejected with \{"status":429\} after/,
      ],
      ['a thenable that throws', () => ({ then: fail }), /rejected with x after/],
      ['a thenable whose then throws', () => Object.defineProperty({}, 'then', { get: fail }), /returned \{/],
    ];
    test.each(answers)(
      'that answers %s is reported, and the job backs off as by default',
      async (_, answer, message) => {
        const told = await backoffs(
          { attempts: 2, backoff: { type: 'odd', delay: 2, jitterMs: 0 } },
          { backoffStrategies: { odd: answer as () => number } },
        );
        expect(told).toEqual([2]);
        expect(redis.errors.map((error) => error.message)).toEqual([expect.stringMatching(message)]);
        const [error] = redis.errors.splice(0);
        expect(error).toMatchObject({ name: 'ConfigError', code: 'CMQ-004' });
        expect(error!.message).toMatch(/^The backoff strategy "odd" .* after attempt 1 of job \w+ \("a"\)/);
      },
    );

    test.each<[string, unknown]>([
      ['an error', new Error('no idea')],
      ['anything else', { status: 429 }],
    ])('that throws or rejects with %s: it is the cause of the error event', async (_, cause) => {
      for (const answer of [async () => raise(cause), () => raise(cause)]) {
        await backoffs(
          { attempts: 2, backoff: { type: 'odd', delay: 2, jitterMs: 0 } },
          { backoffStrategies: { odd: answer } },
        );
        expect(redis.errors.splice(0).map((error) => error.cause)).toEqual([cause]);
      }
    });

    test.each<[string, () => number | Promise<number>]>([
      ['-1', () => -1],
      ['a promise of -1', () => Promise.resolve(-1)],
    ])('that answers %s makes a dead letter at once', async (_, answer) => {
      const worker = redis.worker(fail, { backoffStrategies: { never: answer } });
      const failed = next(worker, 'failed');
      await redis.queue().add('a', 1, { attempts: 9, backoff: { type: 'never' } });
      const [job] = await failed;
      expect(job).toMatchObject({ attemptsMade: 1, deadLetterReason: 'unrecoverable' });
      expect(await redis.queue().peekDlq()).toMatchObject([
        { reason: 'unrecoverable', detail: 'x', attempts: 1 },
      ]);
      expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    });

    test('is not asked where there is no next attempt', async () => {
      const asked: number[] = [];
      const told = await backoffs(
        { attempts: 2, backoff: { type: 'mine' } },
        { backoffStrategies: { mine: (attempt) => asked.push(attempt) } },
      );
      expect([told, asked]).toEqual([[1], [1]]);
    });

    test('that never answers does not lose the job, nor keep the others waiting', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
      try {
        const asked = new Latch();
        const worker = redis.worker(
          (job) => (job.name === 'a' && job.attemptsMade === 1 ? fail() : undefined),
          {
            concurrency: 2,
            backoffStrategies: {
              silent: () => {
                asked.open();
                return new Promise(() => undefined);
              },
            },
          },
        );
        const done = take(worker, 'completed', 2);
        const queue = redis.queue();
        await queue.add('a', 1, { backoff: { type: 'silent', delay: 1, jitterMs: 0 } });
        await asked.opened;
        const other = next(worker, 'completed');
        await queue.add('b', 1);
        expect((await other)[0].name).toBe('b');
        await vi.advanceTimersByTimeAsync(5_000);
        expect((await done).map(({ name }) => name)).toEqual(['b', 'a']);
        expect(redis.errors.splice(0).map(({ message }) => message)).toEqual([
          expect.stringMatching(/"silent" did not answer within 5000 ms after attempt 1 of job \w+ \("a"\)/),
        ]);
      } finally {
        vi.useRealTimers();
      }
    });

    test('a job that is cancelled while a strategy thinks is not tried again', async () => {
      const asked = new Latch();
      const answer = new Latch();
      const queue = redis.queue();
      const worker = redis.worker(fail, {
        backoffStrategies: {
          slow: async () => {
            asked.open();
            await answer.opened;
            return 1;
          },
        },
      });
      const failed = next(worker, 'failed');
      const { id } = await queue.add('a', 1, { backoff: { type: 'slow' } });
      await asked.opened;
      expect(await queue.cancel(id)).toBe('signalled');
      await eventually(() => {
        expect(worker.health().running).toBe(1);
      });
      answer.open();
      expect((await failed)[0]).toMatchObject({ failedReason: 'cancelled', deadLetterReason: undefined });
      expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    });
  });

  test('of a type that nobody knows is exponential, and the worker says so once', async () => {
    const events = await redis.events();
    const told: number[] = [];
    events.on('retry-scheduled', ({ backoffMs }) => told.push(backoffMs));
    redis.worker(fail, { backoffStrategies: { stairs: () => 1 } });
    const dead = take(events, 'dlq', 2);
    const opts = { attempts: 4, backoff: { type: 'exponentail', delay: 2, jitterMs: 0 } };
    const [first] = await redis.queue().addBulk([
      { name: 'a', data: 1, opts },
      { name: 'a', data: 2, opts },
    ]);
    await dead;
    expect(told.sort()).toEqual([2, 2, 4, 4, 8, 8]);
    const [error, ...others] = redis.errors.splice(0);
    expect(others).toEqual([]);
    expect(error).toMatchObject({ code: 'CMQ-004' });
    expect(error!.message).toContain(`job ${first!.id} ("a") has the backoff type "exponentail"`);
    expect(error!.message).toContain('Did you mean "exponential"?');
    expect(error!.message).toContain('"fixed", "exponential", "stairs"');
  });

  test('has no jitter of more than a quarter where nobody asked for jitter', async () => {
    const events = await redis.events();
    const scheduled = take(events, 'retry-scheduled', 100);
    redis.worker(fail, { maxAttempts: 2, retry: {} });
    await redis
      .queue()
      .addBulk(Array.from({ length: 100 }, () => ({ name: 'a', data: 1, opts: { backoff: 30 } })));
    const told = (await scheduled).map(({ backoffMs }) => backoffMs);
    expect(Math.min(...told)).toBeGreaterThanOrEqual(22);
    expect(Math.max(...told)).toBeLessThanOrEqual(38);
    expect(new Set(told).size).toBeGreaterThan(1);
  });

  test('has jitter within its bounds, both ways, and never below 0', async () => {
    const events = await redis.events();
    const scheduled = take(events, 'retry-scheduled', 200);
    redis.worker(fail, { maxAttempts: 2 });
    await redis.queue().addBulk(
      Array.from({ length: 200 }, () => ({
        name: 'a',
        data: 1,
        opts: { backoff: { type: 'fixed' as const, delay: 10, jitterMs: 10 } },
      })),
    );
    const told = (await scheduled).map(({ backoffMs }) => backoffMs);
    expect(Math.min(...told)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...told)).toBeLessThanOrEqual(20);
    expect(told.some((ms) => ms < 10)).toBe(true);
    expect(told.some((ms) => ms > 10)).toBe(true);
  });

  test('is kept: no retry runs before it is due', async () => {
    const starts: number[] = [];
    const worker = redis.worker(async (job) => {
      const [seconds, micros] = await redis.client.time();
      starts.push(Number(seconds) * 1000 + Number(micros) / 1000);
      if (job.attemptsMade < 3) fail();
    });
    const done = next(worker, 'completed');
    await redis.queue().add('a', 1, { backoff: { type: 'fixed', delay: 40, jitterMs: 0 } });
    await done;
    expect(starts[1]! - starts[0]!).toBeGreaterThanOrEqual(39.9);
    expect(starts[2]! - starts[1]!).toBeGreaterThanOrEqual(39.9);
  });
});

describe('an unrecoverable error', () => {
  class Blocked extends UnrecoverableError {}
  test.each<[string, () => unknown]>([
    [
      'thrown',
      () => {
        throw new UnrecoverableError('blocked');
      },
    ],
    ['rejected with', () => Promise.reject(new UnrecoverableError('blocked'))],
    [
      'of a subclass',
      () => {
        throw new Blocked('blocked');
      },
    ],
    [
      'by name',
      () => {
        throw Object.assign(new Error('blocked'), { name: 'UnrecoverableError' });
      },
    ],
  ])('%s goes to the dead letters at once', async (_, throws) => {
    const worker = redis.worker(throws);
    const failed = next(worker, 'failed');
    const { id } = await redis.queue().add('a', 1, { attempts: 5 });
    const [job, error] = await failed;
    expect([job.id, job.attemptsMade, error.message]).toEqual([id, 1, 'blocked']);
    expect(await redis.queue().peekDlq()).toMatchObject([
      { jobId: id, reason: 'unrecoverable', detail: 'blocked', attempts: 1 },
    ]);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
  });
});

describe('what a handler may throw', () => {
  test.each<[unknown, string]>([
    [new Error('plain'), 'plain'],
    ['a string', 'a string'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ code: 5 }, '{"code":5}'],
    [42, '42'],
  ])('%# %o', async (thrown, detail) => {
    const worker = redis.worker(
      () => {
        throw thrown;
      },
      { maxAttempts: 1 },
    );
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    const [job, error] = await failed;
    expect(error).toBeInstanceOf(Error);
    expect(job.failedReason).toBe(detail);
    expect(await redis.queue().peekDlq()).toMatchObject([{ reason: 'retries_exhausted', detail }]);
  });

  test('a message of a megabyte is cut', async () => {
    const worker = redis.worker(
      () => {
        throw new Error('y'.repeat(1_000_000));
      },
      { maxAttempts: 1 },
    );
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    await failed;
    const [letter] = await redis.queue().peekDlq();
    expect(letter!.detail!.length).toBeLessThan(3_000);
  });

  test('an error keeps its identity for the listeners', async () => {
    const error = new TypeError('mine');
    const worker = redis.worker((_job: Job) => Promise.reject(error), { maxAttempts: 1 });
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    expect((await failed)[1]).toBe(error);
  });
});

test('the sink hears of reads, outcomes, retries and dead letters', async () => {
  const reads: unknown[] = [];
  const outcomes: unknown[] = [];
  const moves: unknown[] = [];
  const worker = redis.worker(fail, {
    maxAttempts: 2,
    metrics: {
      readerBatch: (batch) => reads.push(batch),
      jobOutcome: ({ handlerDurationUs, ...rest }) => {
        expect(handlerDurationUs).toBeGreaterThanOrEqual(0);
        outcomes.push(rest);
      },
      retryScheduled: (retry) => moves.push(retry),
      dlqRouted: (routed) => moves.push(routed),
    },
  });
  const failed = take(worker, 'failed', 2);
  await redis.queue({}, NAME).add('send', 1, { backoff: { type: 'fixed', delay: 1, jitterMs: 0 } });
  await failed;
  // Only within a kind: the next delivery may arrive before the reply to what caused it.
  expect(reads).toEqual(Array(2).fill({ size: 1, reclaimed: 0 }));
  expect(outcomes).toEqual([
    { kind: 'err', attempt: 1, name: 'send' },
    { kind: 'err', attempt: 2, name: 'send' },
  ]);
  expect(moves).toEqual([
    { attempt: 2, backoffMs: 1, name: 'send' },
    { reason: 'retries_exhausted', attempt: 2, name: 'send' },
  ]);
});
