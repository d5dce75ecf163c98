import { describe, expect, test } from 'vitest';
import type { GroupLimits, JobsOptions, Queue, WorkerOptions } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, rejection, useKit } from './kit.js';

const redis = useKit();

const of = (id: string): JobsOptions => ({ group: { id } });

const addMany = (queue: Queue, id: string, count: number): Promise<unknown> =>
  queue.addBulk(Array.from({ length: count }, (_, i) => ({ name: id, data: i, opts: of(id) })));

/** A worker whose jobs run until the latch opens, and how many of each group run now, at most and in all. */
function startWorker(latch: Latch, options: Omit<WorkerOptions, 'connection'> = {}) {
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  let ran = 0;
  const worker = redis.worker(
    async ({ groupId = '' }) => {
      const now = (running.get(groupId) ?? 0) + 1;
      running.set(groupId, now);
      most.set(groupId, Math.max(most.get(groupId) ?? 0, now));
      await latch.opened;
      running.set(groupId, (running.get(groupId) ?? 0) - 1);
      ran += 1;
    },
    { concurrency: 10, ...options },
  );
  return { worker, running, most, ran: () => ran };
}

describe('a group', () => {
  test('that is paused starts nothing, and says so', async () => {
    const queue = redis.queue();
    const id = 'a b\n';
    expect(await queue.pauseGroup(id)).toBe(true);
    expect(await queue.pauseGroup(id)).toBe(false);
    expect(await queue.getGroupStatus(id)).toBe('paused');
    await addMany(queue, id, 2);
    await addMany(queue, 'other', 1);
    expect(await queue.getGroupsByStatus('paused')).toEqual([{ id, status: 'paused', count: 2 }]);
    expect(await queue.getGroupsCountByStatus()).toEqual({ waiting: 1, limited: 0, maxed: 0, paused: 1 });
    const latch = new Latch();
    latch.open();
    const { ran } = startWorker(latch);
    await eventually(() => {
      expect(ran()).toBe(1);
    });
    expect(await queue.getGroups()).toEqual([{ id, status: 'paused', count: 2 }]);
    expect(await queue.resumeGroup(id)).toBe(true);
    expect(await queue.resumeGroup(id)).toBe(false);
    await eventually(() => {
      expect(ran()).toBe(3);
    });
    expect(await queue.getGroupStatus(id)).toBe('empty');
  });

  test('has its own concurrency, and the default again when that is removed', async () => {
    const queue = redis.queue();
    expect(await queue.setGroupDefaults({ concurrency: 2 })).toBe(true);
    expect(await queue.setGroupConcurrency('vip', 4)).toBe(true);
    expect(await queue.setGroupConcurrency('vip', 4)).toBe(false);
    expect(await queue.getGroupConcurrency('vip')).toBe(4);
    expect(await queue.getGroupConcurrency('other')).toBeNull();
    await addMany(queue, 'vip', 6);
    await addMany(queue, 'other', 6);
    const latch = new Latch();
    const { running, most, ran } = startWorker(latch);
    await eventually(() => {
      expect(Object.fromEntries(running)).toEqual({ vip: 4, other: 2 });
    });
    expect(await queue.getGroupActiveCount('vip')).toBe(4);
    expect(await queue.getGroups()).toEqual([
      { id: 'vip', status: 'maxed', count: 2 },
      { id: 'other', status: 'maxed', count: 4 },
    ]);
    expect(await queue.removeGroupConcurrency('vip')).toBe(true);
    expect(await queue.getGroupConcurrency('vip')).toBeNull();
    latch.open();
    await eventually(() => {
      expect(ran()).toBe(12);
    });
    expect(Object.fromEntries(most)).toEqual({ vip: 4, other: 2 });
  });

  test('has its own rate limit, and says that it waits for it', async () => {
    const queue = redis.queue();
    expect(await queue.setGroupRateLimit('slow', 2, 3_600_000)).toBe(true);
    expect(await queue.getGroupRateLimit('slow')).toEqual({ max: 2, duration: 3_600_000 });
    expect(await queue.getGroupRateLimit('fast')).toBeNull();
    expect(await queue.getGroupRateLimitTtl('slow')).toBe(-2);
    await addMany(queue, 'slow', 5);
    await addMany(queue, 'fast', 5);
    const latch = new Latch();
    latch.open();
    const { ran } = startWorker(latch);
    await eventually(async () => {
      expect(ran()).toBe(7);
      expect(await queue.getGroups()).toEqual([{ id: 'slow', status: 'limited', count: 3 }]);
    });
    // The worker says a moment later that they have started.
    await eventually(async () => {
      expect(await queue.getGroupRateLimitTtl('slow')).not.toBe(-2);
    });
    for (const full of [undefined, 2]) {
      const ttl = await queue.getGroupRateLimitTtl('slow', full);
      expect(ttl).toBeGreaterThan(3_500_000);
      expect(ttl).toBeLessThanOrEqual(3_640_000);
    }
    expect(await queue.getGroupRateLimitTtl('slow', 3)).toBe(0);
    expect(await queue.getGroupRateLimitTtl('fast')).toBe(-2);
    expect(await queue.removeGroupRateLimit('slow')).toBe(true);
    await eventually(() => {
      expect(ran()).toBe(10);
    });
    expect(await queue.getGroupRateLimit('slow')).toBeNull();
    expect(await redis.client.exists(`${KEYS.prefix}groups:policy`)).toBe(0);
  });
});

describe('the defaults of groups', () => {
  const LIMITS: GroupLimits = { concurrency: 3, limit: { max: 5, duration: 60_000 }, strict: true };

  test('are read as they were set, and are replaced as a whole', async () => {
    const queue = redis.queue();
    expect(await queue.getGroupDefaults()).toEqual({});
    expect(await queue.removeGroupDefaults()).toBe(false);
    await queue.setGroupDefaults(LIMITS);
    expect(await queue.getGroupDefaults()).toEqual(LIMITS);
    await queue.setGroupDefaults({ concurrency: 1, strict: false });
    expect(await queue.getGroupDefaults()).toEqual({ concurrency: 1 });
    expect(await queue.removeGroupDefaults()).toBe(true);
    expect(await queue.getGroupDefaults()).toEqual({});
  });

  test('are those that a worker declares; what a caller sets stays until others are declared', async () => {
    const queue = redis.queue();
    const declare = async (group: GroupLimits | string): Promise<void> => {
      const worker = redis.worker(() => undefined, { group });
      const completed = next(worker, 'completed');
      await queue.add('a', 1);
      await completed;
      await worker.close();
    };
    await declare(LIMITS);
    expect(await queue.getGroupDefaults()).toEqual(LIMITS);
    await queue.setGroupDefaults({ concurrency: 7 });
    await declare(LIMITS);
    expect(await queue.getGroupDefaults()).toEqual({ concurrency: 7 });
    // A worker that declares nothing changes nothing.
    await declare('default');
    expect(await queue.getGroupDefaults()).toEqual({ concurrency: 7 });
    await declare({ concurrency: 2 });
    expect(await queue.getGroupDefaults()).toEqual({ concurrency: 2 });
    await declare({});
    expect(await queue.getGroupDefaults()).toEqual({});
  });

  test('of a worker hold for all workers, also for one that started before it and declares none', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const first = startWorker(latch);
    await first.worker.waitUntilReady();
    const second = startWorker(latch, { group: { concurrency: 1 } });
    await second.worker.waitUntilReady();
    await addMany(queue, 'one', 8);
    await eventually(async () => {
      expect(await queue.getGroupActiveCount('one')).toBe(1);
      expect(await queue.getGroupStatus('one')).toBe('maxed');
    });
    latch.open();
    await eventually(() => {
      expect(first.ran() + second.ran()).toBe(8);
    });
    for (const { most } of [first, second]) expect(most.get('one') ?? 0).toBeLessThanOrEqual(1);
  });

  test('of a worker leave its consumer group as it is', async () => {
    const queue = redis.queue();
    const limits = redis.worker(() => undefined, { group: { concurrency: 1 } });
    await limits.waitUntilReady();
    expect(await queue.getWorkers()).toMatchObject([{ group: 'default' }]);
    await limits.close();
    const named = redis.worker(() => undefined, { group: 'reports' }, 'named');
    await named.waitUntilReady();
    expect(await redis.queue({}, 'named').getWorkers()).toMatchObject([{ group: 'reports' }]);
  });
});

describe('wrong arguments are refused', () => {
  test.each([0, -1, 1.5, Number.NaN, Infinity, '3', null, {}])('limits of %j', async (value) => {
    const queue = redis.queue();
    const wrong = value as number;
    const limits: GroupLimits[] = [
      { concurrency: wrong },
      { limit: { max: wrong, duration: 1 } },
      { limit: { max: 1, duration: wrong } },
    ];
    for (const call of [
      () => queue.setGroupConcurrency('one', wrong),
      () => queue.setGroupRateLimit('one', wrong, 1_000),
      () => queue.setGroupRateLimit('one', 1, wrong),
      ...limits.map((limit) => () => queue.setGroupDefaults(limit)),
    ]) {
      expect(await rejection(call())).toMatchObject({ code: 'CMQ-004' });
    }
    for (const group of limits) expect(() => redis.worker(() => undefined, { group })).toThrow(/option "/);
    expect(await redis.keys()).toEqual([]);
  });

  test.each([
    ['', 'TypeError'],
    [' ', 'TypeError'],
    [5, 'TypeError'],
    [null, 'TypeError'],
    [undefined, 'TypeError'],
    [{}, 'TypeError'],
    ['x'.repeat(257), 'ConfigError'],
    ['\ud800', 'ConfigError'],
  ])('the id %j: %s', async (value, name) => {
    const queue = redis.queue();
    const id = value as string;
    for (const call of [
      () => queue.pauseGroup(id),
      () => queue.resumeGroup(id),
      () => queue.setGroupConcurrency(id, 1),
      () => queue.getGroupConcurrency(id),
      () => queue.removeGroupConcurrency(id),
      () => queue.setGroupRateLimit(id, 1, 1),
      () => queue.getGroupRateLimit(id),
      () => queue.getGroupRateLimitTtl(id),
      () => queue.removeGroupRateLimit(id),
      () => queue.drainGroup(id),
    ]) {
      expect(await rejection(call())).toMatchObject({ name, code: 'CMQ-004' });
    }
    expect(await redis.keys()).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ['a blank name', ' ', /must be a string that is not blank/],
    ['a number', 3, /limits of groups such as \{ concurrency: 1 \}, or the name of a consumer group/],
    ['a list', [], /limits of groups/],
    ['a typing error', { concurency: 1 }, /Did you mean "concurrency"/],
    ['half a limit', { limit: { max: 1 } }, /"duration" is missing/],
    ['strict as text', { strict: 'yes' }, /"strict"/],
  ])('the option group of a worker: %s', (_, group, message) => {
    expect(() => redis.worker(() => undefined, { group: group as string })).toThrow(message);
  });

  test('a number beyond what JavaScript can count: the error names both bounds', async () => {
    const queue = redis.queue();
    const most = 'a whole number of at least 1 and at most 9007199254740991, not 9007199254740992.';
    for (const call of [
      () => queue.setGroupConcurrency('a', 2 ** 53),
      () => queue.setGroupRateLimit('a', 2 ** 53, 1),
      () => queue.setGlobalConcurrency(2 ** 53),
      () => queue.getRateLimitTtl(2 ** 53),
      () => queue.setGroupDefaults({ concurrency: 2 ** 53 }),
      () => queue.upsertJobScheduler('a', { every: 2 ** 53 }),
      () => queue.upsertJobScheduler('a', { every: 5, limit: 2 ** 53 }),
      () => queue.add('a', 1, { attempts: 2 ** 53 }),
    ]) {
      const { code, message } = await rejection(call());
      expect(code).toBe('CMQ-004');
      expect(message, String(call)).toMatch(/at least 1 and at most \d+, not 9007199254740992/);
    }
    const { message } = await rejection(queue.setGroupConcurrency('a', 2 ** 53));
    expect(message).toContain(most);
    expect((await rejection(queue.getGroups(-(2 ** 53)))).message).toBe(
      'getGroups: start must be a whole number of at least -9007199254740991 and at most 9007199254740991, not -9007199254740992.',
    );
    expect((await rejection(queue.getGroups(0, 0.5))).message).toBe(
      'getGroups: end must be a whole number, not 0.5.',
    );
  });

  test('a status that no group has', async () => {
    expect(await rejection(redis.queue().getGroupsByStatus('empty' as 'paused'))).toMatchObject({
      code: 'CMQ-004',
    });
  });
});
