import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { CommandLink } from '../../../lib/engine/connection/command-link.js';
import type { JobSchedulerJson, Queue, RepeatOptions } from '../../../lib/engine/index.js';
import { KEYS, eventually, next, take, useKit } from './kit.js';

const redis = useKit();
const HOUR = 3_600_000;
/** Longer than the time between two checks of the declared schedules. */
const CHECK_MS = 2_600;

async function redisNow(): Promise<number> {
  const [seconds, micros] = (await redis.client.time()).map(Number) as [number, number];
  return seconds * 1_000 + Math.floor(micros / 1_000);
}
const waiting = (): Promise<number> => redis.client.xlen(KEYS.stream);
const one = async (queue: Queue, id = 'k'): Promise<JobSchedulerJson> => (await queue.getJobScheduler(id))!;

describe('upsertJobScheduler', () => {
  test('declares a schedule, and returns the job of its next run', async () => {
    const queue = redis.queue({ defaultJobOptions: { attempts: 7 } });
    const before = await redisNow();
    const job = await queue.upsertJobScheduler(
      'nightly',
      { pattern: '0 3 * * *', tz: 'Europe/Madrid', limit: 9 },
      { name: 'digest', data: { to: 'all' }, opts: { backoff: 500, timeoutMs: 9_000, ttlMs: 60_000 } },
    );
    const scheduler = await one(queue, 'nightly');
    expect(scheduler).toEqual({
      key: 'nightly',
      id: 'nightly',
      name: 'digest',
      iterationCount: 0,
      limit: 9,
      pattern: '0 3 * * *',
      tz: 'Europe/Madrid',
      next: expect.any(Number) as number,
      template: {
        data: { to: 'all' },
        opts: { attempts: 7, backoff: { type: 'fixed', delay: 500 }, timeoutMs: 9_000, ttlMs: 60_000 },
      },
      paused: false,
      skipIfRunning: false,
      missedFires: { kind: 'skip' },
    });
    expect(job).toMatchObject({
      id: `repeat:nightly:${scheduler.next}`,
      name: 'digest',
      data: { to: 'all' },
      duplicate: false,
      opts: { attempts: 7, repeatJobKey: 'nightly' },
    });
    expect(job.delay).toBeLessThanOrEqual(scheduler.next! - before);
    expect(job.delay).toBeGreaterThan(scheduler.next! - before - 5_000);
    const again = await queue.upsertJobScheduler(
      'nightly',
      { pattern: '0 3 * * *', tz: 'Europe/Madrid', limit: 9 },
      { name: 'digest', data: { to: 'all' }, opts: { backoff: 500, timeoutMs: 9_000, ttlMs: 60_000 } },
    );
    expect(again).toMatchObject({ id: job.id, duplicate: true });
    expect(await queue.getRepeatableJobs()).toMatchObject([{ key: 'nightly', jobName: 'digest' }]);
  });

  test('the job that it returned is the one that runs', async () => {
    const queue = redis.queue();
    const worker = redis.worker((job) => job.data, { schedulerTickMs: 20 });
    const done = next(worker, 'completed');
    const job = await queue.upsertJobScheduler('k', { every: 300, limit: 1 }, { data: { n: 1 } });
    const [ran, result] = await done;
    expect([ran.id, result]).toEqual([job.id, { n: 1 }]);
  });

  test('without a template: the name is the id, the data is {}', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { every: 60_000 });
    expect(await one(queue)).toMatchObject({ name: 'k', every: 60_000, template: { data: {} } });
    expect((await one(queue)).template).not.toHaveProperty('opts');
    await queue.upsertJobScheduler('null', { every: 60_000 }, { data: null });
    expect((await one(queue, 'null')).template.data).toBe(null);
  });

  test('has one store with add, @Repeat and the older methods', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { repeat: { every: 60_000 }, repeatJobKey: 'k' });
    const job = await queue.upsertJobScheduler('k', { every: 60_000 }, { name: 'a', data: 1 });
    expect(job.duplicate).toBe(true);
    expect(await queue.removeJobScheduler('k')).toBe(true);
    expect(await queue.removeJobScheduler('k')).toBe(false);
    expect(await queue.removeRepeatableByKey('k')).toBe(false);
    expect(await queue.getJobScheduler('k')).toBe(undefined);
    expect(await queue.getJobSchedulersCount()).toBe(0);
  });

  test('with skipIfRunning, all its jobs have one id', async () => {
    const queue = redis.queue();
    const job = await queue.upsertJobScheduler('k', { every: 60_000, skipIfRunning: true });
    expect(job.id).toBe('repeat:k');
  });

  test.each<[string, () => unknown[], string]>([
    ['a blank id', () => [' ', { every: 1_000 }], 'the id must be a string'],
    ['an id that is no text', () => [5, { every: 1_000 }], 'the id must be a string'],
    [
      'an id that is too long',
      () => ['k'.repeat(481), { every: 1_000 }, { name: 'a' }],
      'longer than 480 bytes',
    ],
    ['no repeat options', () => ['k'], 'options must be an object'],
    ['neither pattern nor every', () => ['k', {}], 'neither'],
    ['another key in the options', () => ['k', { every: 5, key: 'other' }], '"key" and "repeatJobKey"'],
    ['repeat.jobId', () => ['k', { every: 5, jobId: 'x' }], '"jobId" is a part of the default key'],
    ['an unknown option', () => ['k', { evry: 5 }], 'Did you mean "every"?'],
    ['an offset of a pattern', () => ['k', { pattern: '* * * * *', offset: 5 }], '"offset" needs "every"'],
    ['an offset below 0', () => ['k', { every: 5, offset: -1 }], '"offset" must be a whole number'],
    ['both a start and at once', () => ['k', { every: 5, immediately: true, startDate: 1 }], '"startDate"'],
    ['a count at the limit', () => ['k', { every: 5, count: 3, limit: 3 }], 'has reached its limit, 3'],
    ['a template that is a list', () => ['k', { every: 5 }, []], 'options must be'],
    ['a template field that there is not', () => ['k', { every: 5 }, { dat: 5 }], 'Did you mean "data"?'],
    ['a jobId', () => ['k', { every: 5 }, { opts: { jobId: 'x' } }], 'cannot have the option "jobId"'],
    ['a delay', () => ['k', { every: 5 }, { opts: { delay: 0 } }], 'Use startDate'],
    ['a repeat', () => ['k', { every: 5 }, { opts: { repeat: { every: 5 } } }], 'option "repeat"'],
    ['wrong attempts', () => ['k', { every: 5 }, { opts: { attempts: 0 } }], '"attempts" must be'],
    ['a long name', () => ['k', { every: 5 }, { name: 'n'.repeat(257) }], 'at most 256'],
  ])('refuses %s, and writes nothing', async (_, args, message) => {
    const call = redis.queue().upsertJobScheduler(...(args() as [string, RepeatOptions]));
    await expect(call).rejects.toMatchObject({ code: 'CMQ-004' });
    await expect(call).rejects.toThrow(message);
    expect(await redis.keys()).toEqual([]);
  });
});

describe('getJobSchedulers', () => {
  test('pages in either direction; positions may count from the end', async () => {
    const queue = redis.queue();
    const ids = Array.from({ length: 12 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    for (const [i, id] of ids.entries()) await queue.upsertJobScheduler(id, { every: HOUR + i * 1_000 });
    const list = async (...args: [number?, number?, boolean?]): Promise<string[]> =>
      (await queue.getJobSchedulers(...args)).map(({ key }) => key);
    expect(await list()).toEqual(ids.toReversed());
    expect(await list(0, -1, true)).toEqual(ids);
    expect(await list(2, 4, true)).toEqual(['k02', 'k03', 'k04']);
    expect(await list(0, 0)).toEqual(['k11']);
    expect(await list(-2, -1, true)).toEqual(['k10', 'k11']);
    expect(await list(10, 99, true)).toEqual(['k10', 'k11']);
    expect(await list(5, 4, true)).toEqual([]);
    expect(await list(99)).toEqual([]);
    expect(await list(-99, -12, true)).toEqual(['k00']);
    expect(await queue.getJobSchedulersCount()).toBe(12);
  });

  test('large templates take several replies', async () => {
    const queue = redis.queue();
    const data = 'x'.repeat(1_000_000);
    for (let i = 0; i < 12; i++) await queue.upsertJobScheduler(`k${i}`, { every: HOUR + i }, { data });
    const run = vi.spyOn(CommandLink.prototype, 'run');
    expect(await queue.getJobSchedulers()).toHaveLength(12);
    expect(run.mock.calls.length).toBeGreaterThan(1);
    run.mockRestore();
  });

  test.each<unknown[]>([['a'], [1.5], [0, NaN], [0, -1, 'yes'], [0, null]])('refuses %j', async (...args) => {
    const list = redis.queue().getJobSchedulers(...(args as []));
    await expect(list).rejects.toMatchObject({ code: 'CMQ-004' });
  });

  test('shows schedules that another program has written, as far as they can be read', async () => {
    await redis.client.zadd(KEYS.repeat, 5_000, 'odd', 6_000, 'bare');
    await redis.client.hset(KEYS.repeatSpec('odd'), 'pattern', 'whenever', 'payload', '\xc1', 'missed', '?');
    const list = await redis.queue().getJobSchedulers(0, -1, true);
    expect(list).toMatchObject([
      { key: 'odd', pattern: 'whenever', name: '', next: 5_000, template: {} },
      { key: 'bare', iterationCount: 0, next: 6_000, template: {} },
    ]);
    await expect(redis.queue().runJobScheduler('odd')).rejects.toMatchObject({ code: 'CMQ-003' });
  });
});

describe('immediately', () => {
  test('the first job comes at once, once, however many processes declare it and restart', async () => {
    const repeat = { pattern: '0 0 1 1 *', immediately: true };
    const ran: string[] = [];
    redis.worker((job) => void ran.push(job.id), { schedulerTickMs: 20 });
    const before = await redisNow();
    for (let boot = 0; boot < 2; boot++) {
      const queues = Array.from({ length: 25 }, () => redis.queue());
      const jobs = await Promise.all(queues.map((queue) => queue.upsertJobScheduler('k', repeat)));
      expect(jobs.filter(({ duplicate }) => !duplicate)).toHaveLength(boot === 0 ? 1 : 0);
      await eventually(() => {
        expect(ran).toHaveLength(1);
      });
      await Promise.all(queues.map((queue) => queue.close()));
    }
    const slot = Number(ran[0]!.split(':')[2]);
    expect(slot).toBeGreaterThanOrEqual(before);
    expect(slot).toBeLessThanOrEqual(await redisNow());
    await eventually(async () => {
      expect(await one(redis.queue())).toMatchObject({ iterationCount: 1 });
    });
    const { next: second } = await one(redis.queue());
    const date = new Date(second!);
    expect([date.getUTCMonth(), date.getUTCDate(), date.getUTCHours()]).toEqual([0, 1, 0]);
    expect(ran).toHaveLength(1);
  });

  test('an interval goes on from the first run, and a new rule starts at once again', async () => {
    const queue = redis.queue();
    const first = await queue.upsertJobScheduler('k', { every: HOUR, immediately: true });
    expect(first.delay).toBe(0);
    const slot = Number(first.id.split(':')[2]);
    redis.worker(() => undefined, { schedulerTickMs: 20 });
    await eventually(async () => {
      expect(await one(queue)).toMatchObject({ iterationCount: 1, next: slot + HOUR });
    });
    // Other data: neither the count nor the next run changes.
    await queue.upsertJobScheduler('k', { every: HOUR, immediately: true }, { data: 2 });
    expect(await one(queue)).toMatchObject({ iterationCount: 1, next: slot + HOUR });
    await queue.upsertJobScheduler('k', { every: 2 * HOUR, immediately: true }, { data: 2 });
    await eventually(async () => {
      expect(await one(queue)).toMatchObject({ iterationCount: 1, every: 2 * HOUR });
    });
    expect((await one(queue)).next).toBeGreaterThan(slot + 2 * HOUR);
  });

  test('an interval without a start of its own begins at once', async () => {
    const queue = redis.queue();
    const day = 24 * HOUR;
    expect((await queue.upsertJobScheduler('k', { every: day })).delay).toBe(0);
    const worker = redis.worker((job) => job.id, { schedulerTickMs: 20 });
    await next(worker, 'completed');
    // Unchanged, as at each start of an application: nothing runs again.
    const again = await queue.upsertJobScheduler('k', { every: day });
    expect(again).toMatchObject({ duplicate: true });
    expect(again.delay).toBeGreaterThan(day - 60_000);
    for (const own of [{ immediately: false }, { offset: 0 }, { startDate: Date.now() + HOUR }]) {
      const { delay } = await queue.upsertJobScheduler('other', { every: day, ...own });
      expect(delay).toBeGreaterThan(0);
    }
    // A schedule of `add` begins after one interval.
    await queue.add('a', 1, { repeat: { every: day }, repeatJobKey: 'by add' });
    expect((await queue.getJobScheduler('by add'))?.next).toBeGreaterThan(Date.now() + day - 60_000);
  });

  test.each<[string, () => object]>([
    ['an interval', () => ({ every: HOUR })],
    ['an interval that says so', () => ({ every: HOUR, immediately: true })],
    ['a pattern', () => ({ pattern: '0 0 1 1 *', immediately: true })],
  ])('%s that ends before its second slot runs once, at once', async (_, repeat) => {
    const queue = redis.queue();
    const endDate = (await redisNow()) + 5_000;
    const first = await queue.upsertJobScheduler('k', { ...repeat(), endDate });
    expect(first.delay).toBe(0);
    const worker = redis.worker((job) => job.id, { schedulerTickMs: 20 });
    const [ran] = await next(worker, 'completed');
    expect(ran.id).toBe(first.id);
    await eventually(async () => {
      expect(await queue.getJobSchedulers()).toEqual([]);
    });
    const never = { pattern: '0 0 30 2 *', immediately: true, endDate };
    await expect(queue.upsertJobScheduler('never', never)).rejects.toMatchObject({ code: 'CMQ-004' });
    const late = { ...repeat(), immediately: false, endDate } as never;
    await expect(queue.upsertJobScheduler('late', late)).rejects.toMatchObject({ code: 'CMQ-004' });
  });

  test('a short interval does not lose its first run while no scheduler has polled', async () => {
    const queue = redis.queue();
    const first = await queue.upsertJobScheduler('k', { every: 50, immediately: true, limit: 3 });
    const worker = redis.worker((job) => job.id, { schedulerTickMs: 20 });
    const ids = (await take(worker, 'completed', 3)).map(({ id }) => id);
    expect(ids[0]).toBe(first.id);
  });
});

describe('offset, jobId, count and key of repeat', () => {
  test('with an offset, the slots are multiples of the interval, shifted', async () => {
    const queue = redis.queue();
    const minute = await queue.upsertJobScheduler('k', { every: 60_000, offset: 5_000 });
    expect(Number(minute.id.split(':')[2]) % 60_000).toBe(5_000);
    const startDate = Math.ceil((await redisNow()) / HOUR) * HOUR + HOUR;
    const hour = await queue.upsertJobScheduler('on the hour', { every: HOUR, offset: 0, startDate });
    expect(hour.id).toBe(`repeat:on the hour:${startDate}`);
    expect(await one(queue)).toMatchObject({ every: 60_000, offset: 5_000 });
    expect(await queue.getRepeatableJobs()).toMatchObject([{ every: 60_000, offset: 5_000 }, { offset: 0 }]);
    const by = await queue.add('a', 1, { repeat: { every: 60_000, offset: 7 } });
    expect(by.id).toBe('a::every:60000+7');
  });

  test('an offset is kept over runs, and by a run at once', async () => {
    const queue = redis.queue();
    const repeat = { every: 200, offset: 30, immediately: true, limit: 4 };
    await queue.upsertJobScheduler('k', repeat);
    const worker = redis.worker((job) => job.id, { schedulerTickMs: 20 });
    const slots = (await take(worker, 'completed', 4)).map(({ id }) => Number(id.split(':')[2]));
    expect(slots.slice(1).map((slot) => slot % 200)).toEqual([30, 30, 30]);
    expect(new Set(slots).size).toBe(4);
  });

  test('jobId tells schedules of one name and rule apart', async () => {
    const queue = redis.queue();
    const repeat = { every: HOUR };
    const plain = await queue.add('bird', 1, { repeat });
    const red = await queue.add('bird', 1, { repeat: { ...repeat, jobId: 'red' } });
    const blue = await queue.add('bird', 1, { repeat: { ...repeat, jobId: 'blue' } });
    expect([plain.id, red.id, blue.id]).toEqual([
      'bird::every:3600000',
      'bird:red:every:3600000',
      'bird:blue:every:3600000',
    ]);
    expect((await queue.add('bird', 1, { repeat: { ...repeat, jobId: 'red' } })).duplicate).toBe(true);
    expect(await queue.getJobSchedulersCount()).toBe(3);
  });

  test('count starts the count, once', async () => {
    const queue = redis.queue();
    const repeat = { every: 50, limit: 5, count: 3 };
    const worker = redis.worker((job) => job.id, { schedulerTickMs: 20 });
    await worker.waitUntilReady();
    await queue.upsertJobScheduler('k', repeat);
    await take(worker, 'completed', 2);
    await eventually(async () => {
      expect(await queue.getJobScheduler('k')).toBe(undefined);
    });
    expect(worker.health()).toBeDefined();
  });

  test('key is repeatJobKey', async () => {
    const queue = redis.queue();
    expect((await queue.add('a', 1, { repeat: { every: HOUR, key: 'mine' } })).id).toBe('mine');
    const both = { repeat: { every: HOUR, key: 'mine' }, repeatJobKey: 'other' };
    await expect(queue.add('a', 1, both)).rejects.toThrow('"key" and "repeatJobKey"');
  });
});

describe('a paused schedule', () => {
  test('adds nothing until it is resumed; the slots meanwhile are skipped', async () => {
    const queue = redis.queue();
    const ran: string[] = [];
    const worker = redis.worker((job) => void ran.push(job.id), { schedulerTickMs: 20 });
    const policy = { missedFires: { kind: 'fire-all', maxCatchup: 99 } } as const;
    await queue.upsertJobScheduler('k', { every: 100, ...policy });
    await take(worker, 'completed', 2);
    const before = await redisNow();
    expect(await queue.pauseJobScheduler('k')).toBe(true);
    expect(await queue.pauseJobScheduler('k')).toBe(false);
    await delay(150);
    const so = ran.length;
    await delay(500);
    expect(ran).toHaveLength(so);
    const paused = await one(queue);
    expect(paused).toMatchObject({ paused: true, every: 100 });
    expect(paused).not.toHaveProperty('next');
    expect(paused.pausedSince).toBeGreaterThanOrEqual(before);
    expect(paused.pausedSince).toBeLessThanOrEqual(await redisNow());
    expect(await queue.getRepeatableJobs()).toMatchObject([{ key: 'k', paused: true }]);

    const resumedAt = await redisNow();
    const first = next(worker, 'completed');
    expect(await queue.resumeJobScheduler('k')).toBe(true);
    expect(await queue.resumeJobScheduler('k')).toBe(false);
    const [job] = await first;
    const slot = Number(job.id.split(':')[2]);
    expect(slot).toBeGreaterThan(resumedAt);
    // On the grid that it had.
    expect((slot - Number(ran[0]!.split(':')[2])) % 100).toBe(0);
    expect(await one(queue)).toMatchObject({ paused: false });
    expect(await redis.client.hmget(KEYS.repeatSpec('k'), 'paused', 'slot')).toEqual([null, null]);
    expect(ran.length).toBe(new Set(ran).size);
  });

  test('keeps its next run if it is resumed before it', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { pattern: '0 3 * * *' });
    const before = await one(queue);
    await queue.pauseJobScheduler('k');
    expect((await queue.getRepeatableJobs())[0]).toMatchObject({ nextFireMs: before.next });
    await queue.resumeJobScheduler('k');
    expect(await one(queue)).toEqual(before);
  });

  test('stays paused when it is declared again, also with another rule or other data', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { every: 100 });
    await queue.pauseJobScheduler('k');
    const { pausedSince } = await one(queue);
    for (const [repeat, data] of [
      [{ every: 100 }, {}],
      [{ every: 100 }, { other: 1 }],
      [{ every: 150, limit: 9 }, { other: 1 }],
      [{ every: 200, immediately: true }, { other: 2 }],
    ] as const) {
      const job = await redis.queue().upsertJobScheduler('k', repeat, { data });
      expect(job.id).toMatch(/^repeat:k:\d+$/);
      expect(await one(queue)).toMatchObject({ paused: true, pausedSince, template: { data } });
    }
    redis.worker(() => undefined, { schedulerTickMs: 20 });
    await delay(400);
    expect(await one(queue)).toMatchObject({ paused: true, every: 200, iterationCount: 0 });
    await queue.resumeJobScheduler('k');
    await eventually(async () => {
      expect((await one(queue)).iterationCount).toBeGreaterThan(1);
    });
  });

  test('costs a scheduler nothing: it does not poll more often', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { every: 1_000 });
    await queue.pauseJobScheduler('k');
    const worker = redis.worker(() => undefined, { schedulerTickMs: 1 });
    await worker.waitUntilReady();
    await delay(300);
    const run = vi.spyOn(CommandLink.prototype, 'run');
    await delay(2_000);
    const polls = run.mock.calls.filter(([name]) => name === 'read-due-schedules').length;
    run.mockRestore();
    expect(polls).toBeLessThanOrEqual(4);
    expect(await waiting()).toBe(0);
  });

  test('is over when it is resumed after its end, and can be removed while it is paused', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('ends', { every: 100, endDate: (await redisNow()) + 300 });
    await queue.upsertJobScheduler('goes', { every: 100 });
    await queue.pauseJobScheduler('ends');
    await queue.pauseJobScheduler('goes');
    expect(await queue.removeJobScheduler('goes')).toBe(true);
    await delay(350);
    expect(await queue.resumeJobScheduler('ends')).toBe(true);
    expect(await queue.getJobSchedulersCount()).toBe(0);
    expect(await redis.client.exists(KEYS.repeatSpec('ends'), KEYS.repeatSpec('goes'))).toBe(0);
    await delay(CHECK_MS);
    expect(await queue.getJobSchedulersCount()).toBe(0);
  });

  test('is left alone by schedulers of versions that do not know pauses', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { every: 100 });
    await queue.pauseJobScheduler('k');
    // What such a version reads: a slot far in the future, which it can show as a Date.
    const score = Number(await redis.client.zscore(KEYS.repeat, 'k'));
    expect(new Date(score).getTime()).toBe(score);
    expect(Number.isFinite(score)).toBe(true);
    // Such a version restores a schedule without the fields of the pause; it stays paused, and can be resumed.
    await redis.client.hdel(KEYS.repeatSpec('k'), 'paused', 'slot');
    expect(await one(queue)).toMatchObject({ paused: true });
    expect(await one(queue)).not.toHaveProperty('pausedSince');
    expect(await queue.resumeJobScheduler('k')).toBe(true);
    const { next: slot } = await one(queue);
    expect(slot! - (await redisNow())).toBeLessThanOrEqual(100);
  });

  test('comes back paused when Redis loses its data, from the processes that declared it', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { every: 100 });
    await queue.upsertJobScheduler('runs', { every: HOUR });
    const before = [await one(queue), await one(queue, 'runs')];
    await queue.pauseJobScheduler('k');
    const { pausedSince } = await one(queue);
    await delay(CHECK_MS);
    await redis.client.flushall();
    await eventually(async () => {
      expect(await queue.getJobSchedulersCount()).toBe(2);
    });
    expect(await one(queue)).toMatchObject({ paused: true, pausedSince });
    expect(await one(queue, 'runs')).toEqual(before[1]);
    await queue.resumeJobScheduler('k');
    // The grid is the one that it had.
    const { next: slot } = await one(queue);
    expect((slot! - before[0]!.next!) % 100).toBe(0);
  });

  test('two resume it at once: one of them has done it', async () => {
    const [a, b] = [redis.queue(), redis.queue()];
    await a.upsertJobScheduler('k', { every: HOUR });
    await a.pauseJobScheduler('k');
    const paused = await Promise.all([a, b, a, b].map((queue) => queue.resumeJobScheduler('k')));
    expect(paused.filter(Boolean)).toHaveLength(1);
    const again = await Promise.all([a, b, a, b].map((queue) => queue.pauseJobScheduler('k')));
    expect(again.filter(Boolean)).toHaveLength(1);
  });

  test('pausing and resuming again and again, next to three schedulers: no slot twice, none while it is paused', async () => {
    const queue = redis.queue();
    const every = 20;
    await queue.upsertJobScheduler('k', { every });
    const slots: number[] = [];
    for (let i = 0; i < 3; i++) {
      redis.worker((job) => void slots.push(Number(job.id.split(':')[2])), { schedulerTickMs: 1 });
    }
    /** A slot within one of these was missed: the schedule was paused before it and until after it. */
    const pauses: [from: number, to: number][] = [];
    for (let i = 0; i < 30; i++) {
      await delay(10 + ((i * 37) % 60));
      expect(await queue.pauseJobScheduler('k')).toBe(true);
      const from = await redisNow();
      await delay(10 + ((i * 53) % 90));
      pauses.push([from, await redisNow()]);
      expect(await queue.resumeJobScheduler('k')).toBe(true);
    }
    await queue.removeJobScheduler('k');
    await eventually(async () => {
      expect(await waiting()).toBe(0);
    });
    expect(slots.length).toBeGreaterThan(10);
    expect(new Set(slots).size).toBe(slots.length);
    const inPause = slots.filter((slot) => pauses.some(([from, to]) => slot > from && slot < to));
    expect(inPause).toEqual([]);
    expect(new Set(slots.map((slot) => slot % every)).size).toBe(1);
  });

  test('an unknown schedule is an error', async () => {
    const queue = redis.queue();
    const calls = [
      queue.pauseJobScheduler('none\n'),
      queue.resumeJobScheduler('none\n'),
      queue.runJobScheduler('none\n'),
    ];
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({ code: 'CMQ-111', key: 'none\n', queue: 'mail' });
      await expect(call).rejects.toThrow(/has no schedule "none\\n"/);
    }
    expect(await redis.keys()).toEqual([]);
  });
});

describe('runJobScheduler', () => {
  test('adds a job of the schedule now, and nothing else changes', async () => {
    const queue = redis.queue();
    const opts = { attempts: 2, timeoutMs: 4_000 };
    await queue.upsertJobScheduler(
      'k',
      { every: HOUR, limit: 2, immediately: false },
      { name: 'digest', data: { n: 1 }, opts },
    );
    const before = await one(queue);
    const worker = redis.worker((job) => [job.name, job.data, job.opts]);
    const job = await queue.runJobScheduler('k');
    expect(job).toMatchObject({ name: 'digest', data: { n: 1 }, duplicate: false, opts: { attempts: 2 } });
    expect(job.id).toMatch(/^repeat:k:now:\d+-\w{6}$/);
    const [done, result] = await next(worker, 'completed');
    expect(done.id).toBe(job.id);
    expect(result).toEqual(['digest', { n: 1 }, { attempts: 2, timeoutMs: 4_000 }]);
    expect(await one(queue)).toEqual(before);
    const ids = await Promise.all(Array.from({ length: 50 }, () => queue.runJobScheduler('k')));
    expect(new Set(ids.map(({ id }) => id)).size).toBe(50);
  });

  test('of a tracked queue: the job is tracked, too', async () => {
    const queue = redis.queue({ trackJobs: true });
    await queue.upsertJobScheduler('k', { every: HOUR });
    const worker = redis.worker(() => 'done');
    const job = await queue.runJobScheduler('k');
    await next(worker, 'completed');
    expect(await redis.client.zrange(`${KEYS.prefix}completed`, '0', '-1')).toEqual([job.id]);
  });

  test('also of a paused one, with the longest id', async () => {
    const queue = redis.queue();
    const id = 'k'.repeat(480);
    await queue.upsertJobScheduler(id, { every: HOUR }, { name: 'a' });
    await queue.pauseJobScheduler(id);
    const worker = redis.worker((job) => job.id);
    const job = await queue.runJobScheduler(id);
    expect((await next(worker, 'completed'))[0].id).toBe(job.id);
    expect(await one(queue, id)).toMatchObject({ paused: true });
  });

  test('with skipIfRunning, not while a job of the schedule is unfinished', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { every: 200, skipIfRunning: true });
    expect(await queue.runJobScheduler('k')).toMatchObject({ id: 'repeat:k', duplicate: false });
    expect(await queue.runJobScheduler('k')).toMatchObject({ id: 'repeat:k', duplicate: true });
    expect(await waiting()).toBe(1);
    // A slot finds the job, too.
    const worker = redis.worker(() => delay(500), { schedulerTickMs: 20 });
    await next(worker, 'active');
    await delay(400);
    expect(await waiting()).toBe(1);
    await take(worker, 'completed', 2);
  });
});

describe('an older deployment that declares late', () => {
  const repeat = (every: number): RepeatOptions => ({ every, owner: 'app' });

  test('changes and removes nothing once a newer one has claimed', async () => {
    const [older, newer] = [redis.queue(), redis.queue()];
    expect(await older.claimRepeatables('app', 1)).toBe(true);
    await older.upsertJobScheduler('gone', repeat(HOUR));
    expect(await newer.claimRepeatables('app', 2)).toBe(true);
    await newer.upsertJobScheduler('k', repeat(2 * HOUR));
    expect((await older.upsertJobScheduler('k', repeat(3 * HOUR))).duplicate).toBe(true);
    expect((await older.add('x', 1, { repeat: repeat(HOUR), repeatJobKey: 'late' })).duplicate).toBe(true);
    expect(await older.removeRepeatableByKey('k', 'app')).toBe(false);
    expect(await newer.getJobSchedulers(0, -1, true)).toMatchObject([{ key: 'gone' }, { every: 2 * HOUR }]);
    // What the older one wrote late is not restored either.
    await delay(CHECK_MS);
    expect(await newer.getJobSchedulersCount()).toBe(2);
    // By hand, anybody can. And schedules of other owners are theirs.
    await older.upsertJobScheduler('theirs', { every: HOUR, owner: 'another' });
    expect(await older.removeRepeatableByKey('k')).toBe(true);
    expect(await newer.removeRepeatableByKey('gone', 'app')).toBe(true);
    expect(await newer.getJobSchedulers()).toMatchObject([{ key: 'theirs', owner: 'another' }]);
  });
});

describe('when the memory of Redis is full', () => {
  test('a schedule can be paused, resumed and removed', async () => {
    const queue = redis.queue();
    await queue.upsertJobScheduler('k', { every: HOUR });
    await queue.upsertJobScheduler('other', { every: HOUR });
    await queue.waitUntilReady();
    await redis.client.config('SET', 'maxmemory', '1');
    try {
      expect(await queue.pauseJobScheduler('k')).toBe(true);
      expect(await one(queue)).toMatchObject({ paused: true });
      expect(await queue.resumeJobScheduler('k')).toBe(true);
      expect(await one(queue)).toMatchObject({ paused: false });
      expect(await queue.removeJobScheduler('other')).toBe(true);
      await expect(queue.runJobScheduler('k')).rejects.toMatchObject({ code: 'CMQ-001' });
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
    }
    expect(await queue.getJobSchedulersCount()).toBe(1);
  });
});
