import { expect, it, vi } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import type { Job } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

/** A worker of concurrency 1 that knows its handlers to be fast, and then meets one that is not. */
async function slowDown(
  queue: Queue<number>,
  then: () => void,
): Promise<{ ran: number[]; worker: Worker; open: () => void }> {
  const ran: number[] = [];
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const worker = new Worker<number>(
    queue.name,
    async (job) => {
      if (job.data === 0) {
        then();
        await gate;
      }
      ran.push(job.data);
    },
    { connection: queue.opts.connection, concurrency: 1 },
  );
  await queue.addBulk(Array.from({ length: 200 }, () => ({ name: 'fast', data: -1 })));
  await vi.waitFor(() => {
    expect(ran).toHaveLength(200);
  });
  ran.length = 0;
  await queue.addBulk(Array.from({ length: 30 }, (_, data) => ({ name: 'job', data })));
  return { ran, worker: worker, open };
}

it('jobs that wait behind a slow job go to a worker that is idle', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number>('jobs', { connection });
  const elsewhere: number[] = [];
  let stuck = (): void => undefined;
  const isStuck = new Promise<void>((resolve) => {
    stuck = resolve;
  });
  const { ran, worker, open } = await slowDown(queue, stuck);
  await isStuck;
  const idle = new Worker<number>(
    'jobs',
    (job: Job<number>) => {
      elsewhere.push(job.data);
    },
    { connection },
  );
  await vi.waitFor(
    () => {
      expect(elsewhere.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 29 }, (_, index) => index + 1),
      );
    },
    { timeout: 5_000 },
  );
  expect(ran).toEqual([]);
  open();
  await vi.waitFor(() => {
    expect(ran).toEqual([0]);
  });
  await Promise.all([worker.close(), idle.close()]);
});

/** How often Redis was asked for the other workers of the group: here, only for a release. */
async function offers(): Promise<number> {
  const stats = await redis.client.info('commandstats');
  return [...stats.matchAll(/cmdstat_xinfo[^:]*:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

it('they are offered, and stay in their order, while there is no other worker', async () => {
  const connection = { host: redis.server.host, port: redis.server.port };
  await using queue = new Queue<number>('jobs', { connection });
  let stuck = (): void => undefined;
  const isStuck = new Promise<void>((resolve) => {
    stuck = resolve;
  });
  const { ran, worker, open } = await slowDown(queue, stuck);
  await isStuck;
  const before = await offers();
  await vi.waitFor(
    async () => {
      expect(await offers()).toBeGreaterThan(before + 1);
    },
    { timeout: 5_000 },
  );
  open();
  await vi.waitFor(
    () => {
      expect(ran).toEqual(Array.from({ length: 30 }, (_, index) => index));
    },
    { timeout: 5_000 },
  );
  await worker.close();
});
