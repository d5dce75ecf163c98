import type { JobCancelledError } from '../../base/errors.js';
import type { DlqReason } from '../../base/metrics.js';
import { isUnrecoverable, writeProperty } from '../../base/safe-access.js';
import { detailOf, stackOf } from '../../base/thrown.js';

export { detailOf };

/** What becomes of a job that did not complete. */
export type Outcome =
  | { kind: 'retry'; error: unknown; detail: string; backoffMs: number }
  | Dead
  | { kind: 'cancelled'; error: JobCancelledError }
  | Released;

/** The job is not for this worker: it goes back to the queue, and nothing has happened. */
export interface Released {
  kind: 'released';
  /** Until another worker may get it. */
  delayMs: number;
}

interface Dead {
  kind: 'dead';
  reason: DlqReason;
  detail: string;
  /** Of what the handler threw, if it was an error. */
  stack?: string | undefined;
  /** What the handler threw. */
  error: unknown;
}

export interface FailedRun {
  error: unknown;
  /** The attempt that failed, from 1. */
  attempt: number;
  maxAttempts: number;
  /** Set where the job was cancelled while it ran. */
  cancelled?: JobCancelledError | undefined;
  /** Asked only when there is a next attempt; {@link FAIL_NOW} where there shall be none. */
  backoffMs: () => number;
}

/** What a backoff strategy answers to have no further attempt. */
export const FAIL_NOW = -1;

export function outcomeOfFailure({
  error,
  attempt,
  maxAttempts,
  cancelled,
  backoffMs,
}: FailedRun): Exclude<Outcome, Released> {
  // Whatever it failed with: it was told to end, and nobody wants another attempt.
  if (cancelled) {
    if (error !== cancelled) writeProperty(cancelled, 'cause', error);
    return { kind: 'cancelled', error: cancelled };
  }
  if (isUnrecoverable(error)) return dead('unrecoverable', error);
  if (attempt >= maxAttempts) return dead('retries_exhausted', error);
  const ms = backoffMs();
  if (ms === FAIL_NOW) return dead('unrecoverable', error);
  return { kind: 'retry', error, detail: detailOf(error), backoffMs: ms };
}

function dead(reason: DlqReason, error: unknown): Dead {
  return { kind: 'dead', reason, detail: detailOf(error), stack: stackOf(error), error };
}

/** Why a cancelled job has failed, in events and for whoever waits for its result. */
export const CANCELLED = 'cancelled';

/** A job that has no attempt left before it starts: its workers died with it, or its budget was lowered. */
export function outcomeOfExhaustion(crashes: number, used: number, maxAttempts: number): Outcome {
  const detail =
    crashes > 0
      ? `The worker died ${String(crashes)} time${crashes === 1 ? '' : 's'} while running this job (process killed, crashed or out of memory); ${String(used + crashes)} of ${String(maxAttempts)} attempts are used.`
      : `${String(used)} attempts are used; ${String(maxAttempts)} are allowed.`;
  return { kind: 'dead', reason: 'retries_exhausted', detail, error: new Error(detail) };
}
