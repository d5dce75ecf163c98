import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import { Queue, UnrecoverableError, Worker, encodePayload } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { KEYS, untilWaiting } from './results-support.js';

const redis = useRedis();

it('a result is found although queue and worker have no events', async () => {
  const { connection } = redis;
  await using queue = new Queue<number, number>('sums', { connection, eventsEnabled: false });
  const worker = new Worker<number, number>('sums', (job) => job.data + 1, {
    connection,
    eventsEnabled: false,
    storeResults: true,
  });
  const job = await queue.add('increment', 41);
  expect(await job.waitForResult({ timeoutMs: 10_000 })).toBe(42);
  await worker.close();
});

it('reads of one tick share a round trip', async () => {
  const { connection } = redis;
  await using queue = new Queue<number, number>('sums', { connection });
  await using worker = new Worker<number, number>('sums', (job) => job.data * 2, {
    connection,
    storeResults: true,
  });
  const jobs = await queue.addBulk(Array.from({ length: 100 }, (_, data) => ({ name: 'double', data })));
  expect(worker.isRunning()).toBe(true);
  await Promise.all(jobs.map((job) => job.waitForResult()));
  await redis.client.config('RESETSTAT');
  const results = await Promise.all(jobs.map(({ id }) => queue.getJobResult(id)));
  expect(results).toEqual(jobs.map(({ data }) => data * 2));
  const stats = await redis.client.info('commandstats');
  expect(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]).toBe('1');
});

it('a wait for a job that has failed for good rejects, and resolves after the replay', async () => {
  const { connection } = redis;
  await using queue = new Queue<number, number>('sums', {
    connection,
    defaultJobOptions: { dedupTtlMs: 60_000 },
  });
  let isFixed = false;
  await using worker = new Worker<number, number>(
    'sums',
    (job) => {
      if (!isFixed) throw new UnrecoverableError('no');
      return job.data;
    },
    { connection, storeResults: true },
  );
  const failed = new Promise((resolve) => worker.once('failed', resolve));
  const job = await queue.add('increment', 41);
  await failed;
  await expect(job.waitForResult({ timeoutMs: 10_000 })).rejects.toMatchObject({ code: 'CMQ-103' });
  isFixed = true;
  await queue.replayDlq();
  expect(await job.waitForResult({ timeoutMs: 10_000 })).toBe(41);
});

it('results of any size, and none, reach their waiters, and so do final failures', async () => {
  const { connection } = redis;
  await using queue = new Queue<number, unknown>('sums', { connection });
  const results = [
    undefined,
    1,
    'é'.repeat(100),
    'x'.repeat(300),
    Buffer.from([0, 255]),
    new Date(0),
    2n ** 60n,
  ];
  await using worker = new Worker<number, unknown>(
    'sums',
    async (job) => {
      await opened;
      if (job.data < 0) throw new UnrecoverableError('no');
      return results[job.data];
    },
    { connection: { ...connection }, storeResults: true },
  );
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const job = async (data: number): Promise<unknown> => (await queue.add('a', data)).waitForResult();
  const waiting = results.map((_, index) => job(index));
  const failing = expect(job(-1)).rejects.toMatchObject({ code: 'CMQ-103' });
  await Promise.all([
    untilWaiting(redis),
    vi.waitFor(() => expect(worker.health().running).toBe(results.length + 1)),
  ]);
  open();
  expect(await Promise.all(waiting)).toEqual(results);
  await failing;
});

it('no entry announces results while there is no waiter', async () => {
  const { connection } = redis;
  await using queue = new Queue<number, number>('sums', { connection });
  await using worker = new Worker<number, number>('sums', (job) => job.data, {
    connection,
    storeResults: true,
  });
  const completed = once(worker, 'completed');
  await queue.add('a', 1);
  await completed;
  expect(await redis.client.exists(KEYS.ended)).toBe(0);
});

it('a poll finds the result of a third-party worker, which writes no entry', async () => {
  const { connection } = redis;
  await using queue = new Queue<number, number>('sums', { connection });
  const job = await queue.add('a', 7);
  const result = job.waitForResult();
  await untilWaiting(redis);
  await redis.client.set(KEYS.result(job.id), encodePayload(7));
  expect(await result).toBe(7);
});
