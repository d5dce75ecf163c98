import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CommandLink } from '../../../lib/engine/connection/command-link.js';
import { Producer, Queue, RepeatPattern, Worker } from '../../../lib/engine/index.js';
import type { Processor, WorkerOptions } from '../../../lib/engine/index.js';
import { queueKeys } from '../../../lib/redis/keys.js';
import { RedisServer } from '../../../lib/testing/index.js';
import { CONTROL_NAME, LeakCheck } from '../../support/leak-check.js';
import { KEYS, QUICK, eventually, take, useKit } from './kit.js';

/** Longer than the time between two checks of the declared schedules. */
const CHECK_MS = 2_600;

const warnings: (Error & { code?: string })[] = [];
const onWarning = (warning: Error): void => void warnings.push(warning);
beforeAll(() => {
  process.on('warning', onWarning);
});
afterAll(() => {
  process.off('warning', onWarning);
});

/** A server and a queue of one test: almost all of their time is waiting for checks, so several tests wait at once. */
class Place implements AsyncDisposable {
  static #count = 0;
  readonly name = `mail-${String((Place.#count += 1))}`;
  readonly keys = queueKeys(this.name);
  readonly client: Redis;
  readonly connection: { readonly host: string; readonly port: number };
  /** What workers reported; a test that expects some empties it. */
  readonly errors: Error[] = [];
  readonly #open: (Queue | Worker)[] = [];
  readonly #leaks = new LeakCheck();

  private constructor(readonly server: RedisServer) {
    this.connection = { host: server.host, port: server.port };
    const unending = { maxRetriesPerRequest: null, retryStrategy: () => 20 };
    this.client = new Redis(server.url, { connectionName: CONTROL_NAME, ...unending });
    this.client.on('error', () => undefined);
  }

  static async start(): Promise<Place> {
    const place = new Place(await RedisServer.start());
    await place.#leaks.remember([place.client]);
    return place;
  }

  queue(): Queue {
    const queue = new Queue(this.name, { connection: { ...this.connection } });
    this.#open.push(queue);
    return queue;
  }

  worker(processor: Processor, options: Omit<WorkerOptions, 'connection'>): Worker {
    const worker = new Worker(this.name, processor, {
      connection: { ...this.connection },
      ...QUICK,
      ...options,
    });
    worker.on('error', (error) => this.errors.push(error));
    this.#open.push(worker);
    return worker;
  }

  /** The reports of this server that data is lost. */
  losses(): Error[] {
    const { host, port } = this.connection;
    return warnings.filter(
      ({ code, message }) =>
        code === 'CMQ-105' && message.startsWith(`Redis at ${host}:${String(port)} has lost`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await Promise.all(this.#open.map((one) => one.close()));
      expect(this.errors.map(String), 'errors that workers reported').toEqual([]);
      await this.#leaks.verify([this.client]);
    } finally {
      this.client.disconnect();
      await this.server.stop();
    }
  }
}

/** Resolves when the only queue of the test has checked its schedules, from beginning to end, after now. */
async function checkedOnce(): Promise<void> {
  const run = vi.spyOn(CommandLink.prototype, 'run');
  const ended = (): number =>
    run.mock.calls.filter(([name], call) => {
      return name === 'check-schedules' && run.mock.settledResults[call]?.type === 'fulfilled';
    }).length;
  await eventually(() => {
    expect(ended()).toBeGreaterThanOrEqual(1);
  });
  run.mockRestore();
}

const keysOf = async (queue: Queue): Promise<string[]> =>
  (await queue.getRepeatableJobs()).map(({ key }) => key).toSorted();

const repeat = (key: string, options: object = {}): object => ({
  repeat: { every: 3_600_000, ...options },
  repeatJobKey: key,
});

describe.concurrent('a declared schedule that Redis lost is restored', () => {
  test('after Redis restarted empty, with its next slot', async () => {
    await using redis = await Place.start();
    const queue = redis.queue();
    const data = { to: 'all' };
    await queue.add('digest', data, repeat('digest'));
    await queue.add('other', 1, repeat('other'));
    const before = await queue.getRepeatableJobs();
    // What the caller does with its data later is no part of the schedule.
    data.to = 'nobody';
    await redis.server.kill();
    await redis.server.restart();
    await eventually(async () => {
      expect(await keysOf(queue)).toEqual(['digest', 'other']);
    });
    expect(await queue.getRepeatableJobs()).toEqual(before);
    await eventually(() => {
      expect(redis.losses()).toHaveLength(1);
    });
    expect(redis.losses()[0]?.message).toMatch(/2 schedule\(s\).*"digest", "other"/);
    await queue.add('digest', { to: 'all' }, repeat('digest'));
    expect((await queue.getRepeatableJobs()).map(({ fired }) => fired)).toEqual([0, 0]);
  });

  test('after somebody emptied Redis, except if it was over', async () => {
    await using redis = await Place.start();
    const queue = redis.queue();
    const worker = redis.worker(() => undefined, { schedulerTickMs: 50 });
    await queue.add('tick', null, repeat('over', { every: 100, limit: 2 }));
    await queue.add('tick', null, repeat('goes on'));
    await take(worker, 'completed', 2);
    await delay(CHECK_MS);
    expect(await keysOf(queue)).toEqual(['goes on']);
    await redis.client.flushall();
    await eventually(async () => {
      expect(await keysOf(queue)).toEqual(['goes on']);
    });
    await delay(CHECK_MS);
    expect(await keysOf(queue)).toEqual(['goes on']);
    redis.errors.length = 0;
  });

  test('of a Producer too', async () => {
    await using redis = await Place.start();
    const producer = await Producer.connect({ ...redis.connection }, { queueName: redis.name });
    const key = await producer.upsertRepeatable({
      jobName: 'a',
      pattern: RepeatPattern.every(60_000),
      payload: 1,
    });
    await redis.client.flushall();
    await eventually(async () => {
      expect((await producer.listRepeatable(10)).map((meta) => meta.key)).toEqual([key]);
    });
    await producer.close();
  });
});

describe.concurrent('of several versions of a schedule, the one that was stored last is restored', () => {
  const FIRST = { every: 60_000 };
  const LAST = { every: 77_000, limit: 5 };
  const stored = async (queue: Queue): Promise<unknown> =>
    (await queue.getRepeatableJobs()).map(({ key, every, limit, jobName }) => ({
      key,
      every,
      limit,
      jobName,
    }));
  const IS_LAST = [{ key: 'k', ...LAST, jobName: 'new' }];

  test('a process that declared an earlier version restores the last one, with its payload', async () => {
    await using redis = await Place.start();
    const [older, newer] = [redis.queue(), redis.queue()];
    await older.add('old', { version: 1 }, repeat('k', FIRST));
    await newer.add('new', { version: 2 }, repeat('k', LAST));
    const before = await redis.client.hgetallBuffer(redis.keys.repeatSpec('k'));
    await delay(CHECK_MS);
    await newer.close();
    await redis.client.flushall();
    await eventually(async () => {
      expect(await stored(older)).toEqual(IS_LAST);
    });
    expect(await redis.client.hgetallBuffer(redis.keys.repeatSpec('k'))).toEqual(before);
  });

  test('if Redis loses its data before the processes see the change', async () => {
    await using redis = await Place.start();
    const [older, newer] = [redis.queue(), redis.queue()];
    await older.add('old', 1, repeat('k', FIRST));
    await newer.add('new', 2, repeat('k', LAST));
    const last = await redis.client.hget(redis.keys.repeatSpec('k'), 'stored');
    await redis.client.flushall();
    // Both may restore their version; then the process with the later one finds the other one outdated.
    await delay(2 * CHECK_MS);
    expect(await stored(older)).toEqual(IS_LAST);
    expect(await redis.client.hget(redis.keys.repeatSpec('k'), 'stored')).toBe(last);
    await newer.close();
    await delay(CHECK_MS);
    expect(await stored(older)).toEqual(IS_LAST);
  });

  test('if Redis comes back with the previous version', async () => {
    await using redis = await Place.start();
    const [older, newer] = [redis.queue(), redis.queue()];
    await older.add('old', 1, repeat('k', FIRST));
    const [hash, set] = await Promise.all([
      redis.client.dumpBuffer(redis.keys.repeatSpec('k')),
      redis.client.dumpBuffer(redis.keys.repeat),
    ]);
    await newer.add('new', 2, repeat('k', LAST));
    await delay(CHECK_MS);
    await redis.client.flushall();
    await redis.client.restore(redis.keys.repeatSpec('k'), 0, hash);
    await redis.client.restore(redis.keys.repeat, 0, set);
    await eventually(async () => {
      expect(await stored(older)).toEqual(IS_LAST);
    });
    await eventually(() => {
      expect(redis.losses()).not.toEqual([]);
    });
    await delay(CHECK_MS);
    expect(await stored(older)).toEqual(IS_LAST);
  });

  test('if the same version is stored again after another one, it is the last one', async () => {
    await using redis = await Place.start();
    const [one, two] = [redis.queue(), redis.queue()];
    await one.add('new', 2, repeat('k', LAST));
    await two.add('old', 1, repeat('k', FIRST));
    await one.add('new', 2, repeat('k', LAST));
    await delay(CHECK_MS);
    await redis.client.flushall();
    await eventually(async () => {
      expect(await stored(two)).toEqual(IS_LAST);
    });
    await delay(CHECK_MS);
    expect(await stored(two)).toEqual(IS_LAST);
  });

  test('an older deployment still may not declare schedules', async () => {
    await using redis = await Place.start();
    const queue = redis.queue();
    expect(await queue.claimRepeatables('app', 2)).toBe(true);
    await queue.add('new', 2, repeat('k', LAST));
    await redis.client.flushall();
    await eventually(async () => {
      expect(await stored(queue)).toEqual(IS_LAST);
    });
    expect(await redis.queue().claimRepeatables('app', 1)).toBe(false);
  });
});

describe.concurrent('a removed schedule is not restored', () => {
  test('even if another queue object, with another connection, declared it', async () => {
    await using redis = await Place.start();
    const [one, two] = [redis.queue(), redis.queue()];
    await one.add('a', 1, repeat('gone'));
    await two.add('a', 1, repeat('gone'));
    await one.add('a', 1, repeat('stays'));
    expect(await two.removeRepeatableByKey('gone')).toBe(true);
    await redis.client.flushall();
    await eventually(async () => {
      expect(await keysOf(one)).toEqual(['stays']);
    });
    await delay(CHECK_MS);
    expect(await keysOf(one)).toEqual(['stays']);
  });

  test('even if it was lost and restored before', async () => {
    await using redis = await Place.start();
    const [one, two] = [redis.queue(), redis.queue()];
    await one.add('a', 1, repeat('gone'));
    await redis.client.flushall();
    await eventually(async () => {
      expect(await keysOf(two)).toEqual(['gone']);
    });
    expect(await two.removeRepeatableByKey('gone')).toBe(true);
    await redis.client.del(redis.keys.repeat);
    await delay(CHECK_MS);
    expect(await keysOf(one)).toEqual([]);
    // Not even where it was removed between the loss and the return.
    await one.add('a', 1, repeat('again'));
    await redis.client.flushall();
    expect(await two.removeRepeatableByKey('again')).toBe(false);
    await delay(CHECK_MS);
    expect(await keysOf(one)).toEqual([]);
    // Asked for anew, it is there.
    await one.add('a', 1, repeat('again'));
    expect(await keysOf(one)).toEqual(['again']);
  });

  test('even if another process removed it between two checks of this process', async () => {
    await using redis = await Place.start();
    const one = redis.queue();
    await one.add('a', 1, repeat('gone'));
    // What the script of the other process does.
    await redis.client.zrem(redis.keys.repeat, 'gone');
    await redis.client.del(redis.keys.repeatSpec('gone'));
    await redis.client.set(`${redis.keys.prefix}repeat:gone:gone`, '1', 'PX', 86_400_000);
    await delay(CHECK_MS);
    await redis.client.flushall();
    await delay(CHECK_MS);
    expect(await keysOf(one)).toEqual([]);
    expect(redis.losses()).toEqual([]);
  });
});

describe('a declared schedule that Redis lost, and that fires', () => {
  const redis = useKit();

  test('is restored with the count that it had', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => undefined, { schedulerTickMs: 50 });
    await queue.add('tick', null, repeat('tick', { every: 200, limit: 5 }));
    await take(worker, 'completed', 2);
    // Without a worker nothing fires, so the next check reads the last count.
    await worker.close();
    const [before] = await queue.getRepeatableJobs();
    await checkedOnce();
    await redis.client.flushall();
    await eventually(async () => {
      expect(await queue.getRepeatableJobs()).toEqual([before]);
    });
    let runs = 0;
    redis.worker(() => void (runs += 1), { schedulerTickMs: 50 });
    await eventually(async () => {
      expect(await redis.client.keys('*:repeat:gone:*')).toHaveLength(1);
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    });
    expect(runs).toBe(5 - (before?.fired ?? 0));
    redis.errors.length = 0;
  });
});
