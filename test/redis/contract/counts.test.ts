import { describe, expect, test } from 'vitest';
import type { JobType } from '../../../lib/engine/index.js';
import { KEYS, Latch, addDeadLetter, next, rejection, useKit } from './kit.js';

const redis = useKit();

const NONE = {
  active: 0,
  completed: 0,
  delayed: 0,
  failed: 0,
  paused: 0,
  prioritized: 0,
  waiting: 0,
  'waiting-children': 0,
};

/** Two waiting jobs, one active, three delayed, one dead letter. The latch ends the active one. */
async function fill(): Promise<Latch> {
  const queue = redis.queue();
  await addDeadLetter(redis, {});
  const latch = new Latch();
  const worker = redis.worker(() => latch.opened, { concurrency: 1, batch: 1 });
  const active = next(worker, 'active');
  await queue.add('active', 1);
  await active;
  // The worker is full, and after a while its reader asks for no more jobs.
  await queue.addBulk([1, 2, 3].map((data) => ({ name: 'later', data, opts: { delay: data * 100_000 } })));
  return latch;
}

describe('counts', () => {
  test('of an empty queue are all there, and 0', async () => {
    const queue = redis.queue();
    expect(await queue.getJobCounts()).toEqual(NONE);
    expect(await queue.count()).toBe(0);
    expect(await redis.keys()).toEqual([]);
  });

  test('of each state', async () => {
    const queue = redis.queue();
    const latch = await fill();
    expect(await queue.getJobCounts()).toEqual({ ...NONE, active: 1, delayed: 3, failed: 1 });
    expect(await queue.getActiveCount()).toBe(1);
    expect(await queue.getDelayedCount()).toBe(3);
    expect(await queue.getFailedCount()).toBe(1);
    expect(await queue.getCompletedCount()).toBe(0);
    expect(await queue.getPrioritizedCount()).toBe(0);
    expect(await queue.getWaitingChildrenCount()).toBe(0);
    expect(await queue.count()).toBe(3);
    latch.open();
  });

  test('of delayed jobs that are due before a time', async () => {
    const queue = redis.queue();
    const at = Date.now() + 500_000;
    await queue.add('a', 1, { delay: 100_000 });
    await queue.add('b', 1, { delay: 900_000 });
    expect(await queue.getDelayedCount(at)).toBe(1);
    const [, due] = await redis.client.zrange(KEYS.delayed, '0', '0', 'WITHSCORES');
    expect(await queue.getDelayedCount(Number(due)), 'strictly before').toBe(0);
    expect(await queue.getDelayedCount(Number(due) + 1)).toBe(1);
    await expect(queue.getDelayedCount(-1)).rejects.toMatchObject({ code: 'CMQ-004' });
    await expect(queue.getDelayedCount(Number.NaN)).rejects.toThrow(RangeError);
  });

  test('of named types: only these; `wait` is `waiting`; `repeat` are the schedules', async () => {
    const queue = redis.queue();
    await queue.addBulk([1, 2].map((data) => ({ name: 'a', data })));
    await queue.add('s', 1, { repeat: { every: 100_000 } });
    expect(await queue.getJobCounts('delayed', 'failed')).toEqual({ delayed: 0, failed: 0 });
    expect(await queue.getJobCounts('wait', 'repeat')).toEqual({ wait: 2, paused: 0, repeat: 1 });
    expect(await queue.getJobCountByTypes('waiting', 'wait', 'delayed')).toBe(2);
    expect(await queue.getWaitingCount()).toBe(2);
    expect(await queue.count()).toBe(2);
  });

  test('of a paused queue: its waiting jobs are paused', async () => {
    const queue = redis.queue();
    await queue.addBulk([1, 2].map((data) => ({ name: 'a', data })));
    await redis.client.hset(`${KEYS.prefix}meta`, { paused: Date.now() });
    expect(await queue.getJobCounts()).toEqual({ ...NONE, paused: 2 });
    expect(await queue.getJobCounts('waiting')).toEqual({ waiting: 0, paused: 2 });
    expect(await queue.getWaitingCount()).toBe(2);
    expect(await queue.count()).toBe(2);
    expect(await queue.getJobCountByTypes('paused')).toBe(2);
  });

  test.each<[unknown, RegExp]>([
    ['waitng', /Did you mean "waiting"/],
    ['Failed', /Did you mean "failed"/],
    ['stuck-in-the-middle', /Known: active, .*repeat/],
    [7, /no job type 7/],
    [['waiting'], /no job type an array/],
    ['__proto__', /no job type/],
  ])('of the unknown type %j are refused', async (type, message) => {
    const queue = redis.queue();
    for (const call of [queue.getJobCounts(type as JobType), queue.getJobCountByTypes(type as JobType)]) {
      const error = await rejection(call);
      expect(error).toMatchObject({ code: 'CMQ-004', name: 'ConfigError' });
      expect(error.message).toMatch(message);
    }
  });

  test('two groups count an active job once; a group that was deleted leaves its jobs waiting', async () => {
    const { client } = redis;
    const queue = redis.queue();
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'a', data })));
    const read = (group: string, count: number): Promise<unknown> =>
      client.xreadgroup('GROUP', group, 'c', 'COUNT', count, 'STREAMS', KEYS.stream, '>');
    await client.xgroup('CREATE', KEYS.stream, 'one', 0);
    await client.xgroup('CREATE', KEYS.stream, 'two', 0);
    await read('one', 2);
    expect(await queue.getJobCounts('active', 'waiting')).toMatchObject({ active: 2, waiting: 1 });
    await read('two', 3);
    expect(await queue.getJobCounts('active', 'waiting')).toMatchObject({ active: 3, waiting: 0 });
    await client.xgroup('DESTROY', KEYS.stream, 'one');
    await client.xgroup('DESTROY', KEYS.stream, 'two');
    expect(await queue.getJobCounts('active', 'waiting')).toMatchObject({ active: 0, waiting: 3 });
  });

  test('an entry that was deleted while it was active takes nothing away from the others', async () => {
    const { client } = redis;
    const queue = redis.queue();
    await queue.add('a', 1);
    await client.xgroup('CREATE', KEYS.stream, 'default', 0);
    await client.xreadgroup('GROUP', 'default', 'c', 'STREAMS', KEYS.stream, '>');
    await client.xtrim(KEYS.stream, 'MAXLEN', 0);
    expect(await queue.getJobCounts('active', 'waiting')).toMatchObject({ active: 1, waiting: 0 });
  });

  test.each(['stream', 'delayed', 'room', 'dlq', 'completed', 'repeat', 'meta'])(
    'a key …:%s of the wrong type: the error says so',
    async (key) => {
      await redis.client.set(KEYS.prefix + key, 'x');
      const error = await rejection(redis.queue().getJobCounts());
      expect(error).toMatchObject({ code: 'CMQ-001' });
      expect(error.message).toMatch(
        /WRONGTYPE.* A key of queue "mail" .*another program writes to {chasqui:mail} keys.*"chasqui doctor" says which/,
      );
    },
  );

  test('of a closed queue are refused', async () => {
    const queue = redis.queue();
    await queue.close();
    await expect(queue.getJobCounts()).rejects.toMatchObject({ code: 'CMQ-005' });
  });
});
