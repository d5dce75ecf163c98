import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { Queue, QueueEvents, Worker } from '../../../lib/engine/index.js';
import type { Connection } from '../../../lib/engine/index.js';
import { deadPort, helloReply, useFakeRedis } from '../../support/fake-redis.js';
import { KEYS, NAME, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();
const fakeServer = useFakeRedis();

const connections = async (): Promise<number> =>
  ((await redis.client.client('LIST')) as string)
    .split('\n')
    .filter((line) => line.includes('id=') && !line.includes('name=test-control')).length;

/** How many calls of each command Redis executes in some time. */
async function sentWithin(ms: number): Promise<Record<string, number>> {
  const before = await calls();
  await delay(ms);
  const after = await calls();
  const sent = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(sent.filter(([, count]) => count > 0));
}

async function calls(): Promise<Map<string, number>> {
  const stats = await redis.client.info('commandstats');
  return new Map(
    [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, count]) => [name!, Number(count)]),
  );
}

function old(server: string, version: string): Promise<number> {
  return fakeServer((command) => {
    if (command === 'hello') return helloReply(server, version);
    if (command === 'info') return '$0\r\n\r\n';
    return '+OK\r\n';
  });
}

describe('sharing', () => {
  test('20 queues with workers on one options object: 21 connections, and nothing but reads that block', async () => {
    const connection = { ...redis.connection };
    const workers = Array.from({ length: 20 }, (_, index) => {
      redis.queue({ connection }, `queue-${index}`);
      return redis.worker(() => undefined, { connection }, `queue-${index}`);
    });
    await Promise.all(workers.map((worker) => next(worker, 'ready')));
    expect(await connections()).toBeLessThanOrEqual(22);
    // Housekeeping comes every half minute or so, and starting has a cost: between them there is a quiet time.
    await eventually(async () => {
      const { xreadgroup = 0, exists = 0, info, ...others } = await sentWithin(4_000);
      expect(others).toEqual({});
      expect(info).toBe(1);
      // Each worker ends at most one read of 5 s and begins another; one worker looks whether Redis is empty.
      expect(xreadgroup).toBeLessThanOrEqual(20 * 2);
      expect(exists).toBeLessThanOrEqual(20);
    }, 40_000);
  }, 60_000);

  test('the connection stays open while one user is open, and closes with the last one', async () => {
    const connection = { ...redis.connection };
    const a = redis.queue({ connection }, 'a');
    const b = redis.queue({ connection }, 'b');
    await Promise.all([a.add('x', 1), b.add('x', 1)]);
    expect(await connections()).toBe(1);
    await a.close();
    await b.add('x', 1);
    expect(await connections()).toBe(1);
    await b.close();
    await expect.poll(connections).toBe(0);
    const c = redis.queue({ connection }, 'c');
    await c.add('x', 1);
  });

  test.each<[string, () => Connection]>([
    ['a URL', () => redis.url],
    ['an options object with a URL', () => ({ url: redis.url })],
    ['an options object', () => ({ host: redis.host, port: redis.port, db: 3, connectionName: 'mine' })],
  ])('%s works for all three', async (_, make) => {
    const connection = make();
    const events = await redis.events({ connection });
    const completed = next(events, 'completed');
    redis.worker(() => undefined, { connection });
    await redis.queue({ connection }).add('a', 1);
    await completed;
  });

  test('a host that is undefined, as of an unset variable, is refused and does not lead to localhost', async () => {
    for (const connection of [
      { host: undefined, port: redis.port },
      { url: undefined, password: 'x' },
    ] as unknown as Connection[]) {
      for (const make of [
        () => new Queue(NAME, { connection }),
        () => new Worker(NAME, () => undefined, { connection }),
        () => new QueueEvents(NAME, { connection }),
      ]) {
        expect(make).toThrow(
          /option "connection" has a "(host|url)" that is undefined.*environment variable/,
        );
        expect(make).toThrow(expect.objectContaining({ code: 'CMQ-004' }) as Error);
      }
    }
    const connection = { host: redis.host, port: redis.port, url: undefined, path: undefined };
    await redis.queue({ connection: connection as unknown as Connection }).add('a', 1);
  });

  test('connection options reach ioredis unchanged', async () => {
    const queue = redis.queue({
      connection: { ...redis.connection, db: 3, connectionName: 'from-the-user' },
    });
    await queue.add('a', 1);
    expect(await redis.client.client('LIST')).toMatch(/name=from-the-user.* db=3/);
    expect(await redis.keys()).toEqual([]);
  });
});

describe('a client of the user’s own', () => {
  test.each<[string, object]>([
    ['as it comes', {}],
    ['that maps replies as RESP3', { protocol: 3, replyMapping: 'resp3' }],
    ['of protocol 2', { protocol: 2 }],
    ['with retries bounded', { maxRetriesPerRequest: 1 }],
  ])('%s is used and never closed', async (_, options) => {
    const client = new Redis({ ...redis.connection, ...options, connectionName: 'users-own' });
    client.on('error', () => undefined);
    try {
      const events = await redis.events({ connection: client });
      const completed = take(events, 'completed', 3);
      const worker = redis.worker(
        (job) => {
          if (job.attemptsMade < 2) throw new Error('again');
          return job.id;
        },
        { connection: client, storeResults: true, claimMinIdleMs: 100 },
      );
      const queue = redis.queue({ connection: client });
      const jobs = await queue.addBulk([
        { name: 'a', data: 1 },
        { name: 'a', data: 1, opts: { delay: 2 } },
        { name: 'a', data: 1, opts: { jobId: 'mine' } },
      ]);
      await completed;
      expect(await queue.getJobResult('mine')).toBe('mine');
      expect(await queue.peekDlq()).toEqual([]);
      expect(await queue.remove(jobs[0]!.id)).toBe(0);
      await Promise.all([queue.close(), worker.close(), events.close()]);
      expect(await client.ping()).toBe('PONG');
      const others = ((await redis.client.client('LIST')) as string)
        .split('\n')
        .filter((line) => line.includes('users-own'));
      expect(others.length).toBe(1);
    } finally {
      client.disconnect();
    }
  });
});

describe('a server that is too old', () => {
  test.each([
    ['redis', '5.0.14', true],
    ['redis', '6.0.20', true],
    ['redis', '6.2.0', false],
    ['redis', '10.0.0', false],
    ['valkey', '7.1.9', true],
    ['valkey', '7.2.0', false],
  ])('%s %s', async (server, version, tooOld) => {
    const port = await old(server, version);
    await using queue = new Queue(NAME, {
      connection: { host: '127.0.0.1', port, enableReadyCheck: false, password: 'hunter2' },
    });
    const ready = queue.waitUntilReady();
    if (!tooOld) {
      await ready;
      return;
    }
    const error = await rejection(ready);
    expect(error).toMatchObject({ code: 'CMQ-004', name: 'ConfigError' });
    expect(error.message).toMatch(`${server} ${version}`);
    expect(error.message).toMatch(`127.0.0.1:${port}`);
    expect(error.message).toMatch(/Redis 6\.2 or Valkey 7\.2/);
    expect(error.message).not.toContain('hunter2');
  });

  test('the run() of a worker rejects too', async () => {
    const port = await old('redis', '5.0.14');
    await using worker = new Worker(NAME, () => undefined, {
      connection: { host: '127.0.0.1', port, enableReadyCheck: false },
      autorun: false,
    });
    expect(await rejection(worker.run())).toMatchObject({ code: 'CMQ-004' });
  });
});

describe('a server that does not exist', () => {
  const SECRET = 'hunter2-secret';

  /** Everything a log might show of an error. */
  const printed = (error: unknown): string => {
    let text = '';
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      text += `${at.message} ${at.stack} ${JSON.stringify(at)}`;
    return text;
  };

  test.each<[string, (port: number) => Connection]>([
    ['by options', (port) => ({ host: '127.0.0.1', port, password: SECRET, username: 'me' })],
    ['by URL', (port) => `redis://me:${SECRET}@127.0.0.1:${port}`],
    ['by URL in options', (port) => ({ url: `redis://me:${SECRET}@127.0.0.1:${port}` })],
  ])(
    'given %s: an error within the connect deadline that names host and port, never the password',
    async (_, make) => {
      const port = await deadPort();
      const queue = new Queue(NAME, { connection: make(port), connectTimeoutMs: 150 });
      const begun = performance.now();
      for (const call of [
        queue.add('a', 1),
        queue.addBulk([{ name: 'a', data: 1 }]),
        queue.peekDlq(),
        queue.waitUntilReady(),
      ]) {
        const error = await rejection(call);
        expect(error).toMatchObject({ code: 'CMQ-001', name: 'ConnectionError', unknownOutcome: false });
        expect(error.message).toMatch(`127.0.0.1:${port}`);
        expect(error.message).toMatch(/ECONNREFUSED/);
        expect(printed(error)).not.toContain(SECRET);
      }
      expect(performance.now() - begun).toBeLessThan(3_000);
      await queue.close();
    },
  );

  test('the run() of a worker rejects, and close() settles at once', async () => {
    const worker = new Worker(NAME, () => undefined, {
      connection: { host: '127.0.0.1', port: await deadPort() },
      connectTimeoutMs: 100,
    });
    const [error] = await next(worker, 'error');
    expect(error).toMatchObject({ code: 'CMQ-001' });
    expect(worker.isRunning()).toBe(false);
    const begun = performance.now();
    await worker.close();
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('close() during an attempt ends the attempt', async () => {
    const connection = { host: '127.0.0.1', port: await deadPort() };
    const queue = new Queue(NAME, { connection });
    const adding = rejection(queue.add('a', 1));
    const worker = new Worker(NAME, () => undefined, { connection });
    worker.on('error', () => undefined);
    const events = new QueueEvents(NAME, { connection });
    events.on('error', () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const begun = performance.now();
    await Promise.all([queue.close(), worker.close(), events.close()]);
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect((await adding).message).toBeDefined();
  });

  test('a server that accepts and never answers: the same error by the deadline', async () => {
    const port = await fakeServer(() => undefined);
    const queue = new Queue(NAME, { connection: { host: '127.0.0.1', port }, connectTimeoutMs: 150 });
    const error = await rejection(queue.add('a', 1));
    expect(error).toMatchObject({ code: 'CMQ-001' });
    expect(error.message).toMatch(`127.0.0.1:${port}`);
    await queue.close();
  });

  test('a server that stops answering: the call fails by commandTimeoutMs, and its outcome is unknown', async () => {
    const queue = redis.queue({ commandTimeoutMs: 100 });
    await queue.add('a', 1);
    redis.server.pause();
    const error = await rejection(queue.add('a', 2));
    redis.server.resume();
    expect(error).toMatchObject({ code: 'CMQ-001', unknownOutcome: true });
    expect(error.message).toMatch(/within 100 ms; Redis may or may not have executed it/);
    await eventually(() => queue.add('a', 3));
  });
});

describe('a password', () => {
  const guarded = useKit({ password: 'correct' });

  test('that is correct works', async () => {
    const worker = guarded.worker(() => undefined);
    const done = next(worker, 'completed');
    await guarded.queue().add('a', 1);
    await done;
  });

  test.each<[string, object, RegExp]>([
    ['wrong', { password: 'wrong-secret' }, /WRONGPASS.*Check username and password/],
    ['wrong for a user', { username: 'nobody', password: 'wrong-secret' }, /WRONGPASS/],
    ['missing', { password: undefined }, /NOAUTH/],
  ])('that is %s is refused at once, without being shown', async (_, options, says) => {
    const connection = { host: guarded.host, port: guarded.port, ...options };
    const queue = new Queue(NAME, { connection: connection });
    const begun = performance.now();
    const error = await rejection(queue.add('a', 1));
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(error).toMatchObject({ code: 'CMQ-001' });
    expect(error.message).toMatch(says);
    expect(error.message).toMatch(`127.0.0.1:${guarded.port}`);
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(
      'wrong-secret',
    );
    await queue.close();
    expect(await guarded.client.keys(KEYS.prefix + '*')).toEqual([]);
  });
});
