import { describe, expect, test } from 'vitest';
import type { Job, JobsOptions, Queue } from '../../../lib/engine/index.js';
import { rejection, useKit } from './kit.js';

const redis = useKit();

/** Adds jobs one after the other: their names, which are their data too, and their options. */
async function addAll(queue: Queue, jobs: Record<string, JobsOptions>): Promise<Map<string, Job>> {
  const added = new Map<string, Job>();
  for (const [name, options] of Object.entries(jobs)) added.set(name, await queue.add(name, name, options));
  return added;
}

const names = (jobs: readonly Job[]): string[] => jobs.map(({ name }) => name);

describe('groups', () => {
  const group = (id: string, priority?: number): JobsOptions => ({
    group: { id, ...(priority !== undefined && { priority }) },
  });

  test('are listed with their jobs and what they wait for', async () => {
    const queue = redis.queue();
    await addAll(queue, {
      a1: group('a'),
      'a2 first': group('a', 1),
      bb1: group('bb'),
      'ü{x}\n1': group('ü{x}\n'),
      plain: {},
      high: { priority: 1 },
    });
    expect(await queue.getGroups()).toEqual([
      { id: 'a', status: 'waiting', count: 2 },
      { id: 'bb', status: 'waiting', count: 1 },
      { id: 'ü{x}\n', status: 'waiting', count: 1 },
    ]);
    expect(await queue.getGroups(1, 1)).toEqual([{ id: 'bb', status: 'waiting', count: 1 }]);
    expect(await queue.getGroups(3)).toEqual([]);
    const ids = async (...range: [number, number?]): Promise<string[]> =>
      (await queue.getGroups(...range)).map(({ id }) => id);
    // As those of getJobs: -1 is the last one.
    expect(await ids(-2)).toEqual(['bb', 'ü{x}\n']);
    expect(await ids(-9, 0)).toEqual(['a']);
    expect(await ids(0, -2)).toEqual(['a', 'bb']);
    expect(await ids(-3, -3)).toEqual(['a']);
    expect(await ids(0, -4)).toEqual([]);
    expect(await ids(-1, -2)).toEqual([]);
    expect(await queue.getGroupsCount()).toBe(3);
    expect(await queue.getGroupsJobsCount()).toBe(4);
    expect(names(await queue.getGroupJobs('a'))).toEqual(['a1', 'a2 first']);
    expect(names(await queue.getGroupJobs('a', -1))).toEqual(['a2 first']);
    expect(await queue.getGroupJobsCount('a')).toBe(2);
    expect(await queue.getGroupJobsCount('none')).toBe(0);
    expect(await queue.getGroupStatus('bb')).toBe('waiting');
    expect(await queue.getGroupStatus('none')).toBe('empty');
    expect(await queue.getGroupActiveCount('a')).toBe(0);
    expect(await queue.getJobCounts('waiting', 'prioritized')).toEqual({
      waiting: 5,
      prioritized: 1,
      paused: 0,
    });
    expect(names(await queue.getWaiting())).toEqual(['plain', 'a1', 'a2 first', 'bb1', 'ü{x}\n1']);
  });

  test('a thousand are counted and listed in pages', async () => {
    const queue = redis.queue();
    await queue.addBulk(
      Array.from({ length: 1_000 }, (_, i) => ({ name: 'a', data: i, opts: group(`g${String(1_000 + i)}`) })),
    );
    expect(await queue.getGroupsCount()).toBe(1_000);
    expect((await queue.getGroups()).map(({ id }) => id)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => `g${String(1_000 + i)}`),
    );
    expect((await queue.getGroups(730, 731)).map(({ id }) => id)).toEqual(['g1730', 'g1731']);
    for (let i = 500; i < 510; i += 1) await queue.pauseGroup(`g${String(1_000 + i)}`);
    const paused = async (start?: number, end?: number): Promise<string[]> =>
      (await queue.getGroupsByStatus('paused', start, end)).map(({ id }) => id);
    expect(await paused()).toEqual(Array.from({ length: 10 }, (_, i) => `g${String(1_500 + i)}`));
    expect(await paused(2, 4)).toEqual(['g1502', 'g1503', 'g1504']);
    expect(await paused(8, 100)).toEqual(['g1508', 'g1509']);
    expect(await paused(10, 12)).toEqual([]);
    expect(await paused(3, 2)).toEqual([]);
    expect(await paused(-2)).toEqual(['g1508', 'g1509']);
    expect(await paused(-3, -3)).toEqual(['g1507']);
    expect((await queue.getGroupsByStatus('waiting', -2, -2)).map(({ id }) => id)).toEqual(['g1998']);
    expect((await queue.getGroupsByStatus('waiting', 1, -988)).map(({ id }) => id)).toEqual([
      'g1001',
      'g1002',
    ]);
    expect(await queue.getGroupsCountByStatus()).toEqual({ waiting: 990, limited: 0, maxed: 0, paused: 10 });
    // No group behind those that were asked for is looked at.
    await redis.client.config('RESETSTAT');
    expect(await queue.getGroupsByStatus('waiting', 0, 9)).toHaveLength(10);
    expect(await redis.client.info('commandstats')).toContain('cmdstat_evalsha:calls=1,');
  });

  test('a paused group without waiting jobs is found', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { group: { id: 'zz with jobs' } });
    const ids = ['zz with jobs', 'b', 'ñ', 'é', 'aa', 'o\n\u0000', 'x'.repeat(256)];
    for (const id of ids) await queue.pauseGroup(id);
    const listed = await queue.getGroupsByStatus('paused');
    expect(listed.map(({ id }) => id)).toEqual(['b', 'aa', 'é', 'ñ', 'o\n\u0000', ...[ids[0], ids[6]]]);
    expect(listed.map(({ count }) => count)).toEqual([0, 0, 0, 0, 0, 1, 0]);
    expect(new Set(listed.map(({ status }) => status))).toEqual(new Set(['paused']));
    expect(await queue.getGroupsByStatus('paused', 1, 2)).toMatchObject([{ id: 'aa' }, { id: 'é' }]);
    expect(await queue.getGroupsCountByStatus()).toEqual({ waiting: 0, limited: 0, maxed: 0, paused: 7 });
    expect(await queue.getGroupsCount()).toBe(1);
    expect(await queue.getGroups()).toMatchObject([{ id: 'zz with jobs', status: 'paused' }]);
    for (const id of ids) await queue.resumeGroup(id);
    expect(await queue.getGroupsByStatus('paused')).toEqual([]);
  });

  test('thousands of paused groups are listed step by step', async () => {
    const queue = redis.queue();
    const ids = Array.from({ length: 5_000 }, (_, i) => `g${String(10_000 + i)}`);
    await redis.client.sadd(`${queue.keys.prefix}groups:paused`, ...ids);
    await redis.client.config('RESETSTAT');
    expect((await queue.getGroupsByStatus('paused')).map(({ id }) => id)).toEqual(ids);
    const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1]);
    expect(calls).toBeGreaterThan(10);
    expect(calls).toBeLessThan(60);
    expect(await queue.getGroupsByStatus('paused', -1)).toMatchObject([{ id: 'g14999' }]);
  });

  test('leave no key behind when their jobs are removed, cleaned or drained', async () => {
    const queue = redis.queue();
    const { a, b, c } = Object.fromEntries(
      await addAll(queue, { a: group('one'), b: group('two'), c: group('two') }),
    );
    await a?.remove();
    await queue.cancel(b?.id ?? '');
    expect(await queue.getGroups()).toEqual([{ id: 'two', status: 'waiting', count: 1 }]);
    expect(await queue.clean(0, 10, 'wait')).toEqual([c?.id]);
    await addAll(queue, { d: group('one'), e: { priority: 3 }, f: {} });
    await queue.drain();
    expect(await queue.count()).toBe(0);
    const left = (await redis.keys()).filter((key) => !/:(events|meta|gate|stream)/.test(key));
    expect(left).toEqual([]);
  });

  test.each([[''], [' '], [5], [null], ['x'.repeat(257)], ['\ud800']])(
    'an id of %j is refused',
    async (id) => {
      const queue = redis.queue();
      for (const call of [
        () => queue.getGroupJobs(id as string),
        () => queue.getGroupJobsCount(id as string),
        () => queue.getGroupStatus(id as string),
        () => queue.getGroupActiveCount(id as string),
        () => queue.add('a', 1, { group: { id: id as string } }),
      ]) {
        expect(await rejection(call())).toMatchObject({ code: 'CMQ-004' });
      }
      expect(await queue.count()).toBe(0);
    },
  );

  test('of a job in a group counts inside the group', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { group: { id: 'one' } });
    await queue.add('b', 1, { group: { id: 'one', priority: 2 } });
    await job.changePriority({ priority: 3 });
    expect(names(await queue.getGroupJobs('one'))).toEqual(['b', 'a']);
  });
});

describe('group.maxSize', () => {
  const sized = (id: string, maxSize: number): JobsOptions => ({ group: { id, maxSize } });

  test('refuses what would not fit, and other groups go on', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, sized('one\n', 2));
    await queue.add('a', 2, { group: { id: 'one\n' } });
    const error = await rejection(queue.add('a', 3, sized('one\n', 2)));
    expect(error).toMatchObject({
      name: 'GroupFullError',
      code: 'CMQ-112',
      queue: queue.name,
      group: 'one\n',
      waiting: 2,
      maxSize: 2,
    });
    expect(error.message).toContain('Group "one\\n" of queue');
    await queue.add('a', 4, sized('two', 2));
    await queue.add('a', 5, sized('one\n', 3));
    expect(await queue.getGroupJobsCount('one\n')).toBe(3);
    expect(await queue.getGroupJobsCount('two')).toBe(1);
  });

  test('refuses an addBulk as a whole, and only that one of a tick', async () => {
    const queue = redis.queue();
    const bulk = (count: number, id: string) =>
      queue.addBulk(Array.from({ length: count }, (_, i) => ({ name: 'a', data: i, opts: sized(id, 3) })));
    const [first, second, third] = await Promise.allSettled([bulk(2, 'one'), bulk(2, 'one'), bulk(3, 'two')]);
    expect([first.status, third.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(second).toMatchObject({ reason: { code: 'CMQ-112', group: 'one', waiting: 3, maxSize: 3 } });
    expect(await queue.getGroups()).toMatchObject([
      { id: 'one', count: 2 },
      { id: 'two', count: 3 },
    ]);
  });

  test('does not count a duplicate, or a job that is delayed', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { ...sized('one', 1), jobId: 'x' });
    expect((await queue.add('a', 1, { ...sized('one', 1), jobId: 'x' })).duplicate).toBe(true);
    await queue.add('a', 2, { ...sized('one', 1), delay: 60_000 });
    expect(await queue.getGroupJobsCount('one')).toBe(1);
  });

  test('is refused where it cannot be kept', async () => {
    const queue = redis.queue();
    for (const call of [
      queue.add('a', 1, { ...sized('one', 1), repeat: { every: 1_000 } }),
      queue.upsertJobScheduler('a', { every: 1_000 }, { opts: sized('one', 1) }),
      queue.addBulk(Array.from({ length: 2_001 }, () => ({ name: 'a', data: 1, opts: sized('one', 9_999) }))),
    ]) {
      expect(await rejection(call)).toMatchObject({ code: 'CMQ-004' });
    }
    expect(await redis.keys()).toEqual([]);
  });
});

describe('the option group', () => {
  test.each([
    ['text', 'one', /"group"/],
    ['no id', {}, /"id" is missing/],
    ['a wrong priority', { id: 'one', priority: 1.5 }, /"priority"/],
    ['a priority out of range', { id: 'one', priority: 2_097_153 }, /"priority"/],
    ['a size of 0', { id: 'one', maxSize: 0 }, /"maxSize"/],
    ['a size that is no number', { id: 'one', maxSize: NaN }, /"maxSize"/],
    ['a typing error', { id: 'one', maxsize: 1 }, /Did you mean "maxSize"/],
  ])('is refused with %s', async (_, group, message) => {
    const error = await rejection(redis.queue().add('a', 1, { group: group as never }));
    expect(error).toMatchObject({ code: 'CMQ-004', message: expect.stringMatching(message) as string });
  });

  test('is refused beside a priority or lifo, and replaces those of the queue', async () => {
    const queue = redis.queue({ defaultJobOptions: { priority: 5 } });
    for (const options of [{ priority: 1 }, { lifo: true }]) {
      expect(await rejection(queue.add('a', 1, { group: { id: 'one' }, ...options }))).toMatchObject({
        code: 'CMQ-004',
      });
    }
    await queue.add('a', 1, { group: { id: 'one' } });
    expect(await queue.getGroups()).toEqual([{ id: 'one', status: 'waiting', count: 1 }]);
  });

  test('stays with the job', async () => {
    const queue = redis.queue();
    const { id } = await queue.add('a', 1, { group: { id: 'one', priority: 7 } });
    const job = await queue.getJob(id);
    expect(job).toMatchObject({ groupId: 'one', priority: 7, opts: { group: { id: 'one', priority: 7 } } });
    expect(await job?.getState()).toBe('waiting');
  });
});
