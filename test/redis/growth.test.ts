import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';
import { Queue, QueueEvents, Worker } from '../../lib/engine/index.js';
import type { BulkJobOptions } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

const WARM_UP_ROUNDS = 3;
const ROUNDS = 10;
const JOBS_A_ROUND = 10_000;
const JOBS_A_CALL = 500;
/** Of 70,000 jobs: their ids alone, kept by mistake, take more than twice as much. */
const MOST_GROWTH = 1.5 * 2 ** 20;

const KINDS = ['plain', 'delayed', 'retried', 'unique', 'awaited', 'dying'] as const;
type Kind = (typeof KINDS)[number];
interface Data {
  n: number;
  kind: Kind | 'last';
}

/** Most jobs are plain ones. */
function kindOf(n: number): Kind {
  return KINDS[n % 20] ?? 'plain';
}

const OPTIONS: Partial<Record<Kind, (n: number) => BulkJobOptions>> = {
  delayed: () => ({ delay: 5 }),
  retried: () => ({ attempts: 2, backoff: { type: 'soon' } }),
  // No duplicates: the server remembers what it said about those for two minutes.
  unique: (n) => ({ jobId: `job-${n}`, dedupTtlMs: 100 }),
  dying: () => ({ attempts: 1 }),
};

function jobOf(n: number): { name: Kind; data: Data; opts: BulkJobOptions } {
  const kind = kindOf(n);
  return { name: kind, data: { n, kind }, opts: OPTIONS[kind]?.(n) ?? {} };
}

/** Bytes in use once all garbage is gone. */
async function heapUsed(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let times = 0; times < 3; times += 1) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

it(
  'a hundred thousand jobs leave nothing behind, in this process or in Redis',
  { timeout: 60_000 },
  async () => {
    const { connection } = redis;
    await using queue = new Queue<Data, number>('jobs', { connection });
    await using events = new QueueEvents('jobs', { connection });
    let heard = 0;
    events.on('completed', () => (heard += 1));
    await events.waitUntilReady();

    let ended = 0;
    let allEnded = (): void => undefined;
    const end = (): void => {
      ended += 1;
      if (ended % JOBS_A_ROUND === 0) allEnded();
    };
    await using worker = new Worker<Data, number | undefined>(
      'jobs',
      ({ data: { n, kind }, attemptsMade, signal }) => {
        if (kind === 'dying' || (kind === 'retried' && attemptsMade === 1)) throw new Error('as it should');
        return kind === 'awaited' && !signal.aborted ? n : undefined;
      },
      {
        connection,
        dlqMaxStreamLen: 100,
        storeResults: true,
        // More than the two seconds after which a result is looked for, should its event be missed.
        resultTtlSecs: 3,
        backoffStrategies: { soon: () => 1 },
      },
    );
    worker.on('completed', ({ data }) => {
      if (data.kind !== 'last') end();
    });
    worker.on('failed', ({ data }) => {
      if (data.kind === 'dying') end();
    });

    const work = async (round: number): Promise<void> => {
      const over = new Promise<void>((resolve) => (allEnded = resolve));
      const results: Promise<unknown>[] = [];
      const first = round * JOBS_A_ROUND;
      for (let from = first; from < first + JOBS_A_ROUND; from += JOBS_A_CALL) {
        const jobs = await queue.addBulk(
          Array.from({ length: JOBS_A_CALL }, (_, index) => jobOf(from + index)),
        );
        for (const job of jobs) if (job.data.kind === 'awaited') results.push(job.waitForResult());
      }
      await Promise.all([over, ...results]);
    };
    const keysOnceJobsAreForgotten = async (): Promise<string[]> =>
      vi.waitFor(
        async () => {
          const keys = await redis.client.keys('*');
          expect(keys.filter((key) => /:(result|failed|dlid|didx):/.test(key))).toEqual([]);
          return keys.sort();
        },
        { timeout: 20_000, interval: 50 },
      );

    /** What is being read of the events is no growth. */
    const eventsAreHeard = async (): Promise<void> => {
      const { id } = await queue.add('last', { n: -1, kind: 'last' });
      await new Promise<void>((resolve) => {
        events.on('completed', function isLast({ jobId }) {
          if (jobId !== id) return;
          events.off('completed', isLast);
          resolve();
        });
      });
    };

    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) await work(round);
    await eventsAreHeard();
    const keys = await keysOnceJobsAreForgotten();
    const heap = await heapUsed();
    for (let round = WARM_UP_ROUNDS; round < ROUNDS; round += 1) await work(round);
    await eventsAreHeard();
    expect(await keysOnceJobsAreForgotten()).toEqual(keys);
    const growth = (await heapUsed()) - heap;

    expect(ended).toBe(ROUNDS * JOBS_A_ROUND);
    expect(growth).toBeLessThan(MOST_GROWTH);
    expect(heard).toBeGreaterThan(0);
  },
);
