import { describe, expect, test } from 'vitest';
import type { JobsOptions, Queue } from '../../../lib/engine/index.js';
import { Latch, rejection, useKit } from './kit.js';

const redis = useKit();

const add = async (queue: Queue, id: string, options: JobsOptions = {}, count = 1): Promise<void> => {
  await queue.addBulk(
    Array.from({ length: count }, (_, n) => ({ name: id, data: n, opts: { ...options, group: { id } } })),
  );
};

describe('drainGroup', () => {
  test('removes the waiting jobs of one group, and nothing else', async () => {
    const queue = redis.queue();
    for (const id of ['a', 'aa', 'b', 'a b', 'ü\n', '\u00ff']) await add(queue, id, {}, 3);
    await queue.add('urgent', 1, { group: { id: 'a', priority: 7 } });
    await queue.add('alone', 1);
    await queue.add('alone', 1, { priority: 1 });
    await queue.add('alone', 1, { lifo: true });
    await add(queue, 'a', { delay: 600_000 });
    expect(await queue.drainGroup('a')).toBe(4);
    expect(await queue.getGroupJobsCount('a')).toBe(0);
    expect(await queue.getGroups()).toMatchObject([
      { id: 'b', count: 3 },
      { id: 'aa', count: 3 },
      { id: 'ÿ', count: 3 },
      { id: 'a b', count: 3 },
      { id: 'ü\n', count: 3 },
    ]);
    expect(await queue.getJobCounts('waiting', 'prioritized', 'delayed')).toMatchObject({
      waiting: 17,
      prioritized: 1,
      delayed: 1,
    });
    expect(await queue.drainGroup('a')).toBe(0);
    expect(await queue.drainGroup('nobody', true)).toBe(0);
    expect(await queue.drainGroup('ü\n')).toBe(3);
  });

  test('with delayed, removes the delayed jobs of the group too, in the middle of others', async () => {
    const queue = redis.queue();
    // Their data has the id of the group, and they are in other groups or in none.
    await queue.addBulk(
      Array.from({ length: 2_500 }, (_, n) => ({
        name: 'a',
        data: 'group a',
        opts: { delay: 600_000 + n, ...(n % 2 === 0 && { group: { id: n % 4 === 0 ? 'a' : 'ab' } }) },
      })),
    );
    await add(queue, 'a', {}, 2);
    const done: number[] = [];
    expect(await queue.drainGroup('a', true, { onProgress: (at) => void done.push(at.done) })).toBe(627);
    expect(done.length).toBeGreaterThan(3);
    expect(done.at(-1)).toBe(627);
    const left = await queue.getDelayed();
    expect(left).toHaveLength(1_875);
    expect(left.some(({ groupId }) => groupId === 'a')).toBe(false);
  });

  test('frees a strict group whose job waited for its retry, and the ids of the jobs', async () => {
    const queue = redis.queue();
    const runs: string[] = [];
    const worker = redis.worker(
      (job) => {
        runs.push(String(job.data));
        if (job.data === 'fails') throw new Error('no');
      },
      { group: { strict: true } },
    );
    const inGroup = { group: { id: 'a' } };
    await queue.add('x', 'fails', {
      ...inGroup,
      jobId: 'held',
      attempts: 2,
      backoff: { type: 'fixed', delay: 600_000 },
    });
    await expect.poll(() => queue.getDelayedCount()).toBe(1);
    await queue.add('x', 'behind', { ...inGroup, jobId: 'behind' });
    await expect.poll(() => queue.getGroupStatus('a')).toBe('maxed');
    // The retry is delayed, so it stays, and holds the group.
    expect(await queue.drainGroup('a')).toBe(1);
    await queue.add('x', 'next', { ...inGroup, jobId: 'behind' });
    await expect.poll(() => queue.getGroupStatus('a')).toBe('maxed');
    expect(await queue.drainGroup('a', true)).toBe(2);
    await queue.add('x', 'last', { ...inGroup, jobId: 'held' });
    await expect.poll(() => runs).toEqual(['fails', 'last']);
    await worker.close();
  });

  test('leaves active jobs alone, and the pause and the limits of the group', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, { concurrency: 1 });
    await add(queue, 'a', {}, 5);
    await expect.poll(() => queue.getGroupActiveCount('a')).toBe(1);
    await queue.pauseGroup('a');
    await queue.setGroupConcurrency('a', 3);
    expect(await queue.drainGroup('a', true)).toBe(4);
    expect(await queue.getGroupActiveCount('a')).toBe(1);
    expect(await queue.getGroupConcurrency('a')).toBe(3);
    expect(await queue.getGroupsByStatus('paused')).toEqual([{ id: 'a', status: 'paused', count: 0 }]);
    latch.open();
    await expect.poll(() => queue.getActiveCount()).toBe(0);
    await worker.close();
  });

  test('goes in steps, and stops between two of them', async () => {
    const queue = redis.queue();
    await add(queue, 'a', {}, 1_000);
    const stop = new AbortController();
    const reason = new Error('enough');
    const onProgress = (): void => {
      stop.abort(reason);
    };
    expect(await rejection(queue.drainGroup('a', false, { signal: stop.signal, onProgress }))).toBe(reason);
    expect(await queue.getGroupJobsCount('a')).toBe(750);
    const totals = new Set<number | undefined>();
    expect(await queue.drainGroup('a', false, { onProgress: (at) => void totals.add(at.total) })).toBe(750);
    expect([...totals]).toEqual([750]);
    const left = (await redis.keys()).filter((key) => !/:(events|meta|gate|stream)/.test(key));
    expect(left).toEqual([]);
  });

  test('refuses a wrong argument', async () => {
    const queue = redis.queue();
    await add(queue, 'a');
    const call = (...args: readonly unknown[]): Promise<unknown> =>
      rejection(queue.drainGroup(...(args as Parameters<Queue['drainGroup']>)));
    expect(await call('')).toMatchObject({ code: 'CMQ-004', name: 'TypeError' });
    expect(await call('a', 'yes')).toMatchObject({ code: 'CMQ-004', name: 'TypeError' });
    expect(await call('a', true, { onProgres: 1 })).toMatchObject({ code: 'CMQ-004', name: 'ConfigError' });
    expect(await queue.getGroupJobsCount('a')).toBe(1);
  });
});
