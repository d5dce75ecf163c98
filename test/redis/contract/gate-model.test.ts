import fc from 'fast-check';
import { test } from 'vitest';
import { Run } from '../../support/gate/run.js';
import { GROUPS, KINDS, OF_JOB, OF_WORKER, PLAIN, WORKERS } from '../../support/gate/steps.js';
import type { Kind, Step } from '../../support/gate/steps.js';
import { useKit } from './kit.js';

/*
 * Random commands on a gated queue, each in a model and in Redis. Workers are scripts called one by one, so what the gate gives is
 * exactly what the model says. GATE_RUNS says how many runs, and GATE_SEED repeats those of a seed.
 */

const redis = useKit();

let runs = 0;

async function follow(steps: readonly Step[], isStrict: boolean): Promise<void> {
  const queue = redis.queue({}, `gate-${String((runs += 1))}`);
  const run = new Run(redis.client, queue, isStrict);
  await run.begin();
  for (const [data, step] of steps.entries()) {
    await run.carryOut(step, data);
    await run.compare();
  }
  await run.finish();
  await queue.close();
  await redis.client.flushall();
}

const nth = fc.nat(9);
const worker = fc.nat(WORKERS - 1);
const kind = fc.constantFrom(...(Object.keys(KINDS) as Kind[]));
const group = fc.constantFrom(...GROUPS);
const rarely = fc.nat(5).map((n) => n === 0);
const fetch = fc.integer({ min: 1, max: 5 });
const set = fc.constantFrom('pause' as const, 'resume' as const, 'concurrency' as const, 'max' as const);
const command = fc.constantFrom(...PLAIN, 'resume' as const, 'forget' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ add: kind, group: fc.constant(''), delayed: rarely, ownId: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ add: kind, group, delayed: rarely, ownId: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ fetch, worker, reclaim: fc.constant(false) }) },
  { weight: 1, arbitrary: fc.record({ fetch, worker, reclaim: fc.constant(true) }) },
  { weight: 5, arbitrary: fc.record({ of: fc.constantFrom(...OF_WORKER), worker, nth }) },
  { weight: 2, arbitrary: fc.record({ job: fc.constantFrom(...OF_JOB), nth }) },
  { weight: 1, arbitrary: fc.record({ change: kind, nth }) },
  { weight: 2, arbitrary: fc.record({ do: command }) },
  { weight: 1, arbitrary: fc.record({ concurrency: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ max: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ group, set, to: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ groupConcurrency: fc.nat(2) }) },
);

const MOST = Number(process.env['GATE_RUNS'] ?? 100);
const SEED = process.env['GATE_SEED'];

test(
  'the gate gives what the model says, in its order, whatever jobs, groups, workers and limits do',
  async () => {
    const steps = fc.array(step, { minLength: 10, maxLength: 60 });
    await fc.assert(fc.asyncProperty(steps, fc.boolean(), follow), {
      numRuns: MOST,
      ...(SEED !== undefined && { seed: Number(SEED) }),
    });
  },
  30_000 + MOST * 1_000,
);
