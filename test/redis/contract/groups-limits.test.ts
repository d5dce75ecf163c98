import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { WorkerOptions } from '../../../lib/engine/index.js';
import type { GroupedJob } from './groups-kit.js';
import { Diary, allOf, changeGroup, expectNoTrace, groupDefaults, jobsOf, slots } from './groups-kit.js';
import { fullest } from '../../support/fullest.js';
import { KEYS, Latch, eventually, useKit } from './kit.js';

const redis = useKit();

function work(diary: Diary, options: Partial<WorkerOptions> = {}, ms: Parameters<Diary['processor']>[0] = 0) {
  return redis.worker(diary.processor(ms), { concurrency: 1, ...options });
}

function timesOf(diary: Diary, group: string): number[] {
  return diary.times.get(group) ?? [];
}

describe('the rate limit of groups', () => {
  test('holds in every window, over three workers, and is used up', { timeout: 20_000 }, async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupMax: 20, groupDuration: 400 });
    await changeGroup(redis, { group: 'slow', max: 5, duration: 300 });
    await queue.addBulk([...jobsOf('a', 120), ...jobsOf('b', 120), ...jobsOf('slow', 40)]);
    const diary = new Diary();
    for (let i = 0; i < 3; i += 1) work(diary, { concurrency: 30 }, 1);
    await allOf(diary, 280, 15_000);
    for (const [group, max, duration] of [
      ['a', 20, 400],
      ['b', 20, 400],
      ['slow', 5, 300],
    ] as const) {
      const times = timesOf(diary, group);
      expect(fullest(times, duration)).toBeLessThanOrEqual(max);
      const windows = times.length / max - 1;
      // A limit that wastes every second window takes twice that.
      expect((times.at(-1) as number) - (times[0] as number)).toBeLessThan(2 * windows * duration);
    }
    await changeGroup(redis, { group: 'slow', max: null, duration: null });
    await expectNoTrace(redis);
  });

  test('of 1 start lets one start, and the next one when it has left the window', async () => {
    await groupDefaults(redis, { groupMax: 1, groupDuration: 100 });
    await redis.queue().addBulk([...jobsOf('a', 5), ...jobsOf('b', 5)]);
    const diary = new Diary();
    for (let i = 0; i < 2; i += 1) work(diary, { concurrency: 5 });
    await allOf(diary, 10);
    for (const group of ['a', 'b']) expect(fullest(timesOf(diary, group), 100)).toBe(1);
  });

  test('counts the jobs that a worker has got and may not have started', async () => {
    await groupDefaults(redis, { groupMax: 2, groupDuration: 60_000 });
    await redis.queue().addBulk(jobsOf('a', 10));
    const diary = new Diary();
    for (let i = 0; i < 3; i += 1) work(diary, { concurrency: 5 });
    await allOf(diary, 2);
    await delay(300);
    expect(diary.started.length).toBe(2);
    // Removed, raised: it takes effect at once.
    await changeGroup(redis, { group: 'a', max: 5 });
    await allOf(diary, 5);
    await groupDefaults(redis, { groupMax: undefined, groupDuration: undefined });
    await changeGroup(redis, { group: 'a', max: null });
    await allOf(diary, 10);
  });

  test('of a million jobs an hour does not keep other groups', async () => {
    await changeGroup(redis, { group: 'a', max: 1, duration: 3_600_000 });
    await redis.queue().addBulk([...jobsOf('a', 50), ...jobsOf('b', 50)]);
    const diary = new Diary();
    work(diary, { concurrency: 3 });
    await allOf(diary, 51);
    expect(await redis.client.zrange(`${KEYS.prefix}groups:limited`, '0', '-1')).toEqual(['a']);
  });

  test('a job that is released keeps its group within the limit', async () => {
    await groupDefaults(redis, { groupMax: 3, groupDuration: 500, groupConcurrency: 2 });
    const queue = redis.queue();
    await queue.addBulk(jobsOf('a', 9));
    const diary = new Diary();
    const first = work(diary, { concurrency: 5, shutdownDeadlineSecs: 0.05 }, 200);
    await allOf(diary, 2);
    await first.close();
    work(diary, { concurrency: 5 }, 2);
    await eventually(async () => {
      expect(await queue.getJobCounts('waiting', 'active')).toEqual(
        expect.objectContaining({ waiting: 0, active: 0 }),
      );
    });
    expect(fullest(timesOf(diary, 'a'), 500)).toBeLessThanOrEqual(3);
    await expectNoTrace(redis);
  });
});

describe('a strict group', () => {
  const ATTEMPTS = 3;

  test('runs a job that changePriority({ lifo }) moves next, but not before the retry that holds the group', async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupStrict: 1 });
    const jobs = await queue.addBulk(jobsOf('a', 5, { attempts: ATTEMPTS }));
    const diary = new Diary();
    work(diary, { concurrency: 5, retry: { initialBackoffMs: 300, jitterMs: 0 } }, async (job) => {
      if (job.data !== 0 || job.attemptsMade > 1) return;
      await jobs[3]?.changePriority({ lifo: true });
      throw new Error('again');
    });
    await allOf(diary, 6);
    expect(diary.started).toEqual(['a0', 'a0', 'a3', 'a1', 'a2', 'a4']);
    await expectNoTrace(redis);
  });

  test('runs one job after the other, and a retry before all others of the group', async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupStrict: 1 });
    await queue.addBulk([
      ...jobsOf('a', 5, { attempts: ATTEMPTS }),
      ...jobsOf('b', 5, { attempts: ATTEMPTS }),
    ]);
    await queue.add('a', 9, { group: { id: 'a', priority: 1 } });
    const diary = new Diary();
    for (let i = 0; i < 2; i += 1)
      work(diary, { concurrency: 5, retry: { initialBackoffMs: 20, jitterMs: 0 } }, async (job) => {
        await delay(1);
        if (job.name === 'a' && job.data === 1 && job.attemptsMade < 3) throw new Error('again');
        if (job.name === 'b' && job.attemptsMade < 2) throw new Error('again');
      });
    await allOf(diary, 11 + 2 + 5);
    expect(diary.started.filter((job) => job.startsWith('a'))).toEqual([
      'a0',
      'a1',
      'a1',
      'a1',
      'a2',
      'a3',
      'a4',
      'a9',
    ]);
    expect(diary.started.filter((job) => job.startsWith('b'))).toEqual([
      'b0',
      'b0',
      'b1',
      'b1',
      'b2',
      'b2',
      'b3',
      'b3',
      'b4',
      'b4',
    ]);
    expect(Math.max(...diary.most.values())).toBe(1);
    await expectNoTrace(redis);
  });

  test.each([
    ['removed', (job: { remove: () => Promise<unknown> }) => job.remove()],
    ['cancelled', (job: { id: string }) => redis.queue().cancel(job.id)],
    ['promoted', (job: { promote: () => Promise<unknown> }) => job.promote()],
    ['cleaned', () => redis.queue().clean(0, 10, 'delayed')],
    ['drained', () => redis.queue().drain(true)],
    [
      'replaced',
      () =>
        redis
          .queue()
          .add('a', 5, { group: { id: 'a' }, deduplication: { id: 'one', replace: true }, delay: 100 }),
    ],
  ])('does not wait for a retry that is %s', async (how, end) => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupStrict: 1 });
    const [job, ...others] = jobsOf('a', 3, { attempts: 2 }) as [GroupedJob, ...GroupedJob[]];
    const deduplicated = { ...job, opts: { ...job.opts, deduplication: { id: 'one' } } };
    const [first] = await queue.addBulk([deduplicated, ...others]);
    const diary = new Diary();
    work(diary, { concurrency: 5, retry: { initialBackoffMs: 60_000, jitterMs: 0 } }, (started) => {
      if (started.data === 0 && started.attemptsMade === 1) throw new Error('again');
    });
    await allOf(diary, 1);
    await eventually(async () => {
      expect(await first?.getState()).toBe('delayed');
    });
    await delay(100);
    expect(diary.started).toEqual(['a0']);
    expect(await slots(redis)).toBe(1);
    const [slot] = await redis.client.zrangeBuffer(`${KEYS.prefix}slots`, '0', '-1');
    await end(first as never);
    // In the same step: no audit has come by.
    expect(await redis.client.zscore(`${KEYS.prefix}slots`, slot as Buffer)).toBeNull();
    const all = how === 'promoted' ? ['a0', 'a0', 'a1', 'a2'] : ['a0', 'a1', 'a2'];
    if (how === 'replaced') all.push('a5');
    const left = how === 'drained' ? ['a0'] : all;
    await allOf(diary, left.length);
    expect(diary.started).toEqual(left);
    await expectNoTrace(redis);
  });

  test('waits for a retry whose data or priority has changed', async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupStrict: 1 });
    const [first] = await queue.addBulk(jobsOf('a', 3, { attempts: 2 }));
    const diary = new Diary();
    work(diary, { concurrency: 5, retry: { initialBackoffMs: 60_000, jitterMs: 0 } }, (job) => {
      if (job.attemptsMade === 1 && job.data === 0) throw new Error('again');
    });
    await eventually(async () => {
      expect(await first?.getState()).toBe('delayed');
    });
    await first?.updateData(7);
    await first?.changePriority({ priority: 9 });
    await first?.changeDelay(300);
    // The audit comes by meanwhile.
    await allOf(diary, 4);
    expect(diary.started).toEqual(['a0', 'a7', 'a1', 'a2']);
  });

  test('with a handler that is released keeps its order', async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupStrict: 1 });
    await queue.addBulk(jobsOf('a', 4));
    const diary = new Diary();
    const latch = new Latch();
    const first = work(diary, { concurrency: 5, shutdownDeadlineSecs: 0.05 }, () => latch.opened);
    await allOf(diary, 1);
    await first.close();
    work(diary, { concurrency: 5 });
    await allOf(diary, 5);
    latch.open();
    expect(diary.started).toEqual(['a0', 'a0', 'a1', 'a2', 'a3']);
  });
});
