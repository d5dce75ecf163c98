import type { QueueKeys } from '../../redis/keys.js';
import { readBacklog } from '../../redis/scripts/read-backlog.js';
import type { Backlog } from '../../redis/scripts/read-backlog.js';
import { cancelJob, removeJob } from '../admin/cancel.js';
import type { CancelOutcome } from '../admin/cancel.js';
import { emittingObserver } from '../connection/observe.js';
import type { ConnectionInfo } from '../connection/command-link.js';
import { dropDlq, peekDlq, replayDlq } from '../admin/dlq.js';
import type { DlqEntry } from '../admin/dlq.js';
import type { NewJob } from '../enqueue/new-job.js';
import { ConfigError, ConfigTypeError } from '../base/errors.js';
import { Job } from '../job/job.js';
import type { JobOwner } from '../job/job.js';
import { MAX_DELAY_SECS, checkJobOptions, checkJobs, toNewJob, withDefaults } from '../enqueue/new-job.js';
import type {
  BulkJobOptions,
  JobsOptions,
  QueueOptions,
  RepeatOptions,
  RepeatableJobMeta,
  WaitForResultOptions,
  DlqSelection,
} from '../config/options.js';
import { toJobMeta, toRepeatableSpec } from '../timers/repeat/from-options.js';
import { ProducerCore } from './producer-core.js';
import { UnsupportedQueueMethods } from './unsupported-queue-methods.js';
import { readSchedules } from '../timers/repeat/schedules.js';
import { dropSchema, replaySchema } from '../config/options/dlq.js';
import { queueSchema } from '../config/options/queue.js';
import { waitSchema } from '../config/options/results.js';
import {
  checkDelay,
  checkJobId,
  checkLimit,
  checkQueueName,
  checkText,
  checkWhole,
} from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';

/**
 * The producing side of one queue. Connects on first use. Queues and workers that get the same `connection` object share
 * one connection.
 */
export class Queue<Data = unknown, Result = unknown, Name extends string = string>
  extends UnsupportedQueueMethods<Data, Result, Name>
  implements JobOwner, AsyncDisposable
{
  readonly name: string;
  /** All keys of the queue in Redis. */
  readonly keys: QueueKeys;
  readonly #opts: QueueOptions;
  readonly #core: ProducerCore;
  readonly #defaults: JobsOptions | undefined;

  /** @throws ConfigError (CMQ-004) for a wrong name or option; names the nearest valid key. */
  constructor(name: string, opts: QueueOptions) {
    super();
    checkQueueName(name);
    this.#opts = opts = checkOptions(`Queue "${name}"`, queueSchema, opts, ['connection']);
    this.name = name;
    this.#defaults = opts.defaultJobOptions;
    if (this.#defaults?.delay !== undefined) {
      checkDelay(this.#defaults.delay, (opts.maxDelaySecs ?? MAX_DELAY_SECS) * 1000);
    }
    this.#core = new ProducerCore(name, opts, emittingObserver(this));
    this.keys = this.#core.keys;
  }

  /** The options as given. Printing the queue does not show them, because they may hold a password. */
  get opts(): QueueOptions {
    return this.#opts;
  }

  /**
   * Resolves when Redis answers and is new enough.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  async waitUntilReady(): Promise<void> {
    await this.#core.ready();
  }

  /**
   * Adds one job. Adds of one tick share a round trip. With `jobId`, nothing is added while a live job has that id, and the
   * returned job has `duplicate: true`. With `repeat`, this declares a schedule instead: the id of the returned job is the
   * key of the schedule, and `duplicate` is true if the schedule was there, unchanged.
   * @throws RangeError for a delay that is negative or not finite, TypeError for a blank `jobId` (both CMQ-004),
   * ConfigError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), QueueFullError (CMQ-006),
   * ConnectionError (CMQ-001; if its `unknownOutcome` is true, the job may have been added)
   */
  async add(name: Name, data: Data, opts?: JobsOptions): Promise<Job<Data, Result, Name>> {
    this.#core.assertOpen();
    const merged = withDefaults(this.#defaults, opts);
    if (merged?.repeat !== undefined)
      return this.#addRepeatable(name, data, { ...merged, repeat: merged.repeat });
    const job = toNewJob(name, data, merged, this.#core.limits);
    const duplicates = await this.#core.enqueue([job]);
    return this.#toJob(job, data, merged, duplicates.has(0));
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
    this.#core.assertOpen();
    checkJobs(jobs);
    const merged = jobs.map((job) => withDefaults(this.#defaults, job.opts));
    const fresh = jobs.map(({ name, data }, index) => toNewJob(name, data, merged[index], this.#core.limits));
    const duplicates = await this.#core.enqueue(fresh);
    return fresh.map((job, index) =>
      this.#toJob(job, (jobs[index] as { data: Data }).data, merged[index], duplicates.has(index)),
    );
  }

  /**
   * Reads dead letters, oldest first, and does not move them.
   * @param limit the most that are read. Default 20
   */
  async peekDlq(limit = 20): Promise<DlqEntry[]> {
    checkLimit(limit);
    return this.#core.use((link, keys) => peekDlq(link, keys, limit));
  }

  /**
   * Moves dead letters back to the work stream, oldest first, with all attempts available again. Resolves with how many
   * were moved. Dead letters that cannot be decoded stay and do not count.
   * @param which how many at most (default 100), or a selection: `ids` of dead letters or of their jobs, a `reason`, and a
   * `limit` (default: all that match)
   */
  async replayDlq(which: number | (DlqSelection & { limit?: number }) = 100): Promise<number> {
    const given = typeof which === 'object' && (which as unknown) !== null ? which : { limit: which };
    const { limit = Infinity, ...selection } = checkOptions('replayDlq', replaySchema, given);
    checkLimit(limit);
    return this.#core.use((link, keys) => replayDlq(link, keys, selection, limit, this.#core.eventsCap));
  }

  /**
   * Deletes dead letters for good: by `ids` (of dead letters or of their jobs), by `reason`, or `all`. Resolves with how
   * many.
   * @throws ConfigError (CMQ-004) if nothing is selected: to delete all, pass `all: true`
   */
  async dropDlq(which: DlqSelection & { all?: boolean }): Promise<number> {
    const { all = false, ...selection } = checkOptions('dropDlq', dropSchema, which);
    if (all === (selection.ids !== undefined || selection.reason !== undefined)) {
      throw new ConfigError('dropDlq: give "ids", "reason" or both, or else { all: true }.');
    }
    return this.#core.use((link, keys) => dropDlq(link, keys, selection));
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
    return (await this.#core.use((link, keys) => removeJob(link, keys, jobId))) ? 1 : 0;
  }

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
    return this.#core.use((link, keys) => cancelJob(link, keys, jobId));
  }

  /**
   * Lists the schedules of the queue, ordered by their next fire, without their data.
   * @param limit the most that are listed. Default: all
   */
  async getRepeatableJobs(limit = Infinity): Promise<RepeatableJobMeta[]> {
    checkLimit(limit);
    const schedules = await this.#core.use((link, keys) => readSchedules(link, keys, limit));
    return schedules.map(toJobMeta);
  }

  /**
   * Asks whether this deployment may remove schedules of an owner. Resolves with false if a newer deployment has asked
   * before. If it resolves with true, older deployments get false from now on.
   *
   * @param owner as `owner` of {@link RepeatOptions}
   * @param generation a whole number that grows with each deployment
   */
  async claimRepeatables(owner: string, generation: number): Promise<boolean> {
    checkText('claimRepeatables: the owner', owner);
    checkWhole('claimRepeatables: the generation', generation);
    return this.#core.use(() => this.#core.declared.claim(owner, generation));
  }

  /** Removes a schedule. True if it was there. Jobs that it has already added stay. */
  async removeRepeatableByKey(key: string): Promise<boolean> {
    checkText('removeRepeatableByKey: the key', key);
    return this.#core.use(() => this.#core.declared.remove(key));
  }

  /** How many jobs wait, run and are late. One cheap call: its cost does not depend on the length of the queue. */
  async getBacklog(group = 'default'): Promise<Backlog> {
    checkText('getBacklog: the group', group);
    return this.#core.use((link, keys) => readBacklog(link, keys, { group }));
  }

  /** The address and the state of the shared connection. */
  get connectionInfo(): ConnectionInfo {
    return this.#core.link.info;
  }

  /**
   * Makes one round trip on the shared connection and resolves with its time in ms. Callers share a PING that is in flight,
   * so that calls do not pile up while Redis hangs.
   * @throws ConnectionError (CMQ-001)
   */
  async ping(): Promise<number> {
    return this.#core.use((link) => link.ping());
  }

  /** The stored return value of a job; undefined if nothing is stored. */
  async getJobResult(jobId: string): Promise<Result | undefined> {
    checkJobId(jobId);
    return (await this.#core.use(() => this.#core.results.get(jobId))) as Result | undefined;
  }

  /** @internal For `Job.waitForResult`. */
  async waitForResult(jobId: string, options: WaitForResultOptions = {}): Promise<unknown> {
    checkJobId(jobId);
    const checked = checkOptions('waitForResult', waitSchema, options);
    this.#core.assertOpen();
    return this.#core.results.wait(jobId, checked);
  }

  /** Resolves with false: a queue is never paused. */
  isPaused(): Promise<boolean> {
    return Promise.resolve(false);
  }

  /** Waits for calls in flight, then releases the connection. Idempotent. */
  close(): Promise<void> {
    return this.#core.close();
  }

  get isClosed(): boolean {
    return this.#core.isClosed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #toJob(
    job: NewJob,
    data: Data,
    opts: JobsOptions | undefined,
    duplicate: boolean,
  ): Job<Data, Result, Name> {
    const made = new Job<Data, Result, Name>(this, {
      id: job.id,
      name: job.name,
      data,
      opts: opts ?? {},
      attemptsMade: 0,
      timestamp: job.createdAtMs,
      delay: job.delayMs ?? 0,
    });
    if (duplicate) made.duplicate = true;
    return made;
  }

  async #addRepeatable(
    name: Name,
    data: Data,
    opts: JobsOptions & { repeat: RepeatOptions },
  ): Promise<Job<Data, Result, Name>> {
    checkJobOptions(opts, this.#core.limits);
    const spec = toRepeatableSpec(name, data, opts);
    const { key, outcome } = await this.#core.use(() => this.#core.declared.declare(spec));
    const job = { id: key, name, payload: Buffer.alloc(0), createdAtMs: Date.now(), attempt: 0 };
    return this.#toJob(job, data, opts, outcome === 'unchanged');
  }
}
