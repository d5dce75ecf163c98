import type { JobProgress } from '../job/attempts.js';
import type { ConnectionEventsMap } from '../connection/observe.js';

export interface QueueEvent {
  jobId: string;
  /** Dispatch name; empty for a job without one. */
  name: string;
  /** Unix ms, by Redis's clock. */
  ts: number;
}
export type WaitingEvent = QueueEvent;
export interface ActiveEvent extends QueueEvent {
  prev: string;
  attempt: number;
}
export interface CompletedEvent extends QueueEvent {
  attempt: number;
  durationUs: number;
  /** The handler's return value, if the worker stores results and the value is small. */
  returnvalue: unknown;
}
export interface FailedEvent extends QueueEvent {
  failedReason: string;
  /** The attempt that failed, from 1. For a job that was cancelled before it started: the attempts used before. */
  attempt: number;
  durationUs: number;
  /** Set if `Queue.cancel` ended the job: there is no retry and no dead letter, and `failedReason` is `cancelled`. */
  cancelled?: true;
  /**
   * Set if the job did not start within its `ttlMs` and was dropped: there is no dead letter, and `failedReason` is
   * `expired`.
   */
  expired?: true;
}
export interface RetryScheduledEvent extends QueueEvent {
  /** The attempt that will run next. */
  attempt: number;
  backoffMs: number;
}
export interface DelayedEvent extends QueueEvent {
  delay: number;
}
export interface DlqEvent extends QueueEvent {
  reason: string;
  attempt: number;
}
export interface RetriesExhaustedEvent extends QueueEvent {
  attemptsMade: number;
  reason: string;
}
/** One job was removed by `job.remove()`, `queue.remove()` or `queue.cancel()`, before it ran or after its end. */
export interface RemovedEvent extends QueueEvent {
  /** The state in which the job was: `waiting`, `delayed`, `failed` or `completed`. */
  prev: string;
}
/** Several jobs were removed by one step of `clean`, `drain` or `dropDlq`. A call has several such events if it has many jobs. */
export interface CleanedEvent {
  /** How many jobs. */
  count: number;
  /** The state in which they were: `wait`, `delayed`, `failed` or `completed`. */
  type: string;
  /** Unix ms, by Redis's clock. */
  ts: number;
}
/** The queue was paused or resumed, by any process. */
export interface PauseEvent {
  /** Unix ms, by Redis's clock. */
  ts: number;
}
/**
 * A job met another one that has its deduplication id. It was not added; or it replaced the other job, if that is `removed` too;
 * or it is kept until the other one has ended.
 */
export interface DeduplicatedEvent extends QueueEvent {
  deduplicationId: string;
  /** The other job. */
  deduplicatedJobId: string;
}
/** A worker died, or was cut off for longer than its lease, and another worker has reclaimed its job. */
export type StalledEvent = QueueEvent;
export interface ProgressEvent extends QueueEvent {
  /** What `job.updateProgress` was called with. */
  data: JobProgress;
}
export interface LogEvent extends QueueEvent {
  row: string;
}
export interface UnknownEvent {
  eventName: string;
  fields: Record<string, string>;
}

/** Listener arguments by event name; the last is the event's id in the stream. */
export interface QueueEventsMap extends ConnectionEventsMap {
  waiting: [WaitingEvent, string];
  active: [ActiveEvent, string];
  completed: [CompletedEvent, string];
  failed: [FailedEvent, string];
  'retry-scheduled': [RetryScheduledEvent, string];
  delayed: [DelayedEvent, string];
  dlq: [DlqEvent, string];
  /** The same event as `dlq`, under the name that BullMQ uses. */
  'retries-exhausted': [RetriesExhaustedEvent, string];
  /** The lease of a worker ran out with this job in flight, and another worker has reclaimed it. */
  stalled: [StalledEvent, string];
  /** `jobId` is the job that was to be added. */
  deduplicated: [DeduplicatedEvent, string];
  paused: [PauseEvent, string];
  resumed: [PauseEvent, string];
  drained: [string];
  removed: [RemovedEvent, string];
  cleaned: [CleanedEvent, string];
  /** The newest progress; while a report is on its way, those between it and the newest are left out. */
  progress: [ProgressEvent, string];
  /** A row that `job.log` was called with, of a job that is not tracked: it is not stored. */
  log: [LogEvent, string];
  unknown: [UnknownEvent, string];
  error: [Error];
}
