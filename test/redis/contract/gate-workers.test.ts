import fc from 'fast-check';
import { test } from 'vitest';
import { line, runInLine } from '../../support/live-gate/ordered.js';
import type { Line } from '../../support/live-gate/ordered.js';
import { LiveRun } from '../../support/live-gate/run.js';
import { scenario } from '../../support/live-gate/steps.js';
import type { Scenario } from '../../support/live-gate/steps.js';
import { Queue, Worker } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { useKit } from './kit.js';

/*
 * Random jobs and changes, with workers that run. What came when is not known beforehand, so nothing is predicted: handlers and
 * samples of Redis are judged by what must always be true. GATE_WORKERS_RUNS says how many runs, and GATE_SEED repeats those of a
 * seed, as far as the times are the same.
 */

const redis = useKit();

const MOST = Number(process.env['GATE_WORKERS_RUNS'] ?? 40);
const SEED = process.env['GATE_SEED'];
const TIMEOUT = 30_000 + MOST * 1_000;
const settings = {
  numRuns: MOST,
  // Else the time to find a smaller example takes the example away.
  interruptAfterTimeLimit: TIMEOUT - 20_000,
  ...(SEED !== undefined && { seed: Number(SEED) }),
};

async function follow(plan: Scenario): Promise<void> {
  const run = new LiveRun(redis.client, redis.connection, plan);
  try {
    await run.begin();
    for (const step of plan.steps) await run.carryOut(step);
    await run.finish();
  } finally {
    await run.close();
    await redis.client.flushall();
  }
}

test(
  'each job ends once, within the limits, in its order and in fair turns, whatever workers, limits and connections do',
  () => fc.assert(fc.asyncProperty(scenario, follow), settings),
  TIMEOUT,
);

let lines = 0;

async function standInLine(plan: Line): Promise<void> {
  const name = `line-${String((lines += 1))}`;
  const queue = new Queue(name, { connection: redis.connection });
  const open: Worker[] = [];
  try {
    await runInLine(redis.client, queue, plan, (begin, telemetry) => {
      const processor = ({ data }: Job): void => {
        begin(data as number);
        if (!plan.jobs[data as number]?.ends) throw new Error('as asked');
      };
      const worker = new Worker(name, processor, { connection: redis.connection, concurrency: 1, telemetry });
      open.push(worker);
      return worker;
    });
  } finally {
    await Promise.all(open.map((worker) => worker.close()));
    await queue.close();
    await redis.client.flushall();
  }
}

test(
  'one worker runs what waits in the order of a sorted list, one job after the other, and each group in its turn',
  () => fc.assert(fc.asyncProperty(line, standInLine), settings),
  TIMEOUT,
);
