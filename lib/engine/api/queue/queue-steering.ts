import { readPolicy } from '../../../redis/scripts/read-policy.js';
import { setPause } from '../../../redis/scripts/set-pause.js';
import { cancelJob } from '../../admin/cancel.js';
import type { CancelOutcome } from '../../admin/cancel.js';
import { tryToRemove } from '../../admin/change-job.js';
import { emitTo, reportTo } from '../../base/emit.js';
import { promoteJobs, retryJobs } from '../../admin/move-jobs.js';
import { checkDedupId } from '../../config/options/deduplication.js';
import { removeDedup } from '../../../redis/scripts/remove-dedup.js';
import { checkOptions } from '../../config/check-options.js';
import type { PromoteJobsOptions, RetryJobsOptions } from '../../config/options.js';
import { promoteJobsSchema, retryJobsSchema } from '../../config/options/operation.js';
import { checkJobId, checkWhole } from '../../config/check-arguments.js';
import type { JobProgress } from '../../job/attempts.js';
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
    return this.core.use((link, keys) => cancelJob(link, keys, jobId, this.core.eventsCap));
  }

  /**
   * Removes a job that does not run: it waits, is delayed, waits for a retry, has failed, or is kept after its completion.
   * Resolves with 1 if it was there. Then it never runs, leaves nothing behind, and its id is free again. Resolves with 0 if the
   * job is active, has ended and is not kept, or never existed. The cost does not depend on the length of the queue if the id is
   * the caller's (`jobId`) and the job has not ended. Any other id is searched for in the delayed set, in the work stream and
   * among the dead letters.
   * @throws TypeError for a blank id, ConfigError for an id that is not a string (both CMQ-004), ConnectionError (CMQ-001;
   * if its `unknownOutcome` is true, the job may have been removed), ShutdownError (CMQ-005)
   */
  async remove(jobId: string): Promise<number> {
    checkJobId(jobId);
    const { eventsCap } = this.core;
    const outcome = await this.core.use((link, keys) => tryToRemove(link, keys, { id: jobId }, eventsCap));
    return outcome === 'removed' ? 1 : 0;
  }

  /**
   * Pauses the queue: no worker in any process starts a job until `resume()`. Running jobs go on, and their retries are
   * scheduled. Adds continue, delayed jobs become waiting when they are due, and schedules add their jobs. Workers learn of it
   * at once, and within one second if a message is lost. They release what they have fetched and not started, with no
   * attempt used: such jobs run after those that wait now. The pause is stored in Redis, so it outlives all processes.
   *
   * A second call changes nothing. Third-party workers do not respect the pause.
   * @throws ConnectionError (CMQ-001; if its `unknownOutcome` is true, the queue may be paused: call it again),
   * ShutdownError (CMQ-005)
   */
  async pause(): Promise<void> {
    await this.changePause(true);
    emitTo(this, 'paused', [], this.#report);
  }

  /** Ends the pause of the queue. A worker that was paused by `worker.pause()` stays so. @throws as `pause` */
  async resume(): Promise<void> {
    await this.changePause(false);
    emitTo(this, 'resumed', [], this.#report);
  }

  /** Whether the queue is paused. @throws as `pause` */
  async isPaused(): Promise<boolean> {
    const { pausedSince } = await this.core.use((link, keys) => readPolicy(link, keys));
    return pausedSince !== undefined;
  }

  /**
   * Reports progress of a job from outside of its handler; see `job.updateProgress`.
   * @throws as `job.updateProgress`; on a queue with `trackJobs`, JobNotFoundError (CMQ-106) for an unknown id
   */
  async updateJobProgress(jobId: string, progress: JobProgress): Promise<void> {
    checkJobId(jobId);
    this.core.assertOpen();
    await this.actions.updateProgress({ id: jobId, name: '', isTracked: undefined }, progress);
  }

  /**
   * Adds a row to the log of a job. Resolves with how many rows the log has; 0 for a job that is not tracked.
   * @param keepLogs the most rows that stay, the newest; 0 = all. Default: `keepLogs` of the job, or 10,000
   * @throws as `job.log`; on a queue with `trackJobs`, JobNotFoundError (CMQ-106) for an unknown id
   */
  async addJobLog(jobId: string, logRow: string, keepLogs?: number): Promise<number> {
    checkJobId(jobId);
    if (keepLogs !== undefined) checkWhole('addJobLog: keepLogs', keepLogs);
    this.core.assertOpen();
    return this.actions.log({ id: jobId, name: '', isTracked: undefined }, logRow, keepLogs);
  }

  /**
   * Frees a deduplication id: the next add with it adds a job. The job that had the id stays. A job that is kept until the end of
   * that one runs now. Resolves with 1; 0 if the id was free.
   * @throws TypeError (CMQ-004) for an id that is blank or too long
   */
  async removeDeduplicationKey(id: string): Promise<number> {
    checkDedupId('removeDeduplicationKey: the id', id);
    return (await this.core.use((link, keys) => removeDedup(link, keys, { dedupId: id }))) ? 1 : 0;
  }

  /** @internal Pauses or resumes, and resolves with whether that changed anything. */
  changePause(paused: boolean): Promise<boolean> {
    const { eventsCap } = this.core;
    return this.core.use((link, keys) =>
      setPause(link, keys, { to: paused ? 'paused' : 'running', eventsCap }),
    );
  }

  readonly #report = (error: unknown): void => {
    reportTo(this, error);
  };

  /**
   * Promotes all delayed jobs that there are now, earliest first, those that wait for a retry included.
   * @throws ConfigError (CMQ-004), the reason of the signal, ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async promoteJobs(options: PromoteJobsOptions = {}): Promise<void> {
    const checked = checkOptions('promoteJobs', promoteJobsSchema, options);
    const { events } = this.core;
    await this.core.use((link, keys) => promoteJobs(link, keys, checked, events));
  }

  /**
   * Runs all jobs again that have failed (default), or that have completed and are kept, oldest first, with all attempts
   * available. Dead letters that cannot be decoded stay.
   * @throws as `promoteJobs`
   */
  async retryJobs(options: RetryJobsOptions = {}): Promise<void> {
    const checked = checkOptions('retryJobs', retryJobsSchema, options);
    await this.core.use((link, keys) => retryJobs(link, keys, checked, this.core.eventsCap));
  }
}
