import { inOwnContext } from './own-context.js';

/**
 * Receives the metrics of the engine. All methods are optional, so a new method breaks no sink. The engine calls them
 * synchronously on its hot path: count and return. If a method throws, its first error is reported and nothing else
 * happens.
 */
export interface MetricsSink {
  /** After every run of the promoter as leader. */
  promoterTick?(tick: PromoterTick): void;
  /** When leadership of the promoter changes, not on every poll. */
  promoterLockOutcome?(outcome: LockOutcome): void;
  /** After every run of the scheduler as leader. */
  schedulerTick?(tick: SchedulerTick): void;
  /** When leadership of the scheduler changes, not on every poll. */
  schedulerLockOutcome?(outcome: LockOutcome): void;
  /** After every read that returned entries. */
  readerBatch?(batch: ReaderBatch): void;
  /** After every run of a handler. */
  jobOutcome?(outcome: JobOutcome): void;
  /** After the retry is in the delayed set. Not when the lease was lost. */
  retryScheduled?(retry: RetryScheduled): void;
  /** After the job is among the dead letters. */
  dlqRouted?(dlq: DlqRouted): void;
  /** After dead letters were dropped to keep `dlqMaxStreamLen`. */
  dlqEvicted?(evicted: { count: number }): void;
  /** When a lease was lost, or an entry vanished. */
  leaseLost?(lost: { count: number }): void;
}

export interface PromoterTick {
  promoted: number;
  /** Jobs that remain in the delayed set. */
  depth: number;
  /** How overdue the earliest remaining job is, in ms; 0 in the steady state. */
  oldestPendingLagMs: number;
}

export interface SchedulerTick {
  /** Schedules that were due. */
  due: number;
  /** Jobs that were added for them. */
  fired: number;
}

export type LockOutcome = 'acquired' | 'held';

export interface ReaderBatch {
  size: number;
  /** How many of them were delivered before. */
  reclaimed: number;
}

export interface JobOutcome {
  kind: 'ok' | 'err';
  /** From 1. */
  attempt: number;
  handlerDurationUs: number;
  name: string;
}

export interface RetryScheduled {
  /** The attempt that will run next, from 1. */
  attempt: number;
  backoffMs: number;
  name: string;
}

export type DlqReason =
  'retries_exhausted' | 'decode_failed' | 'malformed' | 'oversize_payload' | 'unrecoverable' | 'expired';

export interface DlqRouted {
  reason: DlqReason;
  attempt: number;
  name: string;
}

/** A sink that ignores everything. */
export const noopSink: MetricsSink = {};

/** Wraps a sink so that its methods cannot throw. The first error of each method is reported. */
export function safeSink(sink: MetricsSink, onError: (error: unknown) => void): MetricsSink {
  if (sink === noopSink) return sink;
  const safe: Record<string, (event: unknown) => void> = {};
  for (const name of METHODS) {
    if (typeof sink[name] !== 'function') continue;
    const method = (event: unknown): void => {
      (sink as Record<string, (event: unknown) => void>)[name]?.(event);
    };
    let reported = false;
    safe[name] = (event) => {
      try {
        inOwnContext(method, event);
      } catch (error) {
        if (!reported) onError(error);
        reported = true;
      }
    };
  }
  return safe;
}

const METHODS: readonly (keyof MetricsSink)[] = [
  'promoterTick',
  'promoterLockOutcome',
  'schedulerTick',
  'schedulerLockOutcome',
  'readerBatch',
  'jobOutcome',
  'retryScheduled',
  'dlqRouted',
  'dlqEvicted',
  'leaseLost',
];
