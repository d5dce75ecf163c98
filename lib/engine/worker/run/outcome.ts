import type { JobCancelledError } from '../../base/errors.js';
import type { DlqReason } from '../../base/metrics.js';
import { isUnrecoverable, writeProperty } from '../../base/safe-access.js';
import { detailOf, stackOf } from '../../base/thrown.js';
import type { CancelledOutcome, DeadLetterOutcome, DroppedOutcome, RetryOutcome } from '../lease/outcome.js';
import type { JobLimits } from '../settings.js';

export interface FailedRun {
  error: unknown;
  /** The attempt that failed, from 1. */
  attempt: number;
  maxAttempts: number;
  /** Set where the job was cancelled while it ran. */
  cancelled?: JobCancelledError | undefined;
  /** A failure is final: `job.discard()`. */
  isFinal?: boolean;
  /** Asked only when there is a next attempt; {@link FAIL_NOW} for none. */
  backoffMs: () => number;
}

/** What a backoff strategy answers to have no further attempt. */
export const FAIL_NOW = -1;

export function outcomeOfFailure({
  error,
  attempt,
  maxAttempts,
  cancelled,
  isFinal = false,
  backoffMs,
}: FailedRun): RetryOutcome | DeadLetterOutcome | CancelledOutcome {
  // Whatever the error: the job was told to end, and there is no further attempt.
  if (cancelled) {
    if (error !== cancelled) writeProperty(cancelled, 'cause', error);
    return { kind: 'cancelled', error: cancelled };
  }
  if (isFinal || isUnrecoverable(error)) return deadLetter('unrecoverable', error);
  if (attempt >= maxAttempts) return deadLetter('retries_exhausted', error);
  const ms = backoffMs();
  if (ms === FAIL_NOW) return deadLetter('unrecoverable', error);
  return { kind: 'retry', error, detail: detailOf(error), backoffMs: ms };
}

function deadLetter(reason: DlqReason, error: unknown): DeadLetterOutcome {
  return { kind: 'dead-letter', reason, detail: detailOf(error), stack: stackOf(error), error };
}

/** A job that has no attempt left before it starts: its workers died with it, or its budget was lowered. */
export function outcomeOfExhaustion(crashes: number, used: number, maxAttempts: number): DeadLetterOutcome {
  const detail =
    crashes > 0
      ? `${deaths(crashes)} ${String(used + crashes)} of ${String(maxAttempts)} attempts are used.`
      : `${String(used)} attempts are used; ${String(maxAttempts)} are allowed.`;
  return { kind: 'dead-letter', reason: 'retries_exhausted', detail, error: new Error(detail) };
}

/** Redis counts the first delivery, and from then on only starts: see lua/count-start.lua. A worker that stands still looks dead. */
function deaths(crashes: number): string {
  const causes = 'process killed, crashed, out of memory, or stopped for longer than its lease';
  return crashes === 1
    ? `The worker died 1 time while it had this job (${causes}). Redis cannot tell whether the job was running or only fetched.`
    : `The worker died ${String(crashes)} times while it had this job (${causes}), at least ${crashes === 2 ? 'once' : `${String(crashes - 1)} times`} while running it.`;
}

/** A job that did not start in time. @param waitedMs for how long it has been ready */
export function outcomeOfExpiry(
  waitedMs: number,
  { ttlMs, expired }: JobLimits,
): DeadLetterOutcome | DroppedOutcome {
  const detail = `It did not start within its ttlMs of ${String(ttlMs)} ms: it has been ready to run for ${String(Math.round(waitedMs))} ms.`;
  const error = new Error(detail);
  return expired === 'drop'
    ? { kind: 'dropped', detail, error }
    : { kind: 'dead-letter', reason: 'expired', detail, error };
}
