import { cancelJob, removeJob } from '../../admin/cancel.js';
import type { CancelOutcome } from '../../admin/cancel.js';
import { checkJobId } from '../../config/check-arguments.js';
import { QueueGetters } from './queue-getters.js';

/** The methods of a queue that change what runs. */
export abstract class QueueSteering<Data, Result, Name extends string> extends QueueGetters<
  Data,
  Result,
  Name
> {
  /**
   * Cancels a job in whatever state it is, also one that runs in another process. Resolves with what happened:
   * - `removed`: the job had not started. It is removed as by {@link Queue.remove}, and never runs.
   * - `signalled`: the job is in flight, and its worker was told. If its handler has not been called, it never is. If the
   *   handler runs, its `signal` is aborted with a JobCancelledError (CMQ-012), usually within a few ms, and within 100 ms
   *   if the worker has just become full. If the handler then fails, there is no retry and no dead letter: the job ends with
   *   a `failed` event whose reason is `cancelled`, and its id is free again. If the handler completes, the job has
   *   completed. If the worker dies or closes, the job does not run again.
   * - `gone`: there is no live job of this id. It has ended, or never existed.
   *
   * A second call changes nothing. Only workers of this package receive the signal.
   * @throws as `remove`
   */
  async cancel(jobId: string): Promise<CancelOutcome> {
    checkJobId(jobId);
    return this.core.use((link, keys) => cancelJob(link, keys, jobId));
  }

  /**
   * Removes a job that has not started: it is delayed, waits for a retry, or waits in the work stream. Resolves with 1 if it
   * was there. Then it never runs, leaves nothing behind, and its id is free again. Resolves with 0 if the job is in
   * flight, has ended, or never existed. The cost does not depend on the length of the queue if the id is the caller's
   * (`jobId`). Any other id is searched for in the delayed set and in the work stream.
   * @throws TypeError for a blank id, ConfigError for an id that is not a string (both CMQ-004), ConnectionError (CMQ-001;
   * if its `unknownOutcome` is true, the job may have been removed), ShutdownError (CMQ-005)
   */
  async remove(jobId: string): Promise<number> {
    checkJobId(jobId);
    return (await this.core.use((link, keys) => removeJob(link, keys, jobId))) ? 1 : 0;
  }

  /** Resolves with false: a queue is never paused. */
  isPaused(): Promise<boolean> {
    return Promise.resolve(false);
  }
}
