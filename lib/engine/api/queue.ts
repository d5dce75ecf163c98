import { ConfigTypeError } from '../base/errors.js';
import { checkJobId } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';
import type { BulkJobOptions, JobsOptions, RepeatOptions, WaitForResultOptions } from '../config/options.js';
import { waitSchema } from '../config/options/results.js';
import type { NewJob } from '../enqueue/new-job.js';
import { checkJobOptions, checkJobs, toNewJob, withDefaults } from '../enqueue/new-job.js';
import { Job } from '../job/job.js';
import type { JobOwner } from '../job/job.js';
import { toRepeatableSpec } from '../timers/repeat/from-options.js';
import { QueueCleaning } from './queue/queue-cleaning.js';

/**
 * The producing side of one queue. Connects on first use. Queues and workers that get the same `connection` object share
 * one connection.
 */
export class Queue<Data = unknown, Result = unknown, Name extends string = string>
  extends QueueCleaning<Data, Result, Name>
  implements JobOwner
{
  /**
   * Adds one job. Adds of one tick share a round trip. With `jobId`, nothing is added while a live job has that id, and the
   * returned job has `duplicate: true`. With `deduplication`, the same if another job has the deduplication id: then the
   * returned job has the id of that job, and the data of this call. With `repeat`, this declares a schedule instead: the id of the returned job is the
   * key of the schedule, and `duplicate` is true if nothing was written: the schedule was there, unchanged.
   * @throws RangeError for a delay that is negative, not finite or too long, TypeError for a blank `jobId` (both CMQ-004),
   * ConfigError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), QueueFullError (CMQ-006),
   * ConnectionError (CMQ-001; if its `unknownOutcome` is true, the job may have been added)
   */
  async add(name: Name, data: Data, opts?: JobsOptions): Promise<Job<Data, Result, Name>> {
    this.core.assertOpen();
    const merged = withDefaults(this.opts.defaultJobOptions, opts);
    if (merged?.repeat !== undefined)
      return this.#addRepeatable(name, data, { ...merged, repeat: merged.repeat });
    const job = toNewJob(name, data, merged, this.core.limits);
    const duplicates = await this.core.enqueue([job]);
    return this.#toJob(job, data, merged, duplicates.get(0));
  }

  /**
   * `add` that requires a `jobId`: at most one live job per id, across all processes and all ways to add a job.
   * @throws TypeError (CMQ-004) without a `jobId`; else as `add`
   */
  async addUnique(name: Name, data: Data, opts?: JobsOptions): Promise<Job<Data, Result, Name>> {
    if (opts?.jobId === undefined) {
      throw new ConfigTypeError('addUnique needs opts.jobId: the id that makes the job unique.');
    }
    return this.add(name, data, opts);
  }

  /**
   * Adds many jobs in one call, each with its own options. If one of them is invalid, or the queue has no room for all of
   * them, none is added. More than 2,000 jobs, or more than 4 MB, take several calls: if the connection is lost between
   * them, only a part is added, and the error says how many.
   */
  async addBulk(
    jobs: readonly { name: Name; data: Data; opts?: BulkJobOptions }[],
  ): Promise<Job<Data, Result, Name>[]> {
    this.core.assertOpen();
    checkJobs(jobs);
    const merged = jobs.map((job) => withDefaults(this.opts.defaultJobOptions, job.opts));
    const fresh = jobs.map(({ name, data }, index) => toNewJob(name, data, merged[index], this.core.limits));
    const duplicates = await this.core.enqueue(fresh);
    return fresh.map((job, index) =>
      this.#toJob(job, (jobs[index] as { data: Data }).data, merged[index], duplicates.get(index)),
    );
  }

  /** @internal For `Job.waitForResult`. */
  async waitForResult(jobId: string, options: WaitForResultOptions = {}): Promise<unknown> {
    checkJobId(jobId);
    const checked = checkOptions('waitForResult', waitSchema, options);
    this.core.assertOpen();
    return this.core.results.wait(jobId, checked);
  }

  /** @param holder the job that has the id, if this one is a duplicate */
  #toJob(
    job: NewJob,
    data: Data,
    opts: JobsOptions | undefined,
    holder: string | undefined,
  ): Job<Data, Result, Name> {
    const made = new Job<Data, Result, Name>(this, {
      id: holder ?? job.id,
      name: job.name,
      data,
      opts: opts ?? {},
      attemptsMade: 0,
      timestamp: job.createdAtMs,
      delay: job.delayMs ?? 0,
    });
    if (holder !== undefined) made.duplicate = true;
    return made;
  }

  async #addRepeatable(
    name: Name,
    data: Data,
    opts: JobsOptions & { repeat: RepeatOptions },
  ): Promise<Job<Data, Result, Name>> {
    checkJobOptions(opts, this.core.limits);
    const spec = toRepeatableSpec(name, data, opts, this.core.limits.keep);
    const { key, outcome } = await this.core.use(() => this.core.declared.declare(spec));
    const job = { id: key, name, payload: Buffer.alloc(0), createdAtMs: Date.now(), attempt: 0 };
    const isThere = outcome === 'unchanged' || outcome === 'superseded';
    return this.#toJob(job, data, opts, isThere ? key : undefined);
  }
}
