import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { decodedParts } from '../../../lib/engine/worker/fetch/brought.js';
import type { WorkerOptions } from '../../../lib/engine/index.js';
import { take } from '../../../lib/redis/scripts/take.js';
import { runnerOn } from '../../support/script-runner.js';
import { Diary, allOf, changeGroup, expectNoTrace, groupDefaults, jobsOf, slots } from './groups-kit.js';
import { KEYS, Latch, eventually, useKit } from './kit.js';

const redis = useKit();

const SLOTS = `${KEYS.prefix}slots`;
const lease = { claimMinIdleMs: 600, blockMs: 300 };
const DEAD = 'dead-00000000-0000-4000-8000-000000000000;lease=600';

let latch = new Latch();
afterEach(() => {
  latch.open();
  latch = new Latch();
});

function work(diary: Diary, options: Partial<WorkerOptions> = {}, ms: Parameters<Diary['processor']>[0] = 0) {
  return redis.worker(diary.processor(ms), { concurrency: 5, ...options });
}

/** What a worker takes that dies with it. Returns the ids of the entries. */
async function takeAndDie(count: number): Promise<string[]> {
  // A worker that has run creates the group.
  await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0', 'MKSTREAM').catch(() => undefined);
  const options = { group: 'default', consumerId: DEAD, count };
  const reply = await take(runnerOn(redis.client), KEYS, options);
  return decodedParts(reply, KEYS.stream).parts.flatMap((jobs) => jobs.map(({ entryId }) => entryId));
}

describe('slots do not leak', () => {
  test('from a worker that has died: its jobs run elsewhere, one per group at a time', async () => {
    await groupDefaults(redis, { groupConcurrency: 1 });
    await redis.queue().addBulk([...jobsOf('a', 4), ...jobsOf('b', 4)]);
    expect(await takeAndDie(10)).toHaveLength(2);
    expect(await slots(redis)).toBe(2);
    const diary = new Diary();
    work(diary, lease, 5);
    await allOf(diary, 8);
    expect([diary.most.get('a'), diary.most.get('b')]).toEqual([1, 1]);
    await expectNoTrace(redis);
  });

  test('when somebody ends the jobs of others: with XACK, with XDEL, with both', async () => {
    await groupDefaults(redis, { groupConcurrency: 1 });
    await redis.queue().addBulk(['a', 'b', 'c', 'd'].flatMap((id) => jobsOf(id, 2)));
    const [first, second, third] = (await takeAndDie(4)) as [string, string, string, string];
    await redis.client.xack(KEYS.stream, 'default', first, second);
    await redis.client.xdel(KEYS.stream, first, third);
    const diary = new Diary();
    const worker = work(diary, lease);
    // Of c, the worker finds out that the entry is gone; d is reclaimed.
    await allOf(diary, 5);
    await expectNoTrace(redis);
    await worker.close();
    expect(redis.errors.splice(0).map(({ message }) => message)).toEqual([
      expect.stringContaining('are gone from the stream'),
    ]);
  });

  test.each([
    ['slots', SLOTS],
    ['the turns', `${KEYS.prefix}groups`],
    ['the groups at their rate limit', `${KEYS.prefix}groups:limited`],
    ['the gate', KEYS.gate],
    ['that the queue is gated', KEYS.meta],
    ['the starts', `${KEYS.prefix}groups:taking`],
  ])('and no job is left when somebody deletes %s', async (_, key) => {
    const queue = redis.queue();
    await changeGroup(redis, { group: 'a', concurrency: 1 });
    await changeGroup(redis, { group: 'b', max: 2, duration: 700 });
    await queue.addBulk([...jobsOf('a', 6), ...jobsOf('b', 4), ...jobsOf('c', 20)]);
    const diary = new Diary();
    work(diary, { concurrency: 4 }, async () => {
      await delay(10);
      if (diary.started.length === 6) await redis.client.del(key);
    });
    await allOf(diary, 30);
    expect(new Set(diary.started).size).toBe(30);
    await changeGroup(redis, { group: 'a', concurrency: null });
    await changeGroup(redis, { group: 'b', max: null, duration: null });
    await expectNoTrace(redis);
  });

  test('and 3,000 groups start again when somebody deletes their turns', async () => {
    const queue = redis.queue();
    for (let from = 0; from < 3_000; from += 1_000)
      await queue.addBulk(Array.from({ length: 1_000 }, (_, i) => jobsOf(`g${from + i}`, 1)).flat());
    await redis.client.del(`${KEYS.prefix}groups`);
    const diary = new Diary();
    work(diary, { concurrency: 50 });
    await allOf(diary, 3_000);
    await expectNoTrace(redis);
  });

  test('when the whole stream is gone, the next jobs of the group run', async () => {
    await groupDefaults(redis, { groupConcurrency: 1 });
    await redis.queue().addBulk(jobsOf('a', 2));
    expect(await takeAndDie(1)).toHaveLength(1);
    await redis.client.del(KEYS.stream);
    const diary = new Diary();
    work(diary, lease);
    await allOf(diary, 1);
    expect(diary.started).toEqual(['a1']);
    await expectNoTrace(redis);
  });

  test('when a retry of a strict group is deleted by somebody', async () => {
    await groupDefaults(redis, { groupStrict: 1 });
    await redis.queue().addBulk(jobsOf('a', 2, { attempts: 2 }));
    const diary = new Diary();
    work(diary, { retry: { initialBackoffMs: 60_000, jitterMs: 0 } }, (job) => {
      if (job.data === 0) throw new Error('again');
    });
    await eventually(async () => {
      expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
    });
    await redis.client.del(KEYS.delayed);
    await allOf(diary, 2);
    await expectNoTrace(redis);
  });

  test('of garbage: it is gone, and stops nothing', async () => {
    const stranger = Buffer.concat([Buffer.from([0, 1]), Buffer.from('a99-1')]);
    await redis.client.zadd(SLOTS, 0, 'x', 0, '', 0, '\xff\xff\xff', 0, stranger);
    await groupDefaults(redis, { groupConcurrency: 1 });
    await redis.queue().addBulk(jobsOf('a', 3));
    const diary = new Diary();
    work(diary);
    await allOf(diary, 3);
    await expectNoTrace(redis);
  });
});

describe('keys of the wrong type', () => {
  test.each([SLOTS, ...['groups:paused', 'groups:policy', 'groups:limited'].map((key) => KEYS.prefix + key)])(
    '%s: the worker says so, plain jobs run on, and the groups too when it is gone',
    async (key) => {
      const queue = redis.queue();
      await queue.addBulk(jobsOf('a', 3));
      await redis.client.set(key, 'text');
      const diary = new Diary();
      const worker = work(diary, { concurrency: 2 });
      await queue.addBulk(['x', 'y', 'z'].map((name) => ({ name, data: 0 })));
      await allOf(diary, 3);
      expect(diary.started).toEqual(['x0', 'y0', 'z0']);
      await eventually(() => {
        expect(redis.errors.map(({ message }) => message).join()).toContain('WRONGTYPE');
      });
      await redis.client.del(key);
      await allOf(diary, 6);
      await worker.close();
      redis.errors.splice(0);
      await expectNoTrace(redis);
    },
  );

  test('the workers that can be woken: jobs run on, and the worker says so', async () => {
    const queue = redis.queue();
    await redis.client.set(`${KEYS.prefix}wake:idle`, 'text');
    const diary = new Diary();
    work(diary, { concurrency: 5 });
    await queue.addBulk([...jobsOf('a', 3), ...jobsOf('b', 3)]);
    // A heartbeat would bring jobs that were lost on the way ten seconds later.
    await allOf(diary, 6, 5_000);
    await eventually(() => {
      expect(redis.errors.map(({ message }) => message).join()).toContain('WRONGTYPE');
    });
    await redis.client.del(`${KEYS.prefix}wake:idle`);
    redis.errors.splice(0);
    await expectNoTrace(redis);
  });

  test.each(['string', 'list'])(
    'the jobs that were delivered ahead (a %s): no job is lost or runs twice',
    async (type) => {
      const queue = redis.queue();
      const key = `${KEYS.prefix}ahead`;
      if (type === 'string') await redis.client.set(key, 'text');
      else await redis.client.rpush(key, 'text', '', '9-x');
      // They wait in the stream.
      await queue.addBulk(['x', 'y', 'z'].map((name) => ({ name, data: 0 })));
      await queue.add('l', 0, { lifo: true });
      // So that no worker reads the stream as it did before the queue was gated.
      await redis.client.hset(KEYS.meta, 'gated', '1');
      const diary = new Diary();
      work(diary, { concurrency: 1 });
      if (type === 'string') {
        await eventually(() => {
          expect(redis.errors.map(({ message }) => message).join()).toContain('WRONGTYPE');
        });
        expect(diary.started).toEqual([]);
        expect(await redis.client.zcard(`${KEYS.prefix}room`)).toBe(1);
        await redis.client.del(key);
      }
      await allOf(diary, 4);
      expect(diary.started[0]).toBe('l0');
      redis.errors.splice(0);
      await expectNoTrace(redis);
      expect(diary.started).toHaveLength(4);
    },
  );

  test('an entry with a place that is none runs, and is retried and released', async () => {
    const queue = redis.queue();
    const places = ['', 'x', '\0', '\0\x05a', 'y'.repeat(40), '\xff\xff'.repeat(20)];
    await queue.addBulk(places.map((_, data) => ({ name: 'a', data, opts: { attempts: 2 } })));
    const entries = (await redis.client.xrangeBuffer(KEYS.stream, '-', '+')) as [Buffer, Buffer[]][];
    await redis.client.del(KEYS.stream);
    for (const [at, place] of places.entries()) {
      const fields = entries[at]?.[1] as Buffer[];
      await redis.client.xadd(KEYS.stream, '*', ...fields, 'r', Buffer.from(place, 'latin1'));
    }
    const diary = new Diary();
    const first = work(diary, { concurrency: 10, shutdownDeadlineSecs: 0.05 }, () => latch.opened);
    await allOf(diary, 6);
    await first.close();
    work(diary, {}, (job) => {
      if (job.attemptsMade === 1) throw new Error('again');
    });
    await allOf(diary, 6 + 6 + 6);
    await expectNoTrace(redis);
  });

  test('bytes in the room that are no member become a dead letter', async () => {
    const queue = redis.queue();
    await redis.client.zadd(KEYS.room, 0, 'garbage', 0, Buffer.from([0, 1, 97, 0]));
    await queue.addBulk(jobsOf('b', 2));
    const diary = new Diary();
    const worker = work(diary);
    await allOf(diary, 2);
    await eventually(async () => {
      expect(await redis.client.xlen(KEYS.dlq)).toBe(2);
    });
    await worker.close();
    redis.errors.splice(0);
    await expectNoTrace(redis);
  });
});

test('a full server drains', async () => {
  const queue = redis.queue();
  await groupDefaults(redis, { groupConcurrency: 2, groupMax: 100, groupDuration: 100 });
  await queue.addBulk([...jobsOf('a', 30), ...jobsOf('b', 30)]);
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  await redis.client.config('SET', 'maxmemory', '1');
  try {
    const diary = new Diary();
    const worker = work(diary, { concurrency: 10 });
    await allOf(diary, 60);
    expect(await changeGroup(redis, { group: 'a', paused: true })).toBe(true);
    expect(await changeGroup(redis, { group: 'a', paused: false })).toBe(true);
    await expectNoTrace(redis);
    await worker.close();
    redis.errors.splice(0);
  } finally {
    await redis.client.config('SET', 'maxmemory', '0');
  }
});

test('100,000 groups leave no key behind', { timeout: 60_000 }, async () => {
  const queue = redis.queue();
  await groupDefaults(redis, { groupConcurrency: 1 });
  const before = await redis.keys();
  for (let from = 0; from < 100_000; from += 2_000)
    await queue.addBulk(
      Array.from({ length: 2_000 }, (_, i) => ({
        name: 'g',
        data: 0,
        opts: { group: { id: `g${from + i}` } },
      })),
    );
  let ran = 0;
  redis.worker(() => void (ran += 1), { concurrency: 500 });
  await eventually(() => {
    expect(ran).toBe(100_000);
  }, 50_000);
  await expectNoTrace(redis);
  const left = (await redis.keys()).filter(
    (key) => !before.includes(key) && !/:(events|gate|stream|wake)/.test(key),
  );
  expect(left).toEqual([]);
});
