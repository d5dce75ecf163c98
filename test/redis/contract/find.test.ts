import { describe, expect, test } from 'vitest';
import type { FindJobsOptions, Job, JobQuery } from '../../../lib/engine/index.js';
import { dataMatcher } from '../../../lib/engine/admin/look/match.js';
import { KEYS, addDeadLetter, rejection, take, useKit } from './kit.js';

const redis = useKit();

async function find(query: JobQuery, options?: FindJobsOptions): Promise<Job[]> {
  const found: Job[] = [];
  for await (const job of redis.queue().findJobs(query, options)) found.push(job);
  return found;
}

const dataOf = (jobs: Job[]): unknown[] => jobs.map(({ data }) => data);

describe('findJobs', () => {
  test('in an empty queue finds nothing', async () => {
    expect(await find({})).toEqual([]);
    expect(await redis.keys()).toEqual([]);
  });

  test('finds jobs in every state, with the state', async () => {
    const queue = redis.queue({ trackJobs: true });
    await addDeadLetter(redis, {});
    const worker = redis.worker(() => 1);
    const completed = take(worker, 'completed', 1);
    await queue.add('a', 1);
    await completed;
    await worker.close();
    await queue.add('a', 1);
    await queue.add('a', 1);
    await redis.client.xreadgroup('GROUP', 'default', 'c', 'COUNT', 1, 'STREAMS', KEYS.stream, '>');
    await queue.add('a', 1, { delay: 100_000 });
    const all = await find({ name: 'a', data: { '': 1 } });
    expect(all.map(({ state }) => state).toSorted()).toEqual([
      ...['active', 'completed', 'delayed', 'failed', 'waiting'],
    ]);
    for (const type of ['active', 'completed', 'delayed', 'failed', 'waiting'] as const) {
      expect((await find({ types: [type] })).map(({ state }) => state)).toEqual([type]);
    }
    expect(await find({ types: ['paused', 'prioritized'] })).toHaveLength(1);
    expect(await find({ types: [] })).toEqual([]);
    expect(await find({ name: 'b' })).toEqual([]);
    await all.find(({ state }) => state === 'delayed')?.remove();
    expect(await find({ types: ['delayed'] })).toEqual([]);
  });

  test('by name and by data at a path', async () => {
    const queue = redis.queue();
    const at = new Date(1_700_000_000_000);
    await queue.addBulk([
      { name: 'invoice', data: { user: { id: 5 }, tags: ['a', 'b'], at } },
      { name: 'invoice', data: { user: { id: '5' }, tags: ['b'], at: null } },
      { name: 'invoice', data: { user: { id: 5, name: 'ünal' } } },
      { name: 'other', data: { user: { id: 5 } } },
      { name: '', data: null },
      { name: '', data: 'ünal' },
    ]);
    const numbered = async (query: JobQuery): Promise<number[]> => {
      const order = dataOf(await queue.getWaiting()).map((data) => JSON.stringify(data));
      const names = (await queue.getWaiting()).map(({ name }) => name);
      const found = await find(query);
      return found
        .map(({ data, name }) =>
          order.findIndex((one, i) => one === JSON.stringify(data) && names[i] === name),
        )
        .toSorted();
    };
    expect(await numbered({ name: 'invoice', data: { 'user.id': 5 } })).toEqual([0, 2]);
    expect(await numbered({ data: { 'user.id': 5 } })).toEqual([0, 2, 3]);
    expect(await numbered({ data: { 'user.id': '5' } })).toEqual([1]);
    expect(await numbered({ data: { user: { id: 5 } } })).toEqual([0, 3]);
    expect(await numbered({ data: { user: { name: 'ünal', id: 5 } } })).toEqual([2]);
    expect(await numbered({ data: { 'user.name': 'ünal' } })).toEqual([2]);
    expect(await numbered({ data: { 'tags.0': 'b' } })).toEqual([1]);
    expect(await numbered({ data: { tags: ['a', 'b'] } })).toEqual([0]);
    expect(await numbered({ data: { 'tags.length': 2 } })).toEqual([]);
    expect(await numbered({ data: { at } })).toEqual([0]);
    expect(await numbered({ data: { at: at.toISOString() } })).toEqual([]);
    expect(await numbered({ data: { at: null } })).toEqual([1]);
    expect(await numbered({ name: 'invoice', data: { at: undefined } })).toEqual([2]);
    expect(await numbered({ data: { '': null } })).toEqual([4]);
    expect(await numbered({ data: { '': 'ünal' } })).toEqual([5]);
    expect(await numbered({ name: '' })).toEqual([4, 5]);
    expect(await numbered({ data: { 'user.toString': 1 } })).toEqual([]);
    expect(await numbered({ data: { '__proto__.x': 1 } })).toEqual([]);
  });

  test('ends after `limit` jobs, and reads no more', async () => {
    const queue = redis.queue();
    await queue.addBulk(Array.from({ length: 5_00 }, (_, data) => ({ name: 'a', data })));
    expect(await find({ name: 'a' }, { limit: 3 })).toHaveLength(3);
    for await (const job of queue.findJobs({})) {
      expect(job.name).toBe('a');
      break;
    }
    await queue.close();
  });

  test('says how far it is, and ends by its signal', async () => {
    const queue = redis.queue();
    for (let i = 0; i < 2; i++) {
      await queue.addBulk(Array.from({ length: 1_500 }, (_, data) => ({ name: 'a', data })));
    }
    const progress: { done: number; total?: number }[] = [];
    expect(await find({}, { onProgress: (now) => progress.push(now) })).toHaveLength(3_000);
    expect(progress.length).toBeGreaterThanOrEqual(4);
    expect(progress.at(-1)).toEqual({ done: 3_000, total: 3_000 });
    expect(progress.map(({ done }) => done)).toEqual(
      progress.map(({ done }) => done).toSorted((a, b) => a - b),
    );
    const controller = new AbortController();
    const reason = new Error('enough');
    const call = find({}, { signal: controller.signal, onProgress: () => controller.abort(reason) });
    expect(await rejection(call)).toBe(reason);
  });

  test('reports each job once, and misses none that stays, while all of them move', async () => {
    const queue = redis.queue();
    const worker = redis.worker(
      () => {
        throw new Error('again');
      },
      {
        maxAttempts: 1_000_000,
        retry: { initialBackoffMs: 1, maxBackoffMs: 20, jitterMs: 0 },
        concurrency: 20,
      },
    );
    const jobs = await queue.addBulk(Array.from({ length: 20 }, (_, data) => ({ name: 'moves', data })));
    const ids = jobs.map(({ id }) => id).toSorted();
    for (let i = 0; i < 200; i++) {
      expect((await find({ name: 'moves' })).map(({ id }) => id).toSorted()).toEqual(ids);
    }
    await worker.close();
  }, 60_000);

  test('of a closed queue is refused, also in the middle', async () => {
    const queue = redis.queue();
    await queue.addBulk([1, 2].map((data) => ({ name: 'a', data })));
    const jobs = queue.findJobs({});
    await jobs.next();
    await queue.close();
    await jobs.next();
    expect(await rejection(jobs.next())).toMatchObject({ code: 'CMQ-005' });
  });

  test.each<[unknown, unknown, string, RegExp]>([
    [{ names: 'a' }, {}, 'CMQ-004', /Did you mean "name"/],
    [{ name: 5 }, {}, 'CMQ-004', /"name" must be a string/],
    [{ types: 'waiting' }, {}, 'CMQ-004', /"types" must be an array/],
    [{ types: ['waitin'] }, {}, 'CMQ-004', /Did you mean "waiting"/],
    [{ types: ['repeat'] }, {}, 'CMQ-004', /getJobSchedulers/],
    [{ data: [1] }, {}, 'CMQ-004', /"data" must be an object/],
    [{ data: { a: () => 1 } }, {}, 'CMQ-002', /data\.a/],
    [undefined, {}, 'CMQ-004', /options must be an object/],
    [{}, { limit: 0 }, 'CMQ-004', /"limit"/],
    [{}, { signal: 1 }, 'CMQ-004', /"signal"/],
    [{}, { onProgress: 1 }, 'CMQ-004', /"onProgress"/],
  ])('%j with %j is refused', async (query, options, code, message) => {
    const error = await rejection(find(query as JobQuery, options as FindJobsOptions));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

test('what Redis looks for in the bytes is in every job that matches', () => {
  expect(dataMatcher({ 'user.id': 5, 'items.0.sku': 'A-1', gone: undefined, n: null }).texts).toEqual([
    ...['user', 'id', 'items', 'sku', 'A-1', 'n'],
  ]);
});
