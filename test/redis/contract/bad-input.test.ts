import { describe, expect, test } from 'vitest';
import {
  ConfigError,
  EncodeError,
  NotSupportedError,
  PayloadTooLargeError,
  Queue,
  QueueEvents,
  Worker,
} from '../../../lib/engine/index.js';
import type { JobsOptions, QueueOptions, WorkerOptions } from '../../../lib/engine/index.js';
import { rejection, useKit } from './kit.js';

const redis = useKit();

type ErrorClass = abstract new (...args: never[]) => Error;

const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;

function deep(depth: number): unknown {
  let data: unknown = 0;
  for (let i = 0; i < depth; i++) data = { in: data };
  return data;
}

interface BadAdd {
  what: string;
  name?: unknown;
  data?: unknown;
  opts?: Record<string, unknown>;
  error: ErrorClass;
  code: string;
  says: RegExp;
}

const BAD: BadAdd[] = [
  {
    what: 'a negative delay',
    opts: { delay: -1 },
    error: RangeError,
    code: 'CMQ-004',
    says: /delay must be a finite number .*not -1/,
  },
  { what: 'a delay of NaN', opts: { delay: NaN }, error: RangeError, code: 'CMQ-004', says: /not NaN/ },
  {
    what: 'an infinite delay',
    opts: { delay: Infinity },
    error: RangeError,
    code: 'CMQ-004',
    says: /not Infinity/,
  },
  { what: 'a delay in words', opts: { delay: '5s' }, error: RangeError, code: 'CMQ-004', says: /not "5s"/ },
  {
    what: 'a delay beyond maxDelaySecs',
    opts: { delay: 31 * 86_400_000 },
    error: RangeError,
    code: 'CMQ-004',
    says: /at most 2592000000 ms \(maxDelaySecs\)/,
  },
  {
    what: 'a blank id',
    opts: { jobId: '  ' },
    error: TypeError,
    code: 'CMQ-004',
    says: /jobId must be a string that is not blank/,
  },
  { what: 'an empty id', opts: { jobId: '' }, error: TypeError, code: 'CMQ-004', says: /jobId/ },
  {
    what: 'an id that is a number',
    opts: { jobId: 5 },
    error: TypeError,
    code: 'CMQ-004',
    says: /jobId.*not 5/,
  },
  {
    what: 'an id too long',
    opts: { jobId: 'x'.repeat(513) },
    error: ConfigError,
    code: 'CMQ-004',
    says: /513 bytes; at most 512/,
  },
  {
    what: 'a blank name',
    name: ' ',
    error: TypeError,
    code: 'CMQ-004',
    says: /job name must not be blank/,
  },
  {
    what: 'a name too long',
    name: 'ñ'.repeat(129),
    error: ConfigError,
    code: 'CMQ-004',
    says: /258 bytes; at most 256/,
  },
  {
    what: 'a name that is no string',
    name: 7,
    error: TypeError,
    code: 'CMQ-004',
    says: /job name must be a string/,
  },
  { what: 'no name', name: undefined, error: TypeError, code: 'CMQ-004', says: /job name must be a string/ },
  { what: 'cyclic data', data: cyclic, error: EncodeError, code: 'CMQ-002', says: /refers to itself/ },
  { what: 'a function', data: { run: () => 1 }, error: EncodeError, code: 'CMQ-002', says: /function/ },
  { what: 'a symbol', data: [Symbol('x')], error: EncodeError, code: 'CMQ-002', says: /cannot be written/ },
  { what: 'data too deep', data: deep(101), error: EncodeError, code: 'CMQ-002', says: /deep/ },
  { what: 'data far too deep', data: deep(100_000), error: EncodeError, code: 'CMQ-002', says: /deep/ },
  {
    what: 'data too large',
    data: 'x'.repeat(1_048_577),
    error: PayloadTooLargeError,
    code: 'CMQ-023',
    says: /1048582 bytes; maxPayloadBytes is 1048576.*Nothing was added/,
  },
  {
    what: 'a misspelt option',
    opts: { attemps: 5 },
    error: ConfigError,
    code: 'CMQ-004',
    says: /unknown option "attemps" \(5\)\. Did you mean "attempts"\?/,
  },
  {
    what: 'an unknown option',
    opts: { zzz: 5 },
    error: ConfigError,
    code: 'CMQ-004',
    says: /unknown option "zzz"/,
  },
  {
    what: 'attempts of 0',
    opts: { attempts: 0 },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"attempts" must be a whole number of at least 1/,
  },
  {
    what: 'attempts in words',
    opts: { attempts: '3' },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"attempts".*not "3"/,
  },
  {
    what: 'attempts of 1.5',
    opts: { attempts: 1.5 },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"attempts"/,
  },
  {
    what: 'a negative backoff',
    opts: { backoff: -1 },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"backoff"/,
  },
  {
    what: 'a backoff of more than 30 days',
    opts: { backoff: 90 * 24 * 3_600_000 },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"backoff" .*2592000000/,
  },
  {
    what: 'a backoff option of more than 30 days',
    opts: { backoff: { type: 'fixed', delay: 90 * 24 * 3_600_000 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"delay" .*2592000000/,
  },
  {
    what: 'a backoff in words',
    opts: { backoff: 'fast' },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"backoff" must be/,
  },
  {
    what: 'a misspelt backoff option',
    opts: { backoff: { type: 'fixed', delai: 5 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /backoff: unknown option "delai".*"delay"/,
  },
  {
    what: 'a backoff without a type',
    opts: { backoff: { delay: 5 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /backoff.*"type"/,
  },
  {
    what: 'a dedupTtlMs alone',
    opts: { dedupTtlMs: 5 },
    error: ConfigError,
    code: 'CMQ-004',
    says: /needs "jobId"/,
  },
  {
    what: 'a deduplication that is no object',
    opts: { deduplication: 'house' },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"?deduplication"? must be an object/,
  },
  {
    what: 'a deduplication without an id',
    opts: { deduplication: {} },
    error: ConfigError,
    code: 'CMQ-004',
    says: /deduplication.*"id"/,
  },
  {
    what: 'a blank deduplication id',
    opts: { deduplication: { id: ' ' } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"id" must be a string that is not blank/,
  },
  {
    what: 'a deduplication id that is a number',
    opts: { deduplication: { id: 5 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"id" must be a string/,
  },
  {
    what: 'a deduplication id too long',
    opts: { deduplication: { id: 'ä'.repeat(257) } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /at most 512 bytes, and has 514/,
  },
  {
    what: 'half of a surrogate pair as a deduplication id',
    opts: { deduplication: { id: 'a\ud800' } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /surrogate pair/,
  },
  {
    what: 'a deduplication ttl of 0',
    opts: { deduplication: { id: 'a', ttl: 0 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"ttl" must be a whole number of at least 1/,
  },
  {
    what: 'a negative deduplication ttl',
    opts: { deduplication: { id: 'a', ttl: -1 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"ttl" must be/,
  },
  {
    what: 'a deduplication ttl that is NaN',
    opts: { deduplication: { id: 'a', ttl: NaN } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"ttl" must be/,
  },
  {
    what: 'a fraction as a deduplication ttl',
    opts: { deduplication: { id: 'a', ttl: 1.5 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"ttl" must be a whole number/,
  },
  {
    what: 'a huge deduplication ttl',
    opts: { deduplication: { id: 'a', ttl: 1e18 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"ttl" must be.*at most/,
  },
  {
    what: 'an extend that is text',
    opts: { deduplication: { id: 'a', ttl: 1, extend: 'yes' } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"extend" must be true or false/,
  },
  {
    what: 'extend without ttl',
    opts: { deduplication: { id: 'a', extend: true } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"extend" needs "ttl"/,
  },
  {
    what: 'replace without delay',
    opts: { deduplication: { id: 'a', replace: true } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /"replace" needs.*"delay"/,
  },
  {
    what: 'a misspelt option of deduplication',
    opts: { deduplication: { id: 'a', tll: 5 } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /unknown option "tll".*"ttl"/,
  },
  {
    what: 'a jobId and a deduplication',
    opts: { jobId: 'a', deduplication: { id: 'a' } },
    error: ConfigError,
    code: 'CMQ-004',
    says: /either "jobId" or "deduplication"/,
  },
  {
    what: 'a parent',
    opts: { parent: { id: '1', queue: 'q' } },
    error: NotSupportedError,
    code: 'CMQ-100',
    says: /"parent".*not supported/,
  },
  {
    what: 'options that are no object',
    opts: 5 as never,
    error: ConfigError,
    code: 'CMQ-004',
    says: /options must be an object/,
  },
];

describe.each(BAD)('add with $what', ({ opts, error, code, says, ...bad }) => {
  const name = ('name' in bad ? bad.name : 'send') as string;

  test('rejects, and leaves Redis as it was', async () => {
    const queue = redis.queue();
    await queue.add('before', 1);
    const before = await redis.snapshot();
    const thrown = await rejection(queue.add(name, bad.data, opts));
    expect(thrown).toBeInstanceOf(error);
    expect(thrown.code).toBe(code);
    expect(thrown.message).toMatch(says);
    expect(await redis.snapshot()).toEqual(before);
  });

  test('in the middle of a bulk, refuses the whole bulk', async () => {
    const queue = redis.queue();
    const good = { name: 'good', data: 1 };
    const thrown = await rejection(
      queue.addBulk([good, { name, data: bad.data, opts: opts as JobsOptions }, good]),
    );
    expect(thrown).toBeInstanceOf(error);
    expect(thrown.code).toBe(code);
    expect(await redis.keys()).toEqual([]);
  });
});

describe('what only some calls refuse', () => {
  test('addUnique without an id', async () => {
    const queue = redis.queue();
    for (const opts of [undefined, {}, { jobId: undefined }, { jobId: ' ' }]) {
      const thrown = await rejection(queue.addUnique('send', 1, opts as JobsOptions));
      expect(thrown).toBeInstanceOf(TypeError);
      expect(thrown.code).toBe('CMQ-004');
    }
    expect(await redis.keys()).toEqual([]);
  });

  test('addBulk with a repeatable spec', async () => {
    const thrown = await rejection(
      redis.queue().addBulk([{ name: 'send', data: 1, opts: { repeat: { every: 1000 } } as JobsOptions }]),
    );
    expect(thrown).toMatchObject({ code: 'CMQ-004', message: expect.stringMatching(/"repeat"/) as string });
    expect(await redis.keys()).toEqual([]);
  });

  test.each([-1, 1.5, NaN, '5', null])('a limit of %o', async (limit) => {
    const queue = redis.queue();
    for (const call of [queue.peekDlq(limit as number), queue.replayDlq(limit as number)]) {
      expect(await rejection(call)).toMatchObject({ code: 'CMQ-004' });
    }
  });

  test('remove of a blank id', async () => {
    const thrown = await rejection(redis.queue().remove(' '));
    expect(thrown).toBeInstanceOf(TypeError);
    expect(thrown.code).toBe('CMQ-004');
  });

  test('waitForResult with a wrong option', async () => {
    const job = await redis.queue().add('send', 1);
    for (const options of [{ timeout: 5 }, { timeoutMs: -1 }, { signal: 5 }]) {
      expect(await rejection(job.waitForResult(options as never))).toMatchObject({ code: 'CMQ-004' });
    }
  });
});

const connection = { host: '127.0.0.1', port: 1 };

describe('constructors', () => {
  test.each<[string, unknown, RegExp]>([
    ['no options', undefined, /options must be an object/],
    [
      'a misspelt option',
      { connection, maxStreamLength: 5 },
      /unknown option "maxStreamLength".*"maxStreamLen"/,
    ],
    ['a wrong type', { connection, maxStreamLen: '5' }, /"maxStreamLen" must be a whole number/],
    ['a negative bound', { connection, maxStreamLen: -1 }, /"maxStreamLen"/],
    [
      'a connection that is a number',
      { connection: 6379 },
      /"connection" must be a URL, an options object or an ioredis client/,
    ],
    [
      'a URL of another kind',
      { connection: 'http://127.0.0.1' },
      /"connection" must be a redis:\/\/ or rediss:\/\/ URL/,
    ],
    ['no connection', {}, /"connection"/],
    [
      'a wrong default for jobs',
      { connection, defaultJobOptions: { attempts: 0 } },
      /defaultJobOptions: option "attempts"/,
    ],
    [
      'a misspelt default for jobs',
      { connection, defaultJobOptions: { atempts: 3 } },
      /defaultJobOptions: unknown option "atempts".*"attempts"/,
    ],
    [
      'a negative delay for jobs',
      { connection, defaultJobOptions: { delay: -5 } },
      /delay must be a finite number/,
    ],
  ])('Queue refuses %s', (_, options, says) => {
    const make = (): unknown => new Queue('mail', options as QueueOptions);
    expect(make).toThrow(says);
    expect(make).toThrow(expect.objectContaining({ code: 'CMQ-004' }));
  });

  test.each<[string, unknown, RegExp]>([
    ['no options', undefined, /options must be an object/],
    [
      'a misspelt option',
      { connection, concurency: 5 },
      /Worker "mail": unknown option "concurency" \(5\)\. Did you mean "concurrency"\?/,
    ],
    ['a concurrency of 0', { connection, concurrency: 0 }, /"concurrency"/],
    ['a concurrency in words', { connection, concurrency: '5' }, /"concurrency" must be a whole number/],
    [
      'a misspelt option of retry',
      { connection, retry: { initialBackof: 5 } },
      /retry: unknown option "initialBackof".*"initialBackoffMs"/,
    ],
    [
      'a strategy that is no function',
      { connection, backoffStrategies: { mine: 5 } },
      /"backoffStrategies" must map names to functions/,
    ],
    ['a sink that is no object', { connection, metrics: 5 }, /"metrics" must be an object/],
    ['a clock without hands', { connection, clock: {} }, /"clock" must have now\(\) and monotonic\(\)/],
    ['no connection', {}, /"connection"/],
  ])('Worker refuses %s', (_, options, says) => {
    const make = (): unknown => new Worker('mail', () => 1, options as WorkerOptions);
    expect(make).toThrow(says);
    expect(make).toThrow(expect.objectContaining({ code: 'CMQ-004' }));
  });

  test.each<[string, unknown, string]>([
    ['a relative path', './processor.js', 'CMQ-004'],
    ['the URL of no file', new URL('file:///processor.js'), 'CMQ-004'],
    ['nothing', undefined, 'CMQ-004'],
    ['an object', {}, 'CMQ-004'],
  ])('Worker refuses a processor that is %s', (_, processor, code) => {
    expect(() => new Worker('mail', processor as never, { connection })).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test.each<[string, unknown, RegExp]>([
    ['no options', undefined, /options must be an object/],
    ['no connection', {}, /"connection"/],
    ['a misspelt option', { connection, lastEventID: '0' }, /unknown option "lastEventID".*"lastEventId"/],
    [
      'a wrong start',
      { connection, lastEventId: 'yesterday' },
      /"lastEventId" must be "\$", "0" or an event id/,
    ],
    ['a wrong block time', { connection, blockingTimeout: 0 }, /"blockingTimeout"/],
  ])('QueueEvents refuses %s', (_, options, says) => {
    const make = (): unknown => new QueueEvents('mail', options as never);
    expect(make).toThrow(says);
    expect(make).toThrow(expect.objectContaining({ code: 'CMQ-004' }));
  });

  test.each(['', ' ', 'a{b}', 'x'.repeat(257), undefined, 5])(
    'a queue name of %o is refused everywhere',
    (name) => {
      const makes = [
        () => new Queue(name as string, { connection }),
        () => new Worker(name as string, () => 1, { connection }),
        () => new QueueEvents(name as string, { connection }),
      ];
      for (const make of makes) expect(make).toThrow(expect.objectContaining({ code: 'CMQ-004' }));
    },
  );

  test('a keyPrefix is refused: it would move some keys and not others', () => {
    expect(() => new Queue('mail', { connection: { ...connection, keyPrefix: 'app:' } })).toThrow(
      expect.objectContaining({ code: 'CMQ-004', message: expect.stringMatching(/keyPrefix/) as string }),
    );
  });
});

describe('defaultJobOptions', () => {
  test('an option given as undefined is one that is not given', async () => {
    const queue = redis.queue({ defaultJobOptions: { attempts: 7, delay: 60_000 } });
    const plain = await queue.add('a', 1);
    const given = await queue.add('a', 1, { attempts: undefined, delay: undefined } as never);
    const zero = await queue.add('a', 1, { delay: 0 });
    expect(plain.opts).toEqual({ attempts: 7, delay: 60_000 });
    expect(given.opts).toEqual({ attempts: 7, delay: 60_000 });
    expect(zero.opts).toEqual({ attempts: 7, delay: 0 });
    expect(await redis.client.zcard(queue.keys.delayed)).toBe(2);
  });
});
