import { BatchResultError } from '../../base/errors.js';
import { show } from '../../config/checks.js';
import type { Job } from '../../job/job.js';
import type { Delivery } from '../lease/delivery.js';
import { controlOf } from '../lease/run-control.js';
import { errorIn } from './returned.js';
import type { Runner } from './runner.js';

/**
 * Calls the handler once, with all of the jobs. Each job begins and ends by itself: it has its own attempt, limit, signal,
 * lease and outcome. Never throws. `now`: monotonic ms.
 */
export function runBatch(runner: Runner, deliveries: readonly Delivery[], now: number): void {
  const batch = { open: deliveries.length };
  const jobs = deliveries.map((delivery) => {
    controlOf(delivery).batch = batch;
    return runner.begin(delivery, now);
  });
  void settle(runner, deliveries, jobs);
}

async function settle(runner: Runner, deliveries: readonly Delivery[], jobs: readonly Job[]): Promise<void> {
  let results: readonly unknown[];
  try {
    // A copy: the handler may change its own.
    results = resultsOf(await runner.call([...jobs]), jobs.length);
  } catch (error) {
    deliveries.forEach((delivery, index) => {
      runner.fail(delivery, jobs[index] as Job, error);
    });
    return;
  }
  deliveries.forEach((delivery, index) => {
    runner.succeed(delivery, jobs[index] as Job, results[index]);
  });
}

/**
 * The results of the jobs, in their order, from what the handler of a batch has returned: an array with one for each job, or
 * undefined if there are none.
 * @throws BatchResultError (CMQ-018), or the error that was returned
 */
export function resultsOf(returned: unknown, jobs: number): readonly unknown[] {
  const error = errorIn(returned);
  if (error) throw error;
  if (returned === undefined) return [];
  if (Array.isArray(returned) && returned.length === jobs) return returned as readonly unknown[];
  const what = Array.isArray(returned)
    ? `an array of ${String(returned.length)}`
    : // Not its value: results may be secret, and the detail of a dead letter is for everybody.
      kindOf(returned);
  throw new BatchResultError(
    `The handler of a batch of ${String(jobs)} job${jobs === 1 ? '' : 's'} returned ${what}. ` +
      'It must return an array with one result for each job, in the order of the jobs, or undefined. ' +
      'The jobs are not run again by themselves, because the handler has done its work: check what it did, and replay or drop them.',
  );
}

function kindOf(value: unknown): string {
  return value === null || typeof value === 'object' ? show(value) : `a ${typeof value}`;
}
