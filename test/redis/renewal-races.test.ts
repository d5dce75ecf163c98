import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

/*
 * The heartbeat sends the ids of the in-flight jobs. Redis answers with what else is pending for the worker: jobs whose
 * delivery was lost. A job that arrives between the call and its answer is in neither list.
 */

const redis = useRedis();

const LEASE_MS = 300;
const BEAT_MS = LEASE_MS / 3;
const ROUNDS = 20;
const JOBS = 100;

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it(
  'a job that arrives and completes while a heartbeat is under way runs once',
  { timeout: 60_000 },
  async () => {
    const { connection } = redis;
    await using queue = new Queue<number>('jobs', { connection });
    const runs = new Map<number, number>();
    const worker = new Worker<number>(
      'jobs',
      ({ data }) => {
        runs.set(data, (runs.get(data) ?? 0) + 1);
        // The replies to the heartbeat and to the commit then arrive together.
        if (data % JOBS === JOBS - 1) setImmediate(block, 30);
      },
      { connection, claimMinIdleMs: LEASE_MS, concurrency: JOBS, blockMs: 500 },
    );
    await worker.waitUntilReady();
    for (let round = 0; round < ROUNDS; round++) {
      await delay(BEAT_MS * Math.random());
      const added = queue.addBulk(
        Array.from({ length: JOBS }, (_, job) => ({ name: 'job', data: round * JOBS + job })),
      );
      // The jobs are delivered meanwhile. Then the heartbeat is due, and leaves before the jobs are read.
      setImmediate(block, 2 * BEAT_MS);
      await added;
    }
    await expect.poll(() => runs.size, { timeout: 10_000 }).toBe(ROUNDS * JOBS);
    await delay(3 * BEAT_MS);
    expect([...runs].filter(([, times]) => times > 1)).toEqual([]);
    await worker.close();
  },
);
