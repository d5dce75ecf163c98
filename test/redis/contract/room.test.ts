import { describe, expect, test } from 'vitest';
import type { Job, JobsOptions, Queue } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, rejection, useKit } from './kit.js';

const redis = useKit();

const HOUR = 3_600_000;

const ids = [
  ['an id of its own', {}],
  ['an id of the caller’s', { jobId: 'order 1\n{x}:é' }],
] as const;

/** Adds jobs one after the other: their names, which are their data too, and their options. */
async function addAll(queue: Queue, jobs: Record<string, JobsOptions>): Promise<Map<string, Job>> {
  const added = new Map<string, Job>();
  for (const [name, options] of Object.entries(jobs)) added.set(name, await queue.add(name, name, options));
  return added;
}

const names = (jobs: readonly Job[]): string[] => jobs.map(({ name }) => name);

/** The order in which one handler runs everything that waits. */
async function runAll(count: number): Promise<string[]> {
  const ran: string[] = [];
  const worker = redis.worker(({ name }) => void ran.push(name), { concurrency: 1 });
  await eventually(() => {
    expect(ran.length).toBeGreaterThanOrEqual(count);
  });
  await worker.close();
  return ran;
}

describe('jobs with a priority', () => {
  const JOBS = {
    plain: {},
    low: { priority: 9 },
    high: { priority: 1 },
    middle: { priority: 5 },
    'middle 2': { priority: 5 },
    last: { lifo: true },
    'last 2': { lifo: true },
  } satisfies Record<string, JobsOptions>;

  test('are counted and listed in the order in which they run', async () => {
    const queue = redis.queue();
    await addAll(queue, JOBS);
    expect(await queue.getJobCounts('waiting', 'prioritized', 'delayed')).toEqual({
      waiting: 3,
      prioritized: 4,
      delayed: 0,
      paused: 0,
    });
    expect(await queue.getPrioritizedCount()).toBe(4);
    expect(await queue.count()).toBe(7);
    expect(await queue.getCountsPerPriority([0, 1, 5, 9, 7])).toEqual({ 0: 3, 1: 1, 5: 2, 9: 1, 7: 0 });
    expect(names(await queue.getWaiting())).toEqual(['last 2', 'last', 'plain']);
    expect(names(await queue.getPrioritized())).toEqual(['high', 'middle', 'middle 2', 'low']);
    expect(names(await queue.getJobs('prioritized', 0, -1, false))).toEqual([
      'low',
      'middle 2',
      'middle',
      'high',
    ]);
    expect(names(await queue.getJobs('waiting', 0, -1, false))).toEqual(['plain', 'last', 'last 2']);
    const { waiting, prioritized } = await queue.getBacklog();
    expect({ waiting, prioritized }).toEqual({ waiting: 7, prioritized: 4 });
    // A queue whose first job with a priority is so young may have a worker that does not know of it yet; then lifo waits.
    await redis.client.hset(KEYS.meta, 'gated', 1);
    expect(await runAll(7)).toEqual(['last 2', 'last', 'plain', 'high', 'middle', 'middle 2', 'low']);
  });

  test.each([
    [0, 1, ['high', 'middle']],
    [1, 2, ['middle', 'middle 2']],
    [-1, -1, ['low']],
    [-3, -2, ['middle', 'middle 2']],
    [4, 9, []],
    [2, 1, []],
  ])('are listed from %i to %i', async (start, end, expected) => {
    const queue = redis.queue();
    await addAll(queue, JOBS);
    expect(names(await queue.getPrioritized(start, end))).toEqual(expected);
  });

  test.each([
    [0, 0, ['last 2']],
    [1, 2, ['last', 'plain']],
    [2, 5, ['plain', 'plain 2']],
    [-1, -1, ['plain 2']],
    [4, 5, []],
  ])('with lifo are listed before those without, from %i to %i', async (start, end, expected) => {
    const queue = redis.queue();
    await addAll(queue, { ...JOBS, 'plain 2': {} });
    expect(names(await queue.getWaiting(start, end))).toEqual(expected);
  });

  test('are listed beyond the size of one call', async () => {
    const queue = redis.queue();
    await queue.addBulk(
      Array.from({ length: 1_000 }, (_, i) => ({ name: String(i), data: i, opts: { priority: 1_000 - i } })),
    );
    const expected = Array.from({ length: 1_000 }, (_, i) => String(999 - i));
    expect(names(await queue.getPrioritized())).toEqual(expected);
    expect(names(await queue.getPrioritized(500, 949))).toEqual(expected.slice(500, 950));
    expect(names(await queue.getJobs('prioritized', 3, 900, false))).toEqual(
      expected.toReversed().slice(3, 901),
    );
  });
});

describe.each(ids)('a prioritized job with %s', (_, withId) => {
  const OPTIONS = { priority: 7, ...withId };

  test('is found, with its options', async () => {
    const queue = redis.queue();
    const { id } = await queue.add('a', { n: 1 }, OPTIONS);
    const job = await queue.getJob(id);
    expect(job).toMatchObject({ id, name: 'a', data: { n: 1 }, state: 'prioritized', priority: 7 });
    expect(job?.opts).toMatchObject({ priority: 7 });
    expect(await job?.getState()).toBe('prioritized');
    const found: Job[] = [];
    for await (const one of queue.findJobs({ data: { n: 1 } })) found.push(one);
    expect(found.map((one) => [one.id, one.state])).toEqual([[id, 'prioritized']]);
    for await (const one of queue.findJobs({ types: ['waiting'] })) expect(one).toBeUndefined();
  });

  test('is removed, and leaves nothing', async () => {
    const events = await redis.events();
    const removed = next(events, 'removed');
    const job = await redis.queue().add('a', 1, OPTIONS);
    await job.remove();
    expect((await removed)[0]).toMatchObject({ jobId: job.id, prev: 'prioritized' });
    expect(await job.getState()).toBe('unknown');
    expect(await redis.client.exists(KEYS.room, KEYS.dedup(job.id), KEYS.delayedIndex(job.id))).toBe(0);
    expect(await rejection(job.remove())).toMatchObject({ code: 'CMQ-106' });
  });

  test('is cancelled', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, OPTIONS);
    expect(await queue.cancel(job.id)).toBe('removed');
    expect(await queue.cancel(job.id)).toBe('gone');
    expect(await queue.count()).toBe(0);
  });

  test('gets other data, and keeps its place', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, OPTIONS);
    await queue.add('b', 2, { priority: 7 });
    await job.updateData({ big: 'x'.repeat(70_000) });
    expect((await queue.getJob(job.id))?.data).toEqual({ big: 'x'.repeat(70_000) });
    await job.updateData('new');
    expect((await queue.getPrioritized()).map(({ data }) => data)).toEqual(['new', 2]);
    expect(await runAll(2)).toEqual(['a', 'b']);
  });

  test('is moved to the delayed jobs, and comes back to its priority', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, OPTIONS);
    await queue.add('b', 2, { priority: 8 });
    await job.moveToDelayed(Date.now() + HOUR);
    expect(await job.getState()).toBe('delayed');
    expect(await queue.getJobCounts('prioritized', 'delayed')).toEqual({ prioritized: 1, delayed: 1 });
    await job.promote();
    expect(await job.getState()).toBe('prioritized');
    expect(names(await queue.getPrioritized())).toEqual(['a', 'b']);
    expect(await rejection(job.promote())).toMatchObject({ code: 'CMQ-107', state: 'prioritized' });
    expect(await runAll(2)).toEqual(['a', 'b']);
  });

  test('gets another priority', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, OPTIONS);
    await addAll(queue, { b: { priority: 3 }, c: { priority: 7 }, d: {} });
    await job.changePriority({ priority: 3 });
    expect(job.priority).toBe(3);
    expect(names(await queue.getPrioritized())).toEqual(['b', 'a', 'c']);
    expect((await queue.getJob(job.id))?.priority).toBe(3);
    await job.changePriority({ lifo: true });
    expect(names(await queue.getWaiting())).toEqual(['a', 'd']);
    await job.changePriority({ priority: 0 });
    expect(names(await queue.getWaiting())).toEqual(['d', 'a']);
    expect(await job.getState()).toBe('waiting');
    expect(await queue.getJobCounts('prioritized', 'waiting')).toEqual({
      prioritized: 2,
      waiting: 2,
      paused: 0,
    });
    await job.changePriority({ priority: 2_097_152 });
    expect(names(await queue.getPrioritized())).toEqual(['b', 'c', 'a']);
    expect(await runAll(4)).toEqual(['d', 'b', 'c', 'a']);
    await eventually(async () => {
      expect(await job.getState()).toBe('unknown');
    });
  });
});

describe('changePriority', () => {
  test('of a delayed job counts when it is due', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { delay: HOUR, priority: 9 });
    await job.changePriority({ priority: 2 });
    expect(await job.getState()).toBe('delayed');
    await addAll(queue, { b: { priority: 1 }, c: { priority: 3 } });
    await job.promote();
    expect(names(await queue.getPrioritized())).toEqual(['b', 'a', 'c']);
  });

  test('is refused for a job that runs, or that does not exist', async () => {
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    const started = next(worker, 'active');
    const job = await redis.queue().add('a', 1, { priority: 4 });
    await started;
    expect(await rejection(job.changePriority({ priority: 1 }))).toMatchObject({
      code: 'CMQ-107',
      state: 'active',
    });
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(await rejection(job.changePriority({ priority: 1 }))).toMatchObject({ code: 'CMQ-106' });
    expect(job.priority).toBe(4);
  });

  test.each([
    [{ priority: -1 }],
    [{ priority: 2_097_153 }],
    [{ priority: 1.5 }],
    [{ priority: Number.NaN }],
    [{ priority: '3' }],
    [{ lifo: 'yes' }],
    [{ prioritty: 1 }],
    [undefined],
    [5],
  ])('refuses %j', async (options) => {
    const job = await redis.queue().add('a', 1, { priority: 4 });
    expect(await rejection(job.changePriority(options as never))).toMatchObject({ code: 'CMQ-004' });
    expect(await redis.queue().getCountsPerPriority([4])).toEqual({ 4: 1 });
  });

  test.each([[5], [['x']], [[1.5]], [[-1]], [[2_097_153]], [undefined]])(
    'getCountsPerPriority refuses %j',
    async (priorities) => {
      expect(await rejection(redis.queue().getCountsPerPriority(priorities as never))).toMatchObject({
        code: 'CMQ-004',
      });
    },
  );
});

describe('cleaning the room', () => {
  test('clean takes prioritized jobs only, the first ones, up to the limit', async () => {
    const queue = redis.queue();
    const added = await addAll(queue, {
      c: { priority: 3 },
      a: { priority: 1 },
      b: { priority: 2 },
      d: {},
      e: { lifo: true },
    });
    const idOf = (name: string): string => added.get(name)?.id ?? '';
    expect(await queue.clean(HOUR, 10, 'prioritized')).toEqual([]);
    expect(await queue.clean(0, 2, 'prioritized')).toEqual([idOf('a'), idOf('b')]);
    expect(await queue.clean(0, 10, 'wait')).toEqual([idOf('d'), idOf('e')]);
    expect(names(await queue.getPrioritized())).toEqual(['c']);
  });

  test('drain and obliterate leave nothing of thousands of jobs', async () => {
    const queue = redis.queue();
    const many = Array.from({ length: 3_000 }, (_, i) => ({
      name: 'a',
      data: i,
      opts: i % 3 === 0 ? { priority: (i % 50) + 1 } : { lifo: true },
    }));
    await queue.addBulk(many);
    const progress: number[] = [];
    await queue.drain(false, { onProgress: ({ done }) => progress.push(done) });
    expect(progress.at(-1)).toBe(3_000);
    expect(await queue.count()).toBe(0);
    await queue.addBulk(many.slice(0, 100));
    await queue.obliterate();
    expect(await redis.keys()).toEqual([]);
  });

  test('a marker whose job was taken from the room by hand takes no id', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { priority: 1, jobId: 'mine' });
    expect((await queue.add('a', 2, { priority: 1, jobId: 'mine' })).duplicate).toBe(true);
    await redis.client.del(KEYS.room);
    expect((await queue.add('a', 3, { priority: 1, jobId: 'mine' })).duplicate).toBe(false);
    expect((await queue.getJob('mine'))?.data).toBe(3);
  });
});
