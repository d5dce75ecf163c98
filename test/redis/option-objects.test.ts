import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, Producer, Queue, Worker } from '../../lib/engine/index.js';
import type { JobsOptions, QueueOptions, WorkerOptions } from '../../lib/engine/index.js';
import { FakeQueue } from '../../lib/testing/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const opened: { close: () => Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

/** Options whose values are not where a literal has them. */
const shapes: [string, <T extends object>(values: T) => T][] = [
  ['a literal', (values) => values],
  ['inherited', <T extends object>(values: T) => Object.create(values) as T],
  ['inherited twice', <T extends object>(values: T) => Object.create(Object.create(values) as object) as T],
  ['without a prototype', <T extends object>(values: T) => Object.assign(Object.create(null), values) as T],
  [
    'fields of a class',
    <T extends object>(values: T) => {
      class Fields {}
      return Object.assign(new Fields(), values);
    },
  ],
  [
    'accessors of a class',
    <T extends object>(values: T) => {
      class Accessors {}
      for (const [key, value] of Object.entries(values)) {
        Object.defineProperty(Accessors.prototype, key, { get: () => value as unknown, configurable: true });
      }
      return new Accessors() as T;
    },
  ],
  [
    'accessors of an object',
    <T extends object>(values: T) => {
      const object = {};
      for (const [key, value] of Object.entries(values)) {
        Object.defineProperty(object, key, { get: () => value as unknown, enumerable: true });
      }
      return object as T;
    },
  ],
];

function queueOf(
  options: Partial<QueueOptions> = {},
  shape: (typeof shapes)[number][1] = (same) => same,
): Queue {
  const queue = new Queue('shapes', shape({ connection: redis.connection, ...options }));
  opened.push(queue);
  return queue;
}

describe.each(shapes)('options that are %s', (_name, shape) => {
  it('of a job are checked', async () => {
    const queue = queueOf();
    await expect(queue.add('a', {}, shape({ attempts: -1 }))).rejects.toThrow(/"attempts"/);
    await expect(queue.add('a', {}, shape({ backoff: shape({ type: 'fixed', delay: -1 }) }))).rejects.toThrow(
      /"delay"/,
    );
    await expect(queue.add('a', {}, shape({ delay: -1 }))).rejects.toThrow(RangeError);
    await expect(queue.add('a', {}, shape({ jobId: ' ' }))).rejects.toThrow(TypeError);
    await expect(queue.addBulk([{ name: 'a', data: {}, opts: shape({ attempts: 0.5 }) }])).rejects.toThrow(
      ConfigError,
    );
    await expect(queue.add('a', {}, { repeat: shape({ every: -1 }) })).rejects.toThrow(/"every"/);
    await expect(new FakeQueue('a').add('a', {}, shape({ attempts: -1 }))).rejects.toThrow(/"attempts"/);
    expect((await queue.getBacklog()).waiting).toBe(0);
  });

  it('of a job take effect', async () => {
    const queue = queueOf({ defaultJobOptions: shape({ attempts: 5, delay: 60_000 }) });
    const job = await queue.add('a', {}, shape<JobsOptions>({ delay: 30_000, jobId: 'mine' }));
    expect(job).toMatchObject({ id: 'mine', delay: 30_000, opts: { attempts: 5, delay: 30_000 } });
    expect(await queue.getBacklog()).toMatchObject({ delayed: 1, waiting: 0 });
    const repeated = await queueOf().add('b', {}, shape<JobsOptions>({ repeat: shape({ every: 60_000 }) }));
    expect(repeated.id).toBe('b::every:60000');
  });

  it('of a queue and a worker are checked and take effect', async () => {
    const { connection } = redis;
    expect(() => new Queue('a', shape<QueueOptions>({ connection, maxStreamLen: -1 }))).toThrow(
      /"maxStreamLen"/,
    );
    expect(
      () => new Queue('a', shape<QueueOptions>({ connection, defaultJobOptions: shape({ attempts: -1 }) })),
    ).toThrow(/"attempts"/);
    const bad = shape<WorkerOptions>({ connection, retry: shape({ jitterMs: -1 }) });
    expect(() => new Worker('a', () => undefined, bad)).toThrow(/"jitterMs"/);

    const queue = queueOf({ maxPayloadBytes: 10 }, shape);
    await expect(queue.add('a', 'x'.repeat(20))).rejects.toMatchObject({ code: 'CMQ-023' });
    const worker = new Worker(
      'shapes',
      () => 'done',
      shape<WorkerOptions>({ connection, storeResults: true, concurrency: 3 }),
    );
    opened.push(worker);
    expect(worker.health().concurrency).toBe(3);
    const job = await queue.add('a', 1);
    expect(await job.waitForResult(shape({ timeoutMs: 5_000 }))).toBe('done');
    await expect(job.waitForResult(shape({ timeoutMs: -1 }))).rejects.toThrow(/"timeoutMs"/);
  });

  it('of a producer and of dead letters are checked', async () => {
    await expect(Producer.connect(redis.connection, shape({ maxStreamLen: -1 }))).rejects.toThrow(
      /"maxStreamLen"/,
    );
    const producer = await Producer.connect(redis.connection, shape({ queueName: 'shapes' }));
    opened.push(producer);
    expect(producer.streamKey).toContain('{chasqui:shapes}');
    await expect(producer.addWithOptions({}, shape({ id: ' ' }))).rejects.toThrow(TypeError);
    await expect(producer.addWithOptions({}, shape({ retry: shape({ maxAttempts: -1 }) }))).rejects.toThrow(
      /"maxAttempts"/,
    );
    expect(await producer.addWithOptions({}, shape({ id: 'mine', name: 'a' }))).toBe('mine');
    const queue = queueOf();
    await expect(queue.replayDlq(shape({ limit: -1 }))).rejects.toThrow(ConfigError);
    await expect(queue.dropDlq(shape({ ids: 'all' as never }))).rejects.toThrow(/"ids"/);
    expect(await queue.dropDlq(shape({ all: true }))).toBe(0);
  });

  it('with a key that does not exist are refused', async () => {
    const queue = queueOf();
    const add = queue.add('a', {}, shape({ attemps: 3 } as JobsOptions));
    // What a class answers to besides its options is its own affair.
    if (_name === 'accessors of a class') await add;
    else await expect(add).rejects.toThrow(/unknown option "attemps".*"attempts"/);
  });
});

it('a later value of an accessor changes nothing', async () => {
  let reads = 0;
  const opts: JobsOptions = {
    get attempts() {
      reads += 1;
      return reads === 1 ? 2 : -1;
    },
  };
  const job = await queueOf().add('a', {}, opts);
  expect(job.opts).toEqual({ attempts: 2 });
  expect(reads).toBe(1);
});

it('later changes, and properties of Object.prototype, have no effect', async () => {
  const defaultJobOptions: JobsOptions = { attempts: 2 };
  const queue = queueOf({ defaultJobOptions });
  defaultJobOptions.attempts = -5;
  const prototype = Object.prototype as { harmless?: unknown };
  Object.defineProperty(prototype, 'harmless', {
    value: -1,
    configurable: true,
    enumerable: true,
    writable: true,
  });
  try {
    const job = await queue.add('a', {}, {});
    expect(job.opts).toEqual({ attempts: 2 });
    class Options {
      priority = 0;
    }
    expect((await queue.add('a', {}, new Options())).opts).toEqual({ attempts: 2, priority: 0 });
  } finally {
    delete prototype.harmless;
  }
});

describe('options that would cause a failure later', () => {
  it.each<[object, RegExp]>([
    [{ durability: {} }, /durability.*"replicas"/],
    [{ durability: { replicas: 1 } }, /durability.*"timeoutMs"/],
    [{ durability: { timeoutMs: 100 } }, /durability.*"replicas"/],
    [{ defaultJobOptions: { jobId: 'a' } }, /"jobId" cannot be a default/],
    [{ defaultJobOptions: { repeat: { every: 1_000 } } }, /"repeat" cannot be a default/],
    [{ defaultJobOptions: { repeatJobKey: 'a' } }, /"repeatJobKey" cannot be a default/],
    [{ defaultJobOptions: { backoff: 'fixed' } }, /"backoff" must be a number of ms or an object/],
    [{ connection: { host: '127.0.0.1', tls: 'no' } }, /"tls" that must be an object of TLS options/],
    [{ connection: { host: '127.0.0.1', tls: [] } }, /"tls" that must be an object of TLS options/],
  ])('%j is refused', (options, message) => {
    expect(() => queueOf(options)).toThrow(ConfigError);
    expect(() => queueOf(options)).toThrow(message);
  });

  it('names and ids that UTF-8 cannot hold are refused: two of them would be one', async () => {
    const queue = queueOf();
    await expect(queue.add('a\ud83d', {})).rejects.toThrow(/surrogate/);
    await expect(queue.add('a', {}, { jobId: 'user-\ud83d' })).rejects.toThrow(/surrogate/);
    await expect(queue.addBulk([{ name: 'a', data: 1, opts: { jobId: '\udc00' } }])).rejects.toThrow(
      /surrogate/,
    );
    await expect(
      queue.add('a', {}, { repeat: { every: 60_000 }, repeatJobKey: 'daily\ud83d' }),
    ).rejects.toThrow(/surrogate/);
    expect(() => new Queue('mail\ud83d', { connection: redis.connection })).toThrow(/surrogate/);
    await queue.add('grüße 👋', {}, { jobId: 'user-👋' });
  });
});
