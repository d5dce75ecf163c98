import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Queue, QueueEvents, RateLimitError, Worker } from '../../lib/engine/index.js';
import type { ConnectionError } from '../../lib/engine/index.js';
import { RedisServer } from '../../lib/testing/index.js';
import { TcpProxy } from '../support/proxy.js';
import { eventually, next, rejection, useKit } from './contract/kit.js';

const redis = useKit();

/** What one who uses a connection was told. */
function told(source: Queue | Worker | QueueEvents): {
  outages: ConnectionError[];
  others: Error[];
  ends: number[];
} {
  const heard = { outages: [] as ConnectionError[], others: [] as Error[], ends: [] as number[] };
  const common = source as QueueEvents;
  common.on('error', (error) => {
    if ((error as ConnectionError).outage) heard.outages.push(error as ConnectionError);
    else heard.others.push(error);
  });
  common.on('reconnected', ({ downMs, address }) => {
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    heard.ends.push(downMs);
  });
  return heard;
}

describe('an outage', () => {
  it('is reported once within a second of the first refused connection, and once at its end', async () => {
    const connection = { ...redis.connection };
    const queue = redis.queue({ connection, commandTimeoutMs: 400 });
    const worker = redis.worker(() => undefined, { connection, blockMs: 200, commandTimeoutMs: 400 });
    const events = await redis.events({ connection, blockingTimeout: 200 });
    await next(worker, 'ready');
    const all = [queue, worker, events].map(told);
    await redis.server.kill();
    const begun = performance.now();
    await eventually(() => {
      for (const { outages } of all) expect(outages).toHaveLength(1);
    });
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(worker.health()).toMatchObject({ state: 'disconnected' });
    expect(worker.health().disconnectedMs).toBeGreaterThan(0);
    await rejection(queue.add('a', 1));
    // Long enough for reads, the promoter and the heartbeat to fail too.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    for (const { outages, others, ends } of all) {
      expect(outages).toHaveLength(1);
      expect(outages[0]).toMatchObject({ code: 'CMQ-001' });
      expect(outages[0]?.message).toContain(`127.0.0.1:${String(redis.port)}`);
      expect(others.map(String)).toEqual([]);
      expect(ends).toEqual([]);
    }
    await redis.server.restart();
    await eventually(() => {
      for (const { ends } of all) expect(ends).toHaveLength(1);
    });
    for (const { ends } of all) expect(ends[0]).toBeGreaterThan(2_000);
    const done = next(worker, 'completed');
    await queue.add('a', 2);
    await done;
    expect(worker.health()).toMatchObject({ state: 'running', disconnectedMs: 0 });
    for (const { outages, others } of all) expect([outages.length, others.map(String)]).toEqual([1, []]);
    redis.errors.length = 0;
  });

  it('is not reported if the connection is back at once', async () => {
    const queue = redis.queue();
    const heard = told(queue);
    await queue.add('a', 1);
    for (let times = 0; times < 5; times++) {
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventually(() => queue.add('a', 1));
    }
    expect(heard).toEqual({ outages: [], others: [], ends: [] });
  });

  it('is reported if nothing is refused and nothing answers', async () => {
    await using proxy = await TcpProxy.start(redis);
    await using queue = new Queue('mail', { connection: { host: proxy.host, port: proxy.port } });
    const heard = told(queue);
    await queue.add('a', 1);
    proxy.blackhole(true);
    proxy.cut();
    const begun = performance.now();
    await eventually(() => {
      expect(heard.outages).toHaveLength(1);
    });
    expect(performance.now() - begun).toBeLessThan(4_500);
    proxy.blackhole(false);
    proxy.cut();
    await eventually(() => {
      expect(heard.ends).toHaveLength(1);
    });
  });

  it('is not explained by the error of an earlier one', async () => {
    const queue = redis.queue({ commandTimeoutMs: 300 });
    const heard = told(queue);
    await queue.add('a', 1);
    await redis.server.kill();
    await eventually(() => {
      expect(heard.outages[0]?.message).toContain('ECONNREFUSED');
    });
    await redis.server.restart();
    await eventually(() => queue.add('a', 1));
    redis.server.pause();
    const messages: string[] = [];
    // Until the connection is being made anew, and longer.
    for (let i = 0; i < 8; i++) messages.push(String(await rejection(queue.add('a', 1))));
    redis.server.resume();
    expect(messages.filter((message) => message.includes('ECONNREFUSED'))).toEqual([]);
    await eventually(() => queue.add('a', 1));
    redis.errors.length = 0;
  });

  it('is one process warning for all users of the connection, without listeners', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => {
      if ((warning as ConnectionError).outage) warnings.push(warning);
    };
    process.on('warning', onWarning);
    const connection = { port: 1, host: '127.0.0.1' };
    const queues = ['a', 'b', 'c'].map((name) => new Queue(name, { connection, connectTimeoutMs: 100 }));
    await Promise.all(queues.map((queue) => rejection(queue.add('x', 1))));
    await eventually(() => {
      expect(warnings).toHaveLength(1);
    });
    await Promise.all(queues.map((queue) => queue.close()));
    process.off('warning', onWarning);
  });

  it('at the start: a subscription with autorun begins when Redis is up', async () => {
    const { port, host } = redis;
    await redis.server.kill();
    const events = new QueueEvents('mail', { connection: { host, port }, connectTimeoutMs: 100 });
    const worker = new Worker('mail', () => undefined, { connection: { host, port }, connectTimeoutMs: 100 });
    const all = [events, worker].map(told);
    await rejection(events.waitUntilReady());
    await new Promise((resolve) => setTimeout(resolve, 300));
    await redis.server.restart();
    const completed = new Promise<void>((resolve) => {
      events.on('completed', () => {
        resolve();
      });
    });
    await eventually(() => events.waitUntilReady());
    await redis.queue().add('a', 1);
    await completed;
    for (const { outages, others, ends } of all) {
      expect([outages.length, others.map(String), ends.length]).toEqual([1, [], 1]);
    }
    await Promise.all([events.close(), worker.close()]);
  });
});

describe('QueueEvents.waitUntilReady without run()', () => {
  it('fixes the starting point, and run() continues from it', async () => {
    await using events = new QueueEvents('mail', { connection: redis.connection, autorun: false });
    await events.waitUntilReady();
    const queue = redis.queue();
    const { id } = await queue.add('a', 1);
    const heard = next(events, 'waiting');
    void events.run();
    expect((await heard)[0]).toMatchObject({ jobId: id });
  });

  it('rejects while Redis is away, and settles on close', async () => {
    const gone = new QueueEvents('mail', { connection: { port: 1 }, autorun: false, connectTimeoutMs: 50 });
    gone.on('error', () => undefined);
    expect(await rejection(gone.waitUntilReady())).toMatchObject({ code: 'CMQ-001' });
    const waiting = gone.waitUntilReady();
    await gone.close();
    await waiting;
  });
});

describe('an eviction policy', () => {
  it.each(['allkeys-lru', 'allkeys-random', 'volatile-lru', 'volatile-ttl'])(
    '%s is warned of once by each who listens, with the setting to use',
    async (policy) => {
      await redis.client.config('SET', 'maxmemory-policy', policy);
      try {
        const connection = { ...redis.connection };
        const queue = redis.queue({ connection });
        const warnings: Error[] = [];
        queue.on('warning', (warning) => warnings.push(warning));
        const worker = redis.worker(() => undefined, { connection });
        worker.on('warning', (warning) => warnings.push(warning));
        await Promise.all([queue.add('a', 1), next(worker, 'ready')]);
        await queue.add('a', 1);
        const later = redis.queue({ connection });
        later.on('warning', (warning) => warnings.push(warning));
        await later.add('a', 1);
        await eventually(() => {
          expect(warnings).toHaveLength(3);
        });
        expect(new Set(warnings).size).toBe(1);
        expect(warnings[0]).toMatchObject({ code: 'CMQ-004', name: 'ConfigError' });
        expect(warnings[0]?.message).toMatch(new RegExp(`${policy}.*Set maxmemory-policy noeviction`));
        expect(queue.connectionInfo).toMatchObject({ evictionPolicy: policy });
      } finally {
        await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
      }
    },
  );

  it('noeviction gives no warning, nor does a user without the permission to read it', async () => {
    const warnings: Error[] = [];
    const queue = redis.queue();
    queue.on('warning', (warning) => warnings.push(warning));
    await queue.add('a', 1);
    expect(queue.connectionInfo).toMatchObject({ evictionPolicy: 'noeviction' });
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await redis.client.acl('SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-info');
    try {
      const limited = redis.queue({
        connection: { ...redis.connection, username: 'plain', password: 'secret', enableReadyCheck: false },
      });
      limited.on('warning', (warning) => warnings.push(warning));
      await limited.add('a', 1);
      expect(limited.connectionInfo).toMatchObject({ evictionPolicy: undefined });
    } finally {
      await redis.client.acl('DELUSER', 'plain');
      await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    }
    expect(warnings).toEqual([]);
  });
});

describe('a replica', () => {
  let replica: RedisServer;

  beforeAll(async () => {
    replica = await RedisServer.start({ args: ['--replicaof', redis.host, String(redis.port)] });
  });
  afterAll(() => replica.stop());

  it('is refused at once, with READONLY and the fix', async () => {
    const connection = { host: replica.host, port: replica.port };
    const begun = performance.now();
    const queue = redis.queue({ connection });
    const error = await rejection(queue.add('a', 1));
    expect(error).toMatchObject({ code: 'CMQ-001', unknownOutcome: false });
    expect(error.message).toMatch(/READONLY.*Connect to its master/);
    const client = new Redis(connection);
    const own = redis.queue({ connection: client });
    expect((await rejection(own.add('a', 1))).message).toMatch(/READONLY/);
    client.disconnect();
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  it('that was the master: calls fail with READONLY soon, with few connections, and succeed when it is master again', async () => {
    await using server = await RedisServer.start();
    const admin = new Redis(server.port, server.host);
    const queue = redis.queue({ connection: { host: server.host, port: server.port } });
    queue.on('error', () => undefined);
    await queue.add('a', 1);
    const connections = async (): Promise<number> =>
      Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1]);
    const before = await connections();
    await admin.replicaof(redis.host, redis.port);
    const begun = performance.now();
    const error = await rejection(queue.add('a', 2));
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(error).toMatchObject({ code: 'CMQ-001', unknownOutcome: false });
    expect(error.message).toMatch(/READONLY.*Connect to its master/);
    expect((await connections()) - before).toBeLessThan(20);
    await admin.replicaof('NO', 'ONE');
    await eventually(() => queue.add('a', 3));
    admin.disconnect();
  });
});

it('RateLimitError is exported', async () => {
  expect(new RateLimitError()).toMatchObject({ name: 'RateLimitError', code: 'CMQ-101' });
  expect(Worker.RateLimitError()).toBeInstanceOf(RateLimitError);
  expect(await redis.queue().isPaused()).toBe(false);
});
