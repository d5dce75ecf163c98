import type { JobCancelledError } from '../../base/errors.js';
import type { DlqReason } from '../../base/metrics.js';

/** How a job ends that does not complete. */
export type Outcome =
  RetryOutcome | DeadLetterOutcome | CancelledOutcome | DroppedOutcome | DelayedOutcome | PostponedOutcome;

export interface RetryOutcome {
  kind: 'retry';
  /** What the handler threw. */
  error: unknown;
  detail: string;
  backoffMs: number;
}

export interface DeadLetterOutcome {
  kind: 'dead-letter';
  reason: DlqReason;
  detail: string;
  /** The stack of what the handler threw, if it threw an error. */
  stack?: string | undefined;
  /** What the handler threw. */
  error: unknown;
}

export interface CancelledOutcome {
  kind: 'cancelled';
  error: JobCancelledError;
}

/** The job did not start in time, and is deleted. */
export interface DroppedOutcome {
  kind: 'dropped';
  detail: string;
  error: Error;
}

/** The handler has moved the job to the delayed set: it goes back there with no attempt used. */
export interface DelayedOutcome {
  kind: 'delayed';
  delayMs: number;
}

/** This worker does not accept the job, or its handler was rate-limited: it goes back to the queue with no attempt used. */
export interface PostponedOutcome {
  kind: 'postponed';
  /** While a limit holds, a job of the room goes to its old place there, and does not wait for `delayMs`. */
  isRateLimited?: true;
  /** In ms, until another worker may fetch it. */
  delayMs: number;
}
