import type { ConnectionEventsMap } from '../connection/observe.js';
import type { JobProgress } from '../job/attempts.js';
import type { Job } from '../job/job.js';
import type { DeadLettered, DlqEvicted, PausedBy } from '../worker/hooks.js';

/** Listener arguments by event name. */
export interface WorkerEventsMap<
  Data = unknown,
  Result = unknown,
  Name extends string = string,
> extends ConnectionEventsMap {
  /** The worker has started to read. */
  ready: [];
  /** Before the processor is called; the second argument is always `''`. */
  active: [job: Job<Data, Result, Name>, prev: string];
  /** After the completion is committed. */
  completed: [job: Job<Data, Result, Name>, result: Result, prev: string];
  /**
   * After the retry or the dead letter is committed. `job.deadLetterReason` is set for a dead letter. If the handler threw
   * something other than an error, or an error without a message, `error.cause` is the thrown value.
   */
  failed: [job: Job<Data, Result, Name>, error: Error, prev: string];
  progress: [job: Job<Data, Result, Name>, progress: JobProgress];
  /**
   * Nothing starts any more: this worker is paused (`worker`), or its queue is (`queue`). Both may apply, one after the
   * other. Emitted at the start, too, if the queue is paused then.
   */
  paused: [by: PausedBy];
  /** One of the two pauses has ended. */
  resumed: [by: PausedBy];
  /** This worker has reclaimed a job: the lease of another worker ran out. The second argument is always `active`. */
  stalled: [jobId: string, prev: string];
  /**
   * After a dead letter is committed, and after `failed` where there is a job. An entry that cannot be decoded has no job:
   * this event is the only one that reports it.
   */
  deadLettered: [deadLetter: DeadLettered];
  /** Because of `dlqMaxStreamLen`, old dead letters were dropped for new ones. They are lost. */
  dlqEvicted: [evicted: DlqEvicted];
  /**
   * Redis failed, a lease was lost, or a listener threw or rejected. Without a listener, the error becomes a process
   * warning. An outage is reported once, when it begins; calls that fail during it are not reported.
   */
  error: [error: Error];
  closing: [message: string];
  closed: [];
}
