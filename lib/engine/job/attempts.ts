/** What `job.updateProgress` takes: what JSON can hold. */
export type JobProgress = string | boolean | number | object;

/** One attempt of a tracked job. */
export interface AttemptRecord {
  /** From 1. It starts again at 1 when a dead letter is replayed. */
  readonly attempt: number;
  /** Unix ms, by the clock of the worker. */
  readonly startedAt: number;
  /** Absent while it runs, and if it did not end: the worker crashed, or released the job. */
  readonly endedAt?: number;
  /** Why it failed; absent if it did not. */
  readonly reason?: string;
  /** The stack of the error, of at most 8,000 characters. */
  readonly stack?: string;
  /** The id of the worker: `worker.id`. */
  readonly worker: string;
  /** The name of its host. */
  readonly host: string;
}
