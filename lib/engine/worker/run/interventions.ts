import type { Clock } from '../../base/clock.js';
import { JobStateError } from '../../base/errors.js';
import { MOST_MS } from '../../config/checks.js';
import type { Delivery } from '../lease/delivery.js';
import { controlOf } from '../lease/run-control.js';
import type { RunControl } from '../lease/run-control.js';
import { COMPLETED, RELEASED, RETRIED, RUNNING, isInFlight } from '../lease/states.js';

// What a handler may decide about its own run, beside its end.

/** A failure of this run is final. @throws JobStateError (CMQ-107) after the run */
export function discardRun(delivery: Delivery, queue: string): void {
  controlOfRun(delivery, queue, 'discard').isFinal = true;
}

/** This run fails with the error, however the handler settles. The first error stays. @throws JobStateError (CMQ-107) after the run */
export function failRun(delivery: Delivery, queue: string, error: unknown): void {
  controlOfRun(delivery, queue, 'fail').failure ??= { error };
}

/**
 * After this run, the job goes to the delayed set.
 * @param timestamp unix ms by the clock of this process
 * @throws JobStateError (CMQ-107) after the run
 */
export function delayRun(delivery: Delivery, queue: string, timestamp: number, clock: Clock): void {
  const control = controlOfRun(delivery, queue, 'moveToDelayed');
  // The clock of this host may differ from Redis's, so only the time from now on counts.
  control.dueAt = clock.monotonic() + Math.min(Math.max(0, timestamp - clock.now()), MOST_MS);
}

function controlOfRun(delivery: Delivery, queue: string, what: string): RunControl {
  if (delivery.state === RUNNING && delivery.control?.isOver !== true) return controlOf(delivery);
  const { jobId } = delivery;
  const instead =
    'Call it before the handler returns, and before its time limit; the lease must not be lost.';
  throw new JobStateError(jobId, queue, stateOf(delivery), what, instead);
}

function stateOf({ state }: Delivery): string {
  if (isInFlight(state)) return 'active';
  if (state === COMPLETED) return 'completed';
  if (state === RETRIED) return 'delayed';
  return state === RELEASED ? 'waiting' : 'failed';
}
