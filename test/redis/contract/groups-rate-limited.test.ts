import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { RateLimitError, Worker } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { Diary, allOf, expectNoTrace, jobsOf } from './groups-kit.js';
import { KEYS, Latch, eventually, rejection, useKit } from './kit.js';

const redis = useKit();
const HOUR = 3_600_000;
const POLICY = `${KEYS.prefix}groups:policy`;

const dataOf = (diary: Diary, group: string): string[] =>
  diary.started.filter((job) => job.startsWith(group));

describe('worker.rateLimitGroup', () => {
  test('lets the group start nothing for so long, in all workers; and others go on', async () => {
    const queue = redis.queue();
    const diary = new Diary();
    let limitedAt = 0;
    let workers: Worker[] = [];
    const processor = diary.processor(async (job: Job) => {
      if (job.name !== 'a' || limitedAt > 0) return;
      limitedAt = performance.now();
      await workers[0]?.rateLimitGroup(job, 2_000);
      throw Worker.RateLimitError();
    });
    await queue.setGroupConcurrency('a', 1);
    await queue.addBulk([...jobsOf('a', 4), ...jobsOf('b', 30)]);
    workers = [0, 1].map(() => redis.worker(processor, { concurrency: 2 }));
    await allOf(diary, 31);
    expect(dataOf(diary, 'a')).toEqual(['a0']);
    expect(await queue.getGroupStatus('a')).toBe('limited');
    await eventually(async () => {
      expect(await queue.getGroups()).toEqual([{ id: 'a', count: 4, status: 'limited' }]);
    });
    expect(await queue.getGroupsCountByStatus()).toMatchObject({ limited: 1 });
    for (const most of [undefined, 1, 100]) {
      const ttl = await queue.getGroupRateLimitTtl('a', most);
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(2_000);
    }
    // What is added, and a worker that comes later, do not end it.
    await queue.addBulk(jobsOf('a', 1));
    redis.worker(processor);
    await allOf(diary, 36);
    const times = diary.times.get('a') as number[];
    expect((times[1] as number) - limitedAt).toBeGreaterThanOrEqual(1_999);
    expect(dataOf(diary, 'a')).toEqual(['a0', 'a0', 'a1', 'a2', 'a3', 'a0']);
    expect(await queue.getGroupRateLimitTtl('a')).toBe(-2);
    expect(await queue.removeGroupConcurrency('a')).toBe(true);
    await expectNoTrace(redis);
  });

  test('uses no attempt', async () => {
    const queue = redis.queue();
    const attempts: number[] = [];
    const worker = redis.worker(async (job) => {
      attempts.push(job.attemptsMade);
      if (attempts.length > 2) return;
      await worker.rateLimitGroup(job, 20);
      throw new RateLimitError();
    });
    await queue.addBulk(jobsOf('a', 1, { attempts: 1 }));
    await eventually(() => {
      expect(attempts).toEqual([1, 1, 1]);
    });
    await expectNoTrace(redis);
  });

  test.each([
    ['without a priority', () => ({})],
    ['with priorities', (i: number) => ({ priority: i + 1 })],
  ])('puts the job back before newer jobs of its group, each time: %s', async (_, optionsOf) => {
    const queue = redis.queue();
    const seen: number[] = [];
    const worker = redis.worker(
      async (job) => {
        seen.push(job.data as number);
        if (job.data !== 1 || seen.filter((i) => i === 1).length > 3) return;
        const group = { id: 'a', ...optionsOf(seen.length + 10) };
        await queue.addBulk([{ name: 'a', data: seen.length + 10, opts: { group } }]);
        await worker.rateLimitGroup(job, 200);
        throw new RateLimitError();
      },
      { concurrency: 1, autorun: false },
    );
    await queue.addBulk(
      [0, 1, 2, 3].map((i) => ({ name: 'a', data: i, opts: { group: { id: 'a', ...optionsOf(i) } } })),
    );
    void worker.run();
    await eventually(() => {
      expect(seen).toEqual([0, 1, 1, 1, 1, 2, 3, 12, 13, 14]);
    });
    await expectNoTrace(redis);
  });

  test('puts a job of an own id back, and says where it is', async () => {
    const queue = redis.queue();
    const seen: string[] = [];
    const worker = redis.worker(
      async (job) => {
        seen.push(`${job.id} ${String(job.attemptsMade)}`);
        if (seen.length > 1) return;
        await worker.rateLimitGroup(job, 1_000);
        throw new RateLimitError();
      },
      { concurrency: 1 },
    );
    await queue.add('a', 1, { jobId: 'mine', attempts: 1, group: { id: 'a' } });
    await queue.add('a', 2, { jobId: 'other', attempts: 1, group: { id: 'a' } });
    await eventually(async () => {
      expect(seen).toEqual(['mine 1']);
      expect(await queue.getJobState('mine')).toBe('waiting');
    });
    expect((await queue.getGroupJobs('a')).map(({ id }) => id)).toEqual(['mine', 'other']);
    expect((await queue.add('a', 2, { jobId: 'mine', group: { id: 'a' } })).duplicate).toBe(true);
    await (await queue.getJob('mine'))?.remove();
    await eventually(() => {
      expect(seen).toEqual(['mine 1', 'other 1']);
    });
    await expectNoTrace(redis);
  });

  test('keeps the order of a strict group', async () => {
    const queue = redis.queue();
    await queue.setGroupDefaults({ strict: true });
    const diary = new Diary();
    const worker = redis.worker(
      diary.processor(async (job) => {
        if (diary.started.length > 1) return;
        await worker.rateLimitGroup(job, 300);
        throw new RateLimitError();
      }),
      { concurrency: 3 },
    );
    await queue.addBulk(jobsOf('a', 3));
    await allOf(diary, 4);
    expect(diary.started).toEqual(['a0', 'a0', 'a1', 'a2']);
    const [first = 0, second = 0] = diary.times.get('a') ?? [];
    expect(second - first).toBeGreaterThanOrEqual(299);
    await queue.removeGroupDefaults();
    await expectNoTrace(redis);
  });

  test('is replaced by a later call, and leaves the limits and the pause of the group as they are', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const diary = new Diary();
    let first: Job | undefined;
    const worker = redis.worker(
      diary.processor((job) => {
        first ??= job;
        return latch.opened;
      }),
      { concurrency: 5 },
    );
    await queue.setGroupConcurrency('a', 1);
    await queue.setGroupRateLimit('a', 100, 1_000);
    await queue.addBulk(jobsOf('a', 3));
    await allOf(diary, 1);
    await worker.rateLimitGroup(first as Job, HOUR);
    latch.open();
    await delay(200);
    expect(diary.started).toEqual(['a0']);
    expect(await queue.getGroupRateLimitTtl('a')).toBeGreaterThan(HOUR - 10_000);
    expect((await queue.getBacklog()).startable).toBe(0);
    expect(await queue.getGroupConcurrency('a')).toBe(1);
    expect(await queue.getGroupRateLimit('a')).toEqual({ max: 100, duration: 1_000 });
    // Changes of the limits and a pause do not end it.
    await queue.setGroupConcurrency('a', 2);
    await queue.pauseGroup('a');
    expect(await queue.getGroupStatus('a')).toBe('paused');
    await queue.resumeGroup('a');
    await queue.setGroupDefaults({ concurrency: 10 });
    await delay(200);
    expect(diary.started).toEqual(['a0']);
    expect(await queue.getGroupStatus('a')).toBe('limited');
    await worker.rateLimitGroup(first as Job, 1);
    await delay(5);
    // It is over, so nothing changes.
    expect(await queue.resumeGroup('a')).toBe(false);
    await allOf(diary, 3);
    await queue.removeGroupConcurrency('a');
    await queue.removeGroupRateLimit('a');
    await queue.removeGroupDefaults();
    await expectNoTrace(redis);
  });

  test('holds for jobs of a worker that has died', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const diary = new Diary();
    let first: Job | undefined;
    const worker = redis.worker(
      diary.processor((job) => {
        if (first) return;
        first = job;
        return latch.opened;
      }),
      { concurrency: 2, claimMinIdleMs: 200 },
    );
    await queue.addBulk(jobsOf('a', 1));
    await allOf(diary, 1);
    await worker.rateLimitGroup(first as unknown as Job, 1_200);
    const begun = performance.now();
    // As a worker that has died leaves it.
    const dead = 'dead;lease=200';
    await redis.client.xgroup('CREATECONSUMER', KEYS.stream, 'default', dead);
    const [[entry] = ['']] = (await redis.client.xrange(KEYS.stream, '-', '+')) as unknown as [string][];
    await redis.client.xclaim(KEYS.stream, 'default', dead, 0, entry);
    await allOf(diary, 2);
    expect(performance.now() - begun).toBeGreaterThan(1_100);
    latch.open();
    await eventually(() => {
      expect(redis.errors.map(({ name }) => name)).toEqual(['LeaseLostError']);
    });
    redis.errors.length = 0;
  });

  test('of groups whose jobs never come again leaves few traces', { timeout: 20_000 }, async () => {
    const queue = redis.queue();
    const worker = redis.worker(async (job) => worker.rateLimitGroup(job, 1));
    for (let i = 0; i < 40; i += 1) await queue.addBulk(jobsOf(`g${String(i)}`, 1));
    await eventually(async () => {
      expect(await queue.count()).toBe(0);
      expect(await queue.getActiveCount()).toBe(0);
    });
    expect(await redis.client.hlen(POLICY)).toBeLessThan(10);
    // What is left goes while groups are in use.
    const sleeper = redis.worker(() => delay(20));
    await worker.close();
    await eventually(async () => {
      await queue.addBulk(jobsOf('z', 1));
      expect(await redis.client.exists(POLICY)).toBe(0);
    }, 15_000);
    await sleeper.close();
  });

  test('refuses what is no job of a group of this queue, and no time', async () => {
    const worker = redis.worker(() => undefined, { autorun: false });
    const [inGroup] = await redis.queue().addBulk(jobsOf('a', 1));
    const alone = await redis.queue().add('a', 1);
    const [other] = await redis.queue({}, 'other').addBulk(jobsOf('a', 1));
    for (const job of [
      alone,
      other,
      undefined,
      null,
      'a',
      { groupId: 'a' },
      { opts: { group: { id: 'a' } } },
    ])
      expect(await rejection(worker.rateLimitGroup(job as Job, 10))).toMatchObject({
        code: 'CMQ-004',
        name: 'TypeError',
        message: expect.stringContaining('rateLimitGroup: the job must be') as string,
      });
    for (const ms of [0, -1, 1.5, NaN, '5', undefined, 2 ** 40])
      expect(await rejection(worker.rateLimitGroup(inGroup as Job, ms as number))).toMatchObject({
        code: 'CMQ-004',
        name: 'RangeError',
      });
    expect(await redis.client.exists(POLICY)).toBe(0);
  });
});

test('getCountsPerPriorityForGroup counts the waiting jobs of one group', async () => {
  const queue = redis.queue();
  const group = (id: string, priority?: number) => ({
    name: 'a',
    data: 1,
    opts: { group: { id, ...(priority !== undefined && { priority }) } },
  });
  await queue.addBulk([
    ...[undefined, 0, 1, 1, 5, 2_097_152].map((priority) => group('a', priority)),
    ...[undefined, 1, 1, 1].map((priority) => group('ab', priority)),
    { name: 'a', data: 1, opts: { priority: 1 } },
    { name: 'a', data: 1, opts: {} },
  ]);
  const priorities = [0, 1, 5, 7, 2_097_152];
  const counts = { 0: 2, 1: 2, 5: 1, 7: 0, 2_097_152: 1 };
  expect(await queue.getCountsPerPriorityForGroup('a', priorities)).toEqual(counts);
  expect(await queue.getCountsPerPriorityForGroup('ab', [0, 1])).toEqual({ 0: 1, 1: 3 });
  expect(await queue.getCountsPerPriorityForGroup('nobody', [0])).toEqual({ 0: 0 });
  expect(await queue.getCountsPerPriority([0, 1])).toEqual({ 0: 1, 1: 1 });
  expect(await rejection(queue.getCountsPerPriorityForGroup('', [0]))).toMatchObject({ code: 'CMQ-004' });
  expect(await rejection(queue.getCountsPerPriorityForGroup('a', [-1]))).toMatchObject({ code: 'CMQ-004' });
});
