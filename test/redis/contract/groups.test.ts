import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { WorkerOptions } from '../../../lib/engine/index.js';
import { Diary, allOf, changeGroup, expectNoTrace, groupDefaults, jobsOf, slots } from './groups-kit.js';
import { KEYS, Latch, eventually, useKit } from './kit.js';

const redis = useKit();

function work(diary: Diary, options: Partial<WorkerOptions> = {}, ms: Parameters<Diary['processor']>[0] = 0) {
  return redis.worker(diary.processor(ms), { concurrency: 1, ...options });
}

describe('groups', () => {
  test('take turns, whatever the order in which their jobs were added', async () => {
    const queue = redis.queue();
    await queue.addBulk([...jobsOf('a', 5), ...jobsOf('b', 3), ...jobsOf('c', 1)]);
    const diary = new Diary();
    work(diary);
    await allOf(diary, 9);
    expect(diary.started).toEqual(['a0', 'b0', 'c0', 'a1', 'b1', 'a2', 'b2', 'a3', 'a4']);
    await expectNoTrace(redis);
  });

  test('take turns round after round, where one call takes more jobs than there are groups', async () => {
    const queue = redis.queue();
    await queue.addBulk([...jobsOf('a', 20), ...jobsOf('b', 3), ...jobsOf('c', 5)]);
    const diary = new Diary();
    const latch = new Latch();
    const worker = work(diary, { concurrency: 14 }, () => latch.opened);
    await allOf(diary, 14);
    const rounds = ['a0', 'b0', 'c0', 'a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'c3', 'a4', 'c4', 'a5'];
    expect(diary.started).toEqual(rounds);
    expect(await slots(redis)).toBe(14);
    latch.open();
    await allOf(diary, 28);
    await expectNoTrace(redis);
    expect(worker.isRunning()).toBe(true);
  });

  test('a group that gets its first job waits for one start of each group that waits', async () => {
    const queue = redis.queue();
    await queue.addBulk([...jobsOf('big', 1_000), ...jobsOf('other', 10)]);
    const diary = new Diary();
    let added = false;
    work(diary, {}, async () => {
      if (added || diary.started.length < 20) return;
      added = true;
      await queue.addBulk(jobsOf('new', 2));
    });
    await eventually(() => {
      expect(diary.started).toContain('new1');
    });
    const at = diary.started.indexOf('new0');
    expect(at).toBeLessThanOrEqual(22);
    expect(diary.started.indexOf('new1')).toBeLessThanOrEqual(at + 3);
  });

  test('run after lifo, plain jobs and priorities', async () => {
    const queue = redis.queue();
    await queue.addBulk(jobsOf('g', 2));
    await queue.add('p', 0, { priority: 5 });
    await queue.add('plain', 0);
    await queue.add('l', 0, { lifo: true });
    const diary = new Diary();
    // The first worker learns that the queue is gated before it reads.
    await delay(2_100);
    work(diary);
    await allOf(diary, 5);
    expect(diary.started).toEqual(['l0', 'plain0', 'p0', 'g0', 'g1']);
  });

  test('run their own jobs by priority, then in the order of the adds', async () => {
    const queue = redis.queue();
    for (const [data, priority] of [
      [0, 3],
      [1, 1],
      [2, undefined],
      [3, 1],
    ] as const)
      await queue.add('g', data, { group: { id: 'g', ...(priority && { priority }) } });
    const diary = new Diary();
    work(diary);
    await allOf(diary, 4);
    expect(diary.started).toEqual(['g2', 'g1', 'g3', 'g0']);
  });

  test.each(['a b\n', 'ü{x}', '\0', '1-1', 'h', ':', 'x'.repeat(256)])('an id like %j is one', async (id) => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupConcurrency: 1 });
    await queue.addBulk([...jobsOf(id, 3, { attempts: 2 }), ...jobsOf(`${id.slice(0, 250)}.`, 3)]);
    const diary = new Diary();
    let failed = false;
    work(diary, { concurrency: 6 }, async () => {
      await delay(2);
      if (!failed) {
        failed = true;
        throw new Error('once');
      }
    });
    await allOf(diary, 7);
    expect(Math.max(...diary.most.values())).toBe(1);
    await expectNoTrace(redis);
  });

  test('delayed jobs, retries and released jobs come back into their groups', async () => {
    const queue = redis.queue();
    await queue.addBulk(jobsOf('a', 3, { attempts: 3 }));
    await queue.add('b', 0, { group: { id: 'b' }, delay: 20 });
    const diary = new Diary();
    const first = work(diary, { concurrency: 4 }, async (job) => {
      if (job.name === 'a' && job.attemptsMade === 1) throw new Error('again');
      await delay(20);
    });
    await eventually(() => {
      expect(diary.started.length).toBeGreaterThanOrEqual(3);
    });
    await first.close();
    work(diary, { concurrency: 2 }, (job) => {
      if (job.name === 'a' && job.attemptsMade < 3) throw new Error('again');
    });
    await eventually(async () => {
      expect(await queue.getJobCounts('waiting', 'active', 'delayed', 'failed')).toEqual(
        expect.objectContaining({ waiting: 0, active: 0, delayed: 0, failed: 0 }),
      );
    });
    await expectNoTrace(redis);
  });
});

describe('concurrency of groups', () => {
  test('is never exceeded, over three workers, and is used', async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupConcurrency: 2 });
    await changeGroup(redis, { group: 'g1', concurrency: 1 });
    await changeGroup(redis, { group: 'g2', concurrency: 5 });
    await queue.addBulk(['g0', 'g1', 'g2', 'g3'].flatMap((id) => jobsOf(id, 40)));
    const diary = new Diary();
    for (let i = 0; i < 3; i += 1) work(diary, { concurrency: 10 }, 4);
    await allOf(diary, 160);
    expect(Object.fromEntries(diary.most)).toEqual({ g0: 2, g1: 1, g2: 5, g3: 2 });
    expect(new Set(diary.started).size).toBe(160);
    await eventually(async () => {
      expect(await slots(redis)).toBe(0);
    });
  });

  test('each end lets the next job start: workers do not wait for a look once a second', async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupConcurrency: 1 });
    await queue.addBulk(jobsOf('g', 60));
    const diary = new Diary();
    for (let i = 0; i < 2; i += 1) work(diary, { concurrency: 5 }, 1);
    // A look once a second would take a minute.
    await allOf(diary, 60, 6_000);
  });

  test('that is raised or removed while 20,000 jobs wait takes effect at once', async () => {
    const queue = redis.queue();
    await groupDefaults(redis, { groupConcurrency: 1 });
    for (let i = 0; i < 10; i += 1) await queue.addBulk(jobsOf('g', 2_000));
    const diary = new Diary();
    const latch = new Latch();
    work(diary, { concurrency: 20 }, () => latch.opened);
    await allOf(diary, 1);
    await groupDefaults(redis, { groupConcurrency: 4 });
    await allOf(diary, 4);
    await changeGroup(redis, { group: 'g', concurrency: 7 });
    await allOf(diary, 7);
    await changeGroup(redis, { group: 'g', concurrency: null });
    await groupDefaults(redis, { groupConcurrency: undefined });
    await allOf(diary, 20);
    expect(await slots(redis)).toBe(20);
    await groupDefaults(redis, { groupConcurrency: 2 });
    latch.open();
    await eventually(() => {
      expect(diary.started.length).toBeGreaterThan(100);
    });
    await queue.drain();
    await expectNoTrace(redis);
  });

  test('while the queue has a limit too, both hold', async () => {
    const queue = redis.queue();
    await queue.setGlobalConcurrency(3);
    await groupDefaults(redis, { groupConcurrency: 2 });
    await queue.addBulk([...jobsOf('a', 30), ...jobsOf('b', 30)]);
    const diary = new Diary();
    let running = 0;
    let most = 0;
    work(diary, { concurrency: 10 }, async () => {
      most = Math.max(most, (running += 1));
      await delay(2);
      running -= 1;
    });
    await allOf(diary, 60);
    expect(most).toBe(3);
    expect(Math.max(...diary.most.values())).toBe(2);
  });
});

describe('a paused group', () => {
  test('starts nothing, also what is added meanwhile; the others go on; then it goes on', async () => {
    const queue = redis.queue();
    await queue.addBulk([...jobsOf('a', 5), ...jobsOf('b', 5)]);
    expect(await changeGroup(redis, { group: 'a', paused: true })).toBe(true);
    expect(await changeGroup(redis, { group: 'a', paused: true })).toBe(false);
    const diary = new Diary();
    work(diary);
    await allOf(diary, 5);
    await queue.addBulk([...jobsOf('a', 1), ...jobsOf('c', 1)]);
    await allOf(diary, 6);
    await delay(50);
    expect(diary.started.filter((started) => started.startsWith('a'))).toEqual([]);
    expect(await changeGroup(redis, { group: 'a', paused: false })).toBe(true);
    await allOf(diary, 12);
    await expectNoTrace(redis);
  });

  test('that has no jobs is paused, and its key is gone when it is resumed', async () => {
    await changeGroup(redis, { group: 'a', paused: true, concurrency: 3 });
    await redis.queue().addBulk(jobsOf('a', 2));
    const diary = new Diary();
    work(diary);
    await delay(100);
    expect(diary.started).toEqual([]);
    await changeGroup(redis, { group: 'a', paused: false, concurrency: null });
    await allOf(diary, 2);
    await expectNoTrace(redis);
  });
});

test('an idle worker with groups that cannot start asks Redis about once a second', async () => {
  const queue = redis.queue();
  await groupDefaults(redis, { groupConcurrency: 1 });
  await queue.addBulk(jobsOf('a', 10));
  const diary = new Diary();
  const latch = new Latch();
  work(diary, { concurrency: 5 }, () => latch.opened);
  await allOf(diary, 1);
  await delay(200);
  await redis.client.config('RESETSTAT');
  await delay(1_500);
  const stats = await redis.client.info('commandstats');
  const evals = Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  // A look each second, the policy each second, the audit, the heartbeat.
  expect(evals).toBeLessThan(25);
  latch.open();
  await allOf(diary, 10);
  expect(await redis.client.exists(KEYS.room)).toBe(0);
});
