import type { JobsOptions, WaitForResultOptions } from '../config/options.js';
import type { JobProgress } from './attempts.js';
import type { JobActions, JobPlace } from './job-actions.js';

/**
 * The queue that returned the job, or the worker that runs it, as the job needs it. A method of `Job` that reads or changes
 * something in Redis calls a method here, by job id; `Queue` and `Worker`, in the layers above, implement it with the
 * functions of admin/. A method that an owner does not have is refused by the job.
 */
export interface JobOwner {
  /** Name of the queue. */
  readonly name: string;
  /** What the job's methods do in Redis. An owner without Redis, as in unit tests, has none. */
  readonly actions?: JobActions;
  /** Only a queue has it. */
  waitForResult?(jobId: string, options?: WaitForResultOptions): Promise<unknown>;
  /** Only a worker has it. @param job the `Job` */
  reportProgress?(job: object, progress: JobProgress): void;
  /** Only a worker has it. */
  entryIdOf?(context: object): string;
  /** Only a worker has it. */
  signalOf?(context: object): AbortSignal;
  /** Only a worker has it. */
  discard?(context: object): void;
  /** Only a worker has it. */
  fail?(context: object, error: unknown): void;
  /** Only a worker has it. @param timestamp unix ms, checked */
  moveToDelayed?(context: object, timestamp: number): void;
}

export interface JobInit<Data> {
  id: string;
  name: string;
  data: Data;
  opts: JobsOptions;
  attemptsMade: number;
  timestamp: number;
  delay: number;
  /** The owner's own record of the job. Only in a worker. */
  context?: object;
  /** Where the job was when it was read from the queue. Methods that change the job need not search for it then. */
  place?: JobPlace;
}
