import { expect, it } from 'vitest';
import { Queue, UnrecoverableError, Worker } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

it('a result is found though neither queue nor worker announce anything', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
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

it('results that many wait for in one tick are read in one round trip', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
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
  expect(/cmdstat_mget:calls=(\d+)/.exec(stats)?.[1]).toBe('1');
});

it('a job that has failed for good before anybody waits says so, and no longer when it is replayed', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number, number>('sums', {
    connection,
    defaultJobOptions: { dedupTtlMs: 60_000 },
  });
  let isMended = false;
  await using worker = new Worker<number, number>(
    'sums',
    (job) => {
      if (!isMended) throw new UnrecoverableError('no');
      return job.data;
    },
    { connection, storeResults: true },
  );
  const failed = new Promise((resolve) => worker.once('failed', resolve));
  const job = await queue.add('increment', 41);
  await failed;
  await expect(job.waitForResult({ timeoutMs: 10_000 })).rejects.toMatchObject({ code: 'CMQ-103' });
  isMended = true;
  await queue.replayDlq();
  expect(await job.waitForResult({ timeoutMs: 10_000 })).toBe(41);
});
