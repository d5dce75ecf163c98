/* eslint-disable @typescript-eslint/only-throw-error, @typescript-eslint/prefer-promise-reject-errors -- what it is about */
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { UnrecoverableError } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { eventsIn } from '../../support/events.js';
import { Getters, boom, hostile, withMessage } from '../../support/thrown.js';
import { eventually, KEYS, next, take, useKit } from './kit.js';

const redis = useKit();

/** What is thrown, and the text that the dead letter has of it. */
const THROWN: [string, unknown, string | RegExp][] = [
  ['an error whose message is undefined', withMessage(undefined, 'made'), /^(Error|made)$/],
  ['an error whose message is null', withMessage(null, 'made'), /^(Error|made)$/],
  ['an error whose message is an object', withMessage({ status: 429 }), '{"status":429}'],
  ['an error whose getters throw', new Getters(), 'Error'],
  ['undefined', undefined, 'undefined'],
  ['null', null, 'null'],
  ['false', false, 'false'],
  ['0', 0, '0'],
  ['an empty text', '', ''],
  ['a symbol', Symbol('why'), 'Symbol(why)'],
  ['a bigint', 5n, '5'],
  ['an object', { status: 429 }, '{"status":429}'],
  ['an array', [1, 2], '[1,2]'],
  ['an object without a prototype', Object.create(null), 'an error that cannot be printed'],
  ['a proxy that throws', hostile(), '{}'],
  ['a proxy of an error that throws', hostile(new Error('inner')), /inner/],
  ['an error of another realm', runInNewContext('new TypeError("elsewhere")'), 'elsewhere'],
  ['half a surrogate pair', new Error('\ud800'), '\ufffd'],
];

describe('whatever is thrown is a failed attempt', () => {
  const ways: [string, (value: unknown) => unknown][] = [
    [
      'thrown',
      (value) => {
        throw value;
      },
    ],
    ['rejected with', (value) => Promise.reject(value)],
  ];
  for (const [way, fail] of ways) {
    // No `test.each`: it looks at the values.
    for (const [what, value, detail] of THROWN)
      test(`${way}: ${what}`, async () => {
        const worker = redis.worker((job) => (job.name === 'bad' ? fail(value) : 'fine'), { maxAttempts: 2 });
        const failed: [Job, Error][] = [];
        worker.on('failed', (job, error) => failed.push([job, error]));
        const settled = Promise.all([take(worker, 'failed', 2), take(worker, 'completed', 3)]);
        const [bad] = await redis.queue().addBulk(['bad', 'a', 'b', 'c'].map((name) => ({ name, data: 1 })));
        await settled;
        expect(failed.map(([job]) => [job.id, job.attemptsMade])).toEqual([
          [bad!.id, 1],
          [bad!.id, 2],
        ]);
        for (const [, error] of failed) {
          expect(typeof error.message).toBe('string');
          expect(error === value || error.cause === value).toBe(true);
        }
        const [letter, ...others] = await redis.queue().peekDlq();
        expect(others).toEqual([]);
        expect(letter).toMatchObject({ jobId: bad!.id, reason: 'retries_exhausted', attempts: 2 });
        if (detail !== '') expect(letter!.detail).toMatch(detail);
        // Each healthy job is announced once.
        const told = (await eventsIn(redis.client, KEYS.events)).filter(({ e }) => e === 'completed');
        expect(told.map(({ n }) => n).sort()).toEqual(['a', 'b', 'c']);
        expect(await redis.client.xlen(KEYS.stream)).toBe(0);
      });
  }

  test('many of them in one batch, with events that share an entry', async () => {
    const COUNT = 200;
    const worker = redis.worker(
      (job) => {
        throw THROWN[(job.data as number) % THROWN.length]![1];
      },
      { maxAttempts: 2, concurrency: COUNT },
    );
    const failed = take(worker, 'failed', 2 * COUNT);
    await redis.queue().addBulk(Array.from({ length: COUNT }, (_, data) => ({ name: 'bad', data })));
    const attempts = (await failed).map(({ id, attemptsMade }) => `${id} ${String(attemptsMade)}`);
    expect(new Set(attempts).size).toBe(2 * COUNT);
    const letters = await redis.queue().peekDlq(COUNT);
    expect(letters).toHaveLength(COUNT);
    const reasons = (await eventsIn(redis.client, KEYS.events)).filter(({ e }) => e === 'failed');
    expect(reasons).toHaveLength(2 * COUNT);
    expect(reasons.filter(({ reason }) => reason === '{"status":429}').length).toBeGreaterThan(COUNT / 10);
  });

  test('an unrecoverable one that is no error stays unrecoverable', async () => {
    const thrown = { name: 'UnrecoverableError', message: 'no such user' };
    const worker = redis.worker(() => {
      throw thrown;
    });
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    const [job, error] = await failed;
    expect(error).toMatchObject({ name: 'UnrecoverableError', cause: thrown });
    expect(job.deadLetterReason).toBe('unrecoverable');
  });

  test('the detail has causes and codes: a refused connection says which', async () => {
    const worker = redis.worker(() => fetch('http://127.0.0.1:1/'), { maxAttempts: 1 });
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    const [job] = await failed;
    expect(job.failedReason).toMatch(/^fetch failed; caused by: .*(ECONNREFUSED|bad port)/);
  });

  test('a dead letter keeps the stack, with its causes; a retry does not', async () => {
    const worker = redis.worker(
      function sendMail() {
        throw new Error('not sent', { cause: new TypeError('no address\nforged') });
      },
      { maxAttempts: 2 },
    );
    const failed = take(worker, 'failed', 2);
    await redis.queue().add('a', 1);
    const [first, second] = await failed;
    expect(first).toMatchObject({ deadLetterReason: undefined, stacktrace: [] });
    const [letter] = await redis.queue().peekDlq();
    expect(letter!.stack).toMatch(/^Error: not sent\n {4}at .*sendMail/);
    expect(letter!.stack).toContain('\nCaused by: TypeError: no address\\nforged\n    at ');
    expect(second).toMatchObject({ deadLetterReason: 'retries_exhausted', stacktrace: [letter!.stack] });
    // It goes when the letter is replayed.
    expect(await redis.queue().replayDlq()).toBe(1);
    expect((await redis.client.xrange(KEYS.stream, '-', '+')).flatMap(([, fields]) => fields)).not.toContain(
      'stack',
    );
  });
});

describe('what a handler returns', () => {
  const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const FAILURES: [string, () => unknown, string][] = [
    [
      'a then that throws when it is read',
      () => Object.defineProperty({}, 'then', { get: boom }),
      'on access',
    ],
    ['a then that throws when it is called', () => ({ then: boom }), 'on access'],
    ['a proxy that throws', () => hostile(), 'on access'],
    ['a promise whose then throws', () => Object.assign(Promise.resolve(1), { then: boom }), 'on access'],
    [
      'a promise whose constructor throws',
      () => Object.defineProperty(Promise.resolve(1), 'constructor', { get: boom }),
      'on access',
    ],
    [
      'a promise of a thenable that throws',
      () => Promise.resolve().then(() => ({ then: boom })),
      'on access',
    ],
    [
      'a thenable that rejects at once',
      () => ({
        then: (_: unknown, reject: (error: unknown) => void) => {
          reject(new Error('at once'));
        },
      }),
      'at once',
    ],
    ['a function with a then', () => Object.assign(() => undefined, { then: boom }), 'on access'],
    ['an error', () => new Error('returned'), 'returned'],
    ['an error of another realm', () => runInNewContext('new Error("elsewhere")') as unknown, 'elsewhere'],
    ['a promise of an error', () => Promise.resolve(new Error('returned')), 'returned'],
  ];
  test.each(FAILURES)('%s: a failed attempt', async (_, handler, detail) => {
    const worker = redis.worker((job) => (job.name === 'bad' ? handler() : undefined), { maxAttempts: 2 });
    const failed = take(worker, 'failed', 2);
    const completed = next(worker, 'completed');
    await redis.queue().addBulk(['bad', 'good'].map((name) => ({ name, data: 1 })));
    expect((await completed)[0].name).toBe('good');
    expect((await failed).map(({ attemptsMade }) => attemptsMade)).toEqual([1, 2]);
    expect(await redis.queue().peekDlq()).toMatchObject([{ detail, attempts: 2 }]);
    expect(worker.health().running).toBe(0);
  });

  test('a returned UnrecoverableError is not tried again', async () => {
    const worker = redis.worker(() => new UnrecoverableError('no'));
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1);
    expect((await failed)[0]).toMatchObject({ attemptsMade: 1, deadLetterReason: 'unrecoverable' });
  });

  type Settle = (value: unknown) => void;
  const SUCCESSES: [string, () => unknown, unknown][] = [
    [
      'a thenable that calls back at once, and twice',
      () => ({
        then: (resolve: Settle, reject: Settle) => {
          resolve('first');
          resolve('second');
          reject(new Error('third'));
          throw new Error('fourth');
        },
      }),
      'first',
    ],
    [
      'a promise whose then is a lazy start',
      () =>
        new (class Lazy extends Promise<unknown> {
          override then(ok: never, bad: never): never {
            return later()
              .then(() => 'started')
              .then(ok, bad) as never;
          }
        })(() => undefined),
      'started',
    ],
    [
      'an object that is no thenable and throws otherwise',
      () => Object.defineProperty({ a: 1 }, 'toJSON', { get: boom, enumerable: false }),
      { a: 1 },
    ],
  ];
  test.each(SUCCESSES)('%s: completed once', async (_, handler, result) => {
    const worker = redis.worker(handler);
    const results: unknown[] = [];
    worker.on('completed', (_job, value) => results.push(value));
    const last = next(worker, 'completed');
    await redis.queue().add('a', 1);
    await last;
    expect(results).toEqual([result]);
    expect(await redis.queue().peekDlq()).toEqual([]);
  });

  test('what cannot be stored is reported, and the job counts as completed', async () => {
    const worker = redis.worker(
      (job) =>
        job.name === 'odd'
          ? {
              get a() {
                return boom();
              },
            }
          : 1,
      {
        storeResults: true,
      },
    );
    const done = take(worker, 'completed', 2);
    await redis.queue().addBulk(['odd', 'even'].map((name) => ({ name, data: 1 })));
    await done;
    expect(redis.errors.splice(0)).toMatchObject([{ code: 'CMQ-002' }]);
  });
});

describe('nothing of the user reaches the commit', () => {
  const SABOTAGE: [string, (job: Job) => unknown][] = [
    ['a frozen job', (job) => Object.freeze(job)],
    [
      'a job whose fields throw',
      (job) =>
        Object.defineProperties(
          job,
          Object.fromEntries(
            [
              'id',
              'name',
              'data',
              'returnvalue',
              'failedReason',
              'finishedOn',
              'stacktrace',
              'attemptsMade',
            ].map((key) => [key, { get: boom, set: boom }]),
          ),
        ),
    ],
    ['a job whose name is no text', (job) => Object.assign(job, { name: Symbol('n'), id: null })],
  ];
  test.each(SABOTAGE)('%s', async (_, spoil) => {
    const worker = redis.worker(
      (job) => {
        const { data } = job;
        spoil(job);
        if (data === 'bad') throw new Error('x');
      },
      { maxAttempts: 2 },
    );
    const settled = Promise.all([take(worker, 'completed', 1), take(worker, 'failed', 2)]);
    const [bad] = await redis.queue().addBulk(['bad', 'good'].map((data) => ({ name: 'a', data })));
    await settled;
    expect(await redis.queue().peekDlq()).toMatchObject([{ jobId: bad!.id, detail: 'x', name: 'a' }]);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  const FAULTY: [string, () => unknown][] = [
    ['throws', boom],
    [
      'throws nothing at all',
      () => {
        throw undefined;
      },
    ],
    [
      'throws a hostile value',
      () => {
        throw hostile();
      },
    ],
    ['rejects', async () => boom()],
    ['rejects with null', () => Promise.reject(null)],
    ['returns a thenable that throws', () => ({ then: boom })],
  ];
  test.each(FAULTY)(
    'a listener that %s: the others hear, and each job is told of once',
    async (_, faulty) => {
      const worker = redis.worker(
        (job) => {
          if (job.name === 'bad') throw new Error('x');
        },
        { maxAttempts: 2 },
      );
      const heard: string[] = [];
      for (const event of ['active', 'completed', 'failed'] as const) {
        worker.on(event, faulty);
        worker.on(event, (job: Job) => heard.push(`${event} ${job.name}`));
      }
      await redis.queue().addBulk(['bad', 'good'].map((name) => ({ name, data: 1 })));
      await eventually(() => {
        expect([heard.length, redis.errors.length]).toEqual([6, 6]);
      });
      expect(heard.sort()).toEqual(
        ['active bad', 'active bad', 'active good', 'completed good', 'failed bad', 'failed bad'].sort(),
      );
      const told = (await eventsIn(redis.client, KEYS.events)).map(({ e, n }) => `${e} ${n ?? ''}`);
      expect(told.filter((line) => line === 'completed good')).toHaveLength(1);
      expect(await redis.queue().peekDlq()).toHaveLength(1);
      redis.errors.length = 0;
    },
  );

  test.each(FAULTY)('a listener of "error" that %s becomes a warning', async (_, faulty) => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const worker = redis.worker(() => undefined);
    worker.on('error', faulty);
    worker.on('completed', boom);
    const done = next(worker, 'completed');
    await redis.queue().add('a', 1);
    await done;
    expect(await warned).toBeInstanceOf(Error);
    redis.errors.length = 0;
  });

  test.each(FAULTY)('a listener of queue events that %s', async (_, faulty) => {
    redis.worker(() => undefined);
    const events = await redis.events();
    events.on('completed', faulty);
    const done = take(events, 'completed', 2);
    const reported = take(events, 'error', 2);
    await redis.queue().addBulk(['a', 'b'].map((name) => ({ name, data: 1 })));
    await Promise.all([done, reported]);
    redis.errors.length = 0;
  });

  test('a sink that throws', async () => {
    const sink = new Proxy({}, { get: () => boom, has: () => true });
    const worker = redis.worker((job) => (job.name === 'bad' ? boom() : undefined), {
      maxAttempts: 2,
      metrics: sink,
    });
    const settled = Promise.all([take(worker, 'completed', 1), take(worker, 'failed', 2)]);
    await redis.queue().addBulk(['bad', 'good'].map((name) => ({ name, data: 1 })));
    await settled;
    expect(new Set(redis.errors.splice(0).map(({ message }) => message))).toEqual(new Set(['on access']));
  });
});
