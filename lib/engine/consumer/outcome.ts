import { isUnrecoverable, messageOf } from '../errors.js';
import type { JobCancelledError } from '../errors.js';
import type { DlqReason } from '../metrics.js';

/** What becomes of a job that did not complete. */
export type Outcome =
  | { kind: 'retry'; error: unknown; backoffMs: number }
  | { kind: 'dead'; reason: DlqReason; detail: string; error: unknown }
  | { kind: 'cancelled'; error: JobCancelledError };

export interface FailedRun {
  error: unknown;
  /** The attempt that failed, from 1. */
  attempt: number;
  maxAttempts: number;
  /** Set where the job was cancelled while it ran. */
  cancelled?: JobCancelledError | undefined;
  /** Asked only when there is a next attempt. */
  backoffMs: () => number;
}

/** Longest `detail` of a dead letter and `reason` of an event, in characters. */
const MAX_DETAIL = 2_000;

export function outcomeOfFailure({ error, attempt, maxAttempts, cancelled, backoffMs }: FailedRun): Outcome {
  // Whatever it failed with: it was told to end, and nobody wants another attempt.
  if (cancelled) {
    if (error !== cancelled) cancelled.cause = error;
    return { kind: 'cancelled', error: cancelled };
  }
  if (isUnrecoverable(error))
    return { kind: 'dead', reason: 'unrecoverable', detail: detailOf(error), error };
  if (attempt >= maxAttempts) {
    return { kind: 'dead', reason: 'retries_exhausted', detail: detailOf(error), error };
  }
  return { kind: 'retry', error, backoffMs: backoffMs() };
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

/** The text of an error for events and dead letters, of bounded length. */
export function detailOf(error: unknown): string {
  const text = messageOf(error);
  return text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL)}…` : text;
}
