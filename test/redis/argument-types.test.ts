import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ChasquiError,
  Consumer,
  Producer,
  Promoter,
  Queue,
  QueueEvents,
  RepeatPattern,
  Scheduler,
  Worker,
} from '../../lib/engine/index.js';
import { FakeQueue } from '../../lib/testing/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis({ leakCheck: false });

/** Calls without TypeScript, as plain JavaScript makes them, or `as any`. */
type Untyped = Record<string, (...args: unknown[]) => unknown>;

/** What is no string with something in it, or was cut within a character. */
const NO_TEXT: unknown[] = [
  'user-\ud83d',
  '\udc00',
  undefined,
  null,
  7,
  true,
  '',
  '  ',
  {},
  [],
  Buffer.from('a'),
  Symbol('a'),
  () => 'a',
];
const NO_LIST: unknown[] = [undefined, null, 7, 'ab', {}, new Set(['a']), new Map()];
const NO_OPTIONS: unknown[] = [null, 7, 'ab', [], new Map(), Promise.resolve({}), new Date(), /a/];

const opened: { close: () => Promise<unknown> }[] = [];
const targets: Record<string, Untyped> = {};

beforeAll(async () => {
  const { connection } = redis;
  const queue = new Queue('arguments', { connection });
  const producer = await Producer.connect(connection, { queueName: 'arguments' });
  opened.push(queue, producer);
  targets['queue'] = queue as unknown as Untyped;
  targets['fake queue'] = new FakeQueue('arguments') as unknown as Untyped;
  targets['producer'] = producer as unknown as Untyped;
});
afterAll(() => Promise.all(opened.map((one) => one.close())));

/** Per method: arguments that are right, and for each place what is wrong there. */
const calls: [target: string, method: string, right: unknown[], wrong: Record<number, unknown[]>][] = [
  ['queue', 'add', ['a', {}, {}], { 0: [undefined, null, 7, {}, Symbol('a')], 2: NO_OPTIONS }],
  ['queue', 'addUnique', ['a', {}, { jobId: 'u' }], { 2: [undefined, ...NO_OPTIONS] }],
  ['queue', 'addBulk', [[]], { 0: [...NO_LIST, [undefined], [null], ['a'], [7], [[]]] }],
  ['queue', 'remove', ['a'], { 0: NO_TEXT }],
  ['queue', 'cancel', ['a'], { 0: NO_TEXT }],
  ['queue', 'removeRepeatableByKey', ['a'], { 0: NO_TEXT }],
  ['queue', 'getRepeatableJobs', [5], { 0: [null, -1, 1.5, 'ab', {}, NaN] }],
  ['queue', 'getBacklog', ['default'], { 0: [null, 7, {}, ''] }],
  ['queue', 'removeRepeatableByKey', ['a', 'me'], { 1: [null, 7, {}, ''] }],
  [
    'queue',
    'upsertJobScheduler',
    ['a', { every: 60_000 }, {}],
    { 0: NO_TEXT, 1: [undefined, ...NO_OPTIONS, {}], 2: [...NO_OPTIONS, { name: 7 }, { opts: 7 }] },
  ],
  ['queue', 'getJobScheduler', ['a'], { 0: NO_TEXT }],
  [
    'queue',
    'getJobSchedulers',
    [0, -1, true],
    { 0: [null, 1.5, 'ab', {}, NaN], 1: [null, 1.5, 'ab', {}, Infinity], 2: [null, 1, 'yes', {}] },
  ],
  ['queue', 'removeJobScheduler', ['a'], { 0: NO_TEXT }],
  ['queue', 'pauseJobScheduler', ['a'], { 0: NO_TEXT }],
  ['queue', 'resumeJobScheduler', ['a'], { 0: NO_TEXT }],
  ['queue', 'runJobScheduler', ['a'], { 0: NO_TEXT }],
  ['queue', 'claimRepeatables', ['me', 1], { 0: NO_TEXT, 1: [undefined, null, 'ab', -1, 1.5, {}] }],
  ['queue', 'getJobResult', ['a'], { 0: NO_TEXT }],
  ['queue', 'peekDlq', [5], { 0: [null, -1, 'ab', {}] }],
  [
    'queue',
    'replayDlq',
    [5],
    { 0: [null, -1, 'ab', [], new Map(), Promise.resolve(5), { ids: 'a' }, { limit: 'x' }] },
  ],
  ['queue', 'dropDlq', [{ ids: ['a'] }], { 0: [undefined, ...NO_OPTIONS, { ids: [7] }] }],
  ['queue', 'waitForResult', ['a', { timeoutMs: 10_000 }], { 0: NO_TEXT, 1: NO_OPTIONS }],
  ['fake queue', 'add', ['a', {}, {}], { 0: [undefined, null, 7, {}], 2: NO_OPTIONS }],
  ['fake queue', 'addBulk', [[]], { 0: [...NO_LIST, [undefined], ['a']] }],
  ['fake queue', 'remove', ['a'], { 0: NO_TEXT }],
  ['fake queue', 'removeRepeatableByKey', ['a'], { 0: NO_TEXT }],
  ['producer', 'addWithId', ['a', {}], { 0: [null, 7, '', {}] }],
  ['producer', 'addWithOptions', [{}, {}], { 1: NO_OPTIONS }],
  ['producer', 'addBulk', [[]], { 0: NO_LIST }],
  ['producer', 'addBulkWithOptions', [[], {}], { 0: NO_LIST, 1: NO_OPTIONS }],
  [
    'producer',
    'addBulkNamed',
    [[]],
    { 0: [...NO_LIST, [7], [undefined], [[undefined, {}]], [['a'.repeat(500), {}]]] },
  ],
  ['producer', 'addIn', [5, {}], { 0: [null, 'ab', -1, NaN, {}] }],
  [
    'producer',
    'addAt',
    [Date.now() + 9_000, {}],
    { 0: [undefined, null, 'ab', NaN, {}, new Date(NaN), Symbol('a'), 2n ** 70n] },
  ],
  ['producer', 'addInBulk', [5, []], { 1: NO_LIST }],
  ['producer', 'addInBulkWithIds', [5, []], { 1: [...NO_LIST, [7], [['', {}]], [[7, {}]]] }],
  ['producer', 'cancelDelayed', ['a'], { 0: NO_TEXT }],
  ['producer', 'cancelDelayedBulk', [['a']], { 0: [...NO_LIST, [7], [undefined]] }],
  ['producer', 'peekDlq', [5], { 0: [undefined, null, -1, 'ab'] }],
  ['producer', 'replayDlq', [5], { 0: [undefined, null, -1, 'ab', {}] }],
  ['producer', 'listRepeatable', [5], { 0: [undefined, null, -1, 'ab'] }],
  ['producer', 'removeRepeatable', ['a'], { 0: NO_TEXT }],
  ['producer', 'getResult', ['a'], { 0: NO_TEXT }],
  ['producer', 'getResultBulk', [['a']], { 0: [...NO_LIST, [7]] }],
  [
    'producer',
    'upsertRepeatable',
    [{ jobName: 'a', pattern: RepeatPattern.every(60_000), payload: 1 }],
    {
      0: [
        undefined,
        ...NO_OPTIONS,
        {},
        { jobName: 'a' },
        { jobName: 7, pattern: RepeatPattern.every(1) },
        { jobName: 'a', pattern: '* * * * *' },
        { jobName: 'a', pattern: { kind: 'every' } },
        { jobName: 'a', pattern: RepeatPattern.every(1), key: 7 },
        { jobName: 'a', pattern: RepeatPattern.every(1), missedFires: 'skip' },
      ],
    },
  ],
];

/** In words, since the names of tests cannot show a symbol. */
const show = (value: unknown): string => {
  try {
    return typeof value === 'object' && value !== null
      ? `${value.constructor?.name} ${JSON.stringify(value)}`
      : String(value);
  } catch {
    return typeof value;
  }
};

describe.each(calls)('%s.%s', (target, method, right, wrong) => {
  it('accepts valid arguments', async () => {
    const call = Promise.resolve((targets[target] as Untyped)[method]?.(...right));
    await call.catch((error: unknown) => {
      // There is no such job or schedule, nothing more.
      expect(['CMQ-104', 'CMQ-111']).toContain((error as ChasquiError).code);
    });
  });

  const cases = Object.entries(wrong).flatMap(([place, values]) =>
    values.map((value) => [Number(place), show(value), value] as const),
  );
  it.each(cases)('refuses as argument %s: %s', async (place, _shown, value) => {
    const args = right.map((one, index) => (index === place ? value : one));
    // Asynchronous methods reject; none throws into its caller.
    const error: unknown = await ((targets[target] as Untyped)[method]?.(...args) as Promise<unknown>).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(Error);
    expect((error as ChasquiError).code).toBe('CMQ-004');
    expect((error as Error).message).not.toMatch(/Redis|undefined is not|Cannot read/);
  });
});

describe('constructors and run()', () => {
  const {
    Consumer: C,
    Promoter: P,
    Scheduler: S,
  } = { Consumer, Promoter, Scheduler } as unknown as Record<string, new (...args: unknown[]) => Untyped>;
  const code = (call: () => unknown): Promise<unknown> =>
    Promise.resolve()
      .then(call)
      .then(
        () => 'no error',
        (error: unknown) => (error as ChasquiError).code,
      );

  it.each(NO_OPTIONS.map((value) => [show(value), value] as const))(
    'refuse options: %s',
    async (_shown, value) => {
      const make = [Queue, QueueEvents].map((type) => () => new type('a', value as never));
      make.push((() => new Worker('a', () => undefined, value as never)) as never);
      for (const type of [C, P, S])
        make.push(() => new (type as never as new (...args: unknown[]) => never)(redis.connection, value));
      make.push((() => Producer.connect(redis.connection, value as never)) as never);
      for (const one of make) expect(await code(one)).toBe('CMQ-004');
    },
  );

  it.each([7, null, {}, new AbortController()].map((value) => [show(value), value] as const))(
    'refuse a signal: %s',
    async (_shown, signal) => {
      for (const type of [C, P, S]) {
        const one = new (type as never as new (...args: unknown[]) => Untyped)(redis.connection, {});
        const args = type === C ? [() => undefined, signal] : [signal];
        expect(await code(() => one['run']?.(...args))).toBe('CMQ-004');
      }
    },
  );
});
