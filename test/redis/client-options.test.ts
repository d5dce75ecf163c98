import { Cluster, Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { Queue, QueueEvents, Worker } from '../../lib/engine/index.js';
import type { Connection } from '../../lib/engine/index.js';
import { useCluster } from '../support/redis.js';
import { eventually, next, rejection, useKit } from './contract/kit.js';

const redis = useKit();
let clients: (Redis | Cluster)[] = [];

afterEach(() => {
  for (const client of clients) client.disconnect();
  clients = [];
});

function own<T extends Redis | Cluster>(client: T): T {
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

/** Adds of each kind, a retry, a result, events, reads: whatever an option might break. */
async function everything(connection: Connection, waits = false): Promise<void> {
  await using queue = new Queue('mail', { connection });
  await using events = new QueueEvents('mail', { connection });
  const heard: string[] = [];
  events.on('completed', ({ jobId }) => heard.push(jobId));
  await events.waitUntilReady();
  const errors: string[] = [];
  await using worker = new Worker(
    'mail',
    (job) => {
      if (job.attemptsMade === 1 && job.name === 'twice') throw new Error('again');
      return job.data;
    },
    {
      connection,
      storeResults: true,
      blockMs: waits ? 300 : 5_000,
      retry: { initialBackoffMs: 1, jitterMs: 0 },
    },
  );
  worker.on('error', (error) => errors.push(error.message));
  await worker.waitUntilReady();
  const [one, two, three] = await Promise.all([
    queue.add('once', { at: 1 }, { jobId: 'mine' }),
    queue.add('twice', 2 ** 40),
    queue.add('later', [null], { delay: 5 }),
  ]);
  expect((await queue.add('once', { at: 1 }, { jobId: 'mine' })).duplicate).toBe(true);
  expect(await Promise.all([one, two, three].map((job) => job.waitForResult()))).toEqual([
    { at: 1 },
    2 ** 40,
    [null],
  ]);
  await eventually(() => {
    expect(heard.sort()).toEqual([one, two, three].map(({ id }) => id).sort());
  });
  expect(await queue.getBacklog()).toMatchObject({ waiting: 0, delayed: 0, deadLetters: 0 });
  expect(await queue.peekDlq()).toEqual([]);
  expect(await queue.getRepeatableJobs()).toEqual([]);
  await queue.add('tick', 1, { repeat: { every: 3_600_000 } });
  expect(await queue.getRepeatableJobs()).toMatchObject([{ jobName: 'tick', every: 3_600_000 }]);
  expect(await queue.remove('gone')).toBe(0);
  expect(await queue.cancel('gone')).toBe('gone');
  expect(await queue.ping()).toBeGreaterThan(0);
  // Longer than its reads wait: none of them is given up.
  if (waits) await new Promise((resolve) => setTimeout(resolve, 350));
  expect(errors).toEqual([]);
}

const hasTimes = (options: object): boolean => JSON.stringify(options).includes('Timeout');

async function everythingOn(client: Redis | Cluster, waits: boolean): Promise<void> {
  client.on('error', () => undefined);
  try {
    await everything(client, waits);
  } finally {
    client.disconnect();
  }
}

const ODD: [string, object][] = [
  ['enableAutoPipelining', { enableAutoPipelining: true }],
  ['stringNumbers', { stringNumbers: true }],
  ['replyMapping', { replyMapping: 'resp3' }],
  ['replyMapping and stringNumbers', { replyMapping: 'resp3', stringNumbers: true }],
  ['protocol', { protocol: 2 }],
  ['protocol and stringNumbers', { protocol: 2, stringNumbers: true }],
  ['commandTimeout', { commandTimeout: 250 }],
  ['blockingTimeout', { blockingTimeout: 50, blockingTimeoutGrace: 1 }],
  ['socketTimeout', { socketTimeout: 200 }],
  ['enableOfflineQueue', { enableOfflineQueue: false }],
  ['enableReadyCheck', { enableReadyCheck: false }],
  ['maxRetriesPerRequest', { maxRetriesPerRequest: 0 }],
  ['autoResendUnfulfilledCommands', { autoResendUnfulfilledCommands: false }],
  ['autoResubscribe', { autoResubscribe: false }],
  ['lazyConnect', { lazyConnect: false }],
  ['showFriendlyErrorStack', { showFriendlyErrorStack: true }],
  ['retryStrategy', { retryStrategy: () => null }],
  ['reconnectOnError', { reconnectOnError: () => 2 }],
  ['connectionName', { connectionName: 'mine' }],
  ['scripts', { scripts: { call: { lua: 'return 1', numberOfKeys: 0 } } }],
  ['db', { db: 5 }],
  ['disableClientInfo', { disableClientInfo: true }],
];

describe('options of ioredis that could break this package', () => {
  it.each(ODD)('%s', async (_, options) => {
    await everything({ ...redis.connection, ...options }, hasTimes(options));
  });

  it.each(ODD)('%s, on a client of the user’s own', async (_, options) => {
    await everythingOn(new Redis({ ...redis.connection, lazyConnect: true, ...options }), hasTimes(options));
  });

  it('a Unix socket', async () => {
    const path = `${redis.server.dir}/redis.sock`;
    await using server = await (
      await import('../../lib/testing/index.js')
    ).RedisServer.start({ args: ['--unixsocket', path] });
    expect(server.port).not.toBe(redis.port);
    await everything({ path });
  });

  it('commandTimeout bounds calls without commandTimeoutMs, and the outcome is unknown', async () => {
    await using queue = new Queue('mail', { connection: { ...redis.connection, commandTimeout: 150 } });
    await queue.add('a', 1);
    redis.server.pause();
    const error = await rejection(queue.add('a', 2));
    redis.server.resume();
    expect(error).toMatchObject({ code: 'CMQ-001', unknownOutcome: true });
    expect(error.message).toContain('150 ms');
  });

  it('enableOfflineQueue: false refuses calls at once while Redis is away, and sends nothing', async () => {
    await using queue = new Queue('mail', { connection: { ...redis.connection, enableOfflineQueue: false } });
    queue.on('error', () => undefined);
    await queue.add('a', 1);
    await redis.server.kill();
    await eventually(() => {
      expect(queue.connectionInfo.status).not.toBe('ready');
    });
    const error = await rejection(queue.add('a', 2));
    expect(error).toMatchObject({ code: 'CMQ-001', unknownOutcome: false });
    expect(error.message).toMatch(/enableOfflineQueue is false/);
    await redis.server.restart();
    await eventually(() => queue.add('a', 3));
  });
});

describe('options of a cluster that could break this package', () => {
  const cluster = useCluster();
  const CLUSTER: [string, object][] = [
    ['enableAutoPipelining', { enableAutoPipelining: true }],
    ['scaleReads', { scaleReads: 'slave' }],
    ['scaleReads as a function', { scaleReads: () => [] }],
    ['enableOfflineQueue', { enableOfflineQueue: false }],
    ['shardedSubscribers', { shardedSubscribers: true }],
    ['slotsRefreshInterval', { slotsRefreshInterval: 100 }],
    [
      'options of its nodes',
      { redisOptions: { commandTimeout: 250, socketTimeout: 250, blockingTimeout: 50 } },
    ],
    ['stringNumbers', { redisOptions: { stringNumbers: true } }],
    ['replyMapping', { redisOptions: { replyMapping: 'resp3' } }],
  ];

  it.each(CLUSTER)('%s', async (_, clusterOptions) => {
    await everything({ ...cluster.connection, clusterOptions }, hasTimes(clusterOptions));
  });

  it.each(CLUSTER)('%s, on a client of the user’s own', async (_, options) => {
    await everythingOn(
      new Cluster(cluster.connection.cluster, { lazyConnect: true, ...options }),
      hasTimes(options),
    );
  });
});

describe('a retryStrategy that gives up', () => {
  it('is reported, shows in the health, and ends with the outage', async () => {
    const connection = { ...redis.connection, retryStrategy: () => null };
    const worker = redis.worker(() => undefined, { connection, blockMs: 100 });
    const queue = redis.queue({ connection });
    await next(worker, 'ready');
    const reported = next(worker, 'error');
    await redis.server.kill();
    const [error] = await reported;
    expect(error).toMatchObject({ code: 'CMQ-001' });
    expect(error.message).toMatch(/retryStrategy gave up/);
    expect(worker.health()).toMatchObject({ state: 'disconnected' });
    expect(redis.errors).toHaveLength(1);
    expect(await rejection(queue.add('a', 1))).toMatchObject({ code: 'CMQ-001' });
    expect(queue.connectionInfo).toMatchObject({ status: 'end' });
    await redis.server.restart();
    const done = next(worker, 'completed');
    await eventually(() => queue.add('a', 1));
    await done;
    expect(worker.health()).toMatchObject({ state: 'running' });
    redis.errors.length = 0;
  });

  it('on a client of the user’s own: every call reports it, and only the user reopens the client', async () => {
    const client = own(new Redis({ ...redis.connection, retryStrategy: () => null }));
    const queue = redis.queue({ connection: client });
    const worker = redis.worker(() => undefined, { connection: client, blockMs: 100 });
    await next(worker, 'ready');
    const completed = next(worker, 'completed');
    await queue.add('a', 1);
    await completed;
    client.disconnect();
    const error = await rejection(queue.add('a', 1));
    expect(error).toMatchObject({ code: 'CMQ-001' });
    expect(error.message).toMatch(
      /closed and does not reconnect: its retryStrategy gave up, or the client was closed/,
    );
    await eventually(() => {
      expect(worker.health()).toMatchObject({ state: 'disconnected' });
    });
    expect(await rejection(queue.waitUntilReady())).toMatchObject({ code: 'CMQ-001' });
    expect(client.status).toBe('end');
    redis.errors.length = 0;
  });

  it('a strategy that throws or returns no delay causes no failure', async () => {
    const strategies: (() => never | number)[] = [
      () => {
        throw new Error('strategy');
      },
      () => -5,
      () => NaN,
    ];
    for (const retryStrategy of strategies) {
      const queue = redis.queue({ connection: { ...redis.connection, retryStrategy } });
      queue.on('error', () => undefined);
      await queue.add('a', 1);
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventually(() => queue.add('a', 1));
    }
  });
});

it('a client with a transaction open is explained, and the call joins no other', async () => {
  const client = new Redis(redis.connection);
  await using queue = new Queue('odd', { connection: client });
  await queue.add('a', 1);
  await client.multi({ pipeline: false });
  const said = { code: 'CMQ-001', unknownOutcome: true, message: expect.stringMatching(/MULTI/) as string };
  await expect(queue.add('a', 2)).rejects.toMatchObject(said);
  await expect(queue.getBacklog()).rejects.toMatchObject(said);
  await client.discard();
  await queue.add('a', 3);
  expect(await queue.getBacklog()).toMatchObject({ waiting: 2 });
  await client.quit();
});

describe('listeners on a client of the user’s own', () => {
  it('are few while it is used, and removed when all its users are closed', async () => {
    const client = own(new Redis(redis.connection));
    const count = (): Record<string, number> =>
      Object.fromEntries(client.eventNames().map((name) => [String(name), client.listenerCount(name)]));
    await client.ping();
    const before = count();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const all = Array.from({ length: 30 }, (_, index) => [
      new Queue(`queue-${index}`, { connection: client }),
      new Worker(`queue-${index}`, () => undefined, { connection: client }),
      new QueueEvents(`queue-${index}`, { connection: client }),
    ]).flat();
    await Promise.all(all.map((one) => one.waitUntilReady()));
    for (const [name, listeners] of Object.entries(count())) {
      expect(listeners - (before[name] ?? 0), name).toBeLessThan(4);
    }
    await Promise.all(all.map((one) => one.close()));
    process.off('warning', onWarning);
    expect(count()).toEqual(before);
    expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
  });

  it('are also removed by a close during connecting', async () => {
    const client = own(new Redis({ port: 1, retryStrategy: () => 10 }));
    const before = client.listenerCount('error');
    const queue = new Queue('mail', { connection: client });
    queue.on('error', () => undefined);
    const adding = rejection(queue.add('a', 1));
    await queue.close();
    await adding;
    expect(client.eventNames().filter((name) => name !== 'error' && client.listenerCount(name) > 0)).toEqual(
      [],
    );
    expect(client.listenerCount('error')).toBe(before);
  });
});
