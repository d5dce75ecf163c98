import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Queue } from '../../lib/engine/api/queue.js';
import { Worker } from '../../lib/engine/api/worker.js';
import type { Job } from '../../lib/engine/job/job.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const workers: Worker[] = [];
let queue: Queue;

beforeEach(() => {
  queue = new Queue('reports', { connection: redis.connection });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
  await queue.close();
});

const untilCount = (things: readonly unknown[], count: number): Promise<void> =>
  waitUntil('the runs', 10_000, () =>
    Promise.resolve(things.length < count ? `only ${things.length}` : undefined),
  );

function work(handler: (job: Job) => Promise<unknown>): void {
  workers.push(new Worker('reports', handler, { connection: redis.connection, schedulerTickMs: 10 }));
}

describe('a worker with its scheduler', () => {
  it('runs schedules that are stored before and after it starts, up to the limit', async () => {
    const runs: Job[] = [];
    await queue.add('before', { n: 1 }, { repeat: { every: 30, limit: 3 } });
    work((job) => Promise.resolve(runs.push(job)));
    await untilCount(runs, 3);
    await queue.add('after', { n: 2 }, { attempts: 9, repeat: { every: 30, limit: 2 } });
    await untilCount(runs, 5);
    expect(runs.map(({ name }) => name)).toEqual(['before', 'before', 'before', 'after', 'after']);
    expect(runs.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }, { n: 2 }, { n: 2 }]);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(5);
    expect(await queue.getRepeatableJobs()).toEqual([]);
  });

  it('fires each slot once among three workers', async () => {
    const runs: Job[] = [];
    for (let i = 0; i < 3; i++) work((job) => Promise.resolve(runs.push(job)));
    await queue.add('tick', null, { repeat: { every: 20, limit: 20 } });
    await untilCount(runs, 20);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(20);
    expect(await redis.client.exists(queue.keys.repeat)).toBe(0);
  });

  it('with skipIfRunning, never runs two jobs at a time, and continues after success, retry and dead letter', async () => {
    const ended: string[] = [];
    let running = 0;
    work(async () => {
      running += 1;
      const [run, alone] = [ended.length, running === 1];
      await new Promise((resolve) => setTimeout(resolve, 40));
      running -= 1;
      ended.push(alone ? 'alone' : 'together');
      if (run === 1 || run === 2) throw new Error('again');
    });
    await queue.add('slow', null, { attempts: 2, backoff: 30, repeat: { every: 10, skipIfRunning: true } });
    await untilCount(ended, 6);
    expect(new Set(ended)).toEqual(new Set(['alone']));
    const [schedule] = await queue.getRepeatableJobs();
    // The second job ran twice and became a dead letter.
    expect(schedule!.fired).toBeLessThan(ended.length + 1);
    expect(await queue.peekDlq()).toHaveLength(1);
  });
});
