import type { JobCancelledError } from '../../base/errors.js';
import type { DlqReason } from '../../base/metrics.js';

/** How a job ends that does not complete. */
export type Outcome = RetryOutcome | DeadLetterOutcome | CancelledOutcome | PostponedOutcome;

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

/** This worker does not accept the job: it goes back to the queue with no attempt used. */
export interface PostponedOutcome {
  kind: 'postponed';
  /** In ms, until another worker may fetch it. */
  delayMs: number;
}
