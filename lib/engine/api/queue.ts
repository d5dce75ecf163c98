import { EventEmitter } from 'node:events';
import type { QueueKeys } from '../../redis/keys.js';
import { readBacklog } from '../admin/backlog.js';
import type { Backlog } from '../admin/backlog.js';
import { cancelJob, removeJob } from '../admin/cancel.js';
import type { CancelOutcome } from '../admin/cancel.js';
import { observerOf } from '../connection/observe.js';
import type { ConnectionEventsMap } from '../connection/observe.js';
import type { ConnectionInfo } from '../connection/connections.js';
import { dropDlq, peekDlq, replayDlq } from '../admin/dlq.js';
import type { DlqEntry } from '../admin/dlq.js';
import type { NewJob } from '../enqueue/new-job.js';
import { ConfigError, ConfigTypeError, NotSupportedError } from '../base/errors.js';
import { Job } from '../job/job.js';
import type { JobOwner, JobType } from '../job/job.js';
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
import { claimRepeatables, listRepeatables } from '../timers/repeat/registry.js';
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

/** Listener arguments by event name. */
export interface QueueListenersMap extends ConnectionEventsMap {
  /** The connection is down: once for each outage. Without a listener it becomes a process warning. */
  error: [error: Error];
}

/**
 * The producing side of one queue. Connects on first use; give the queues and workers of an app the same `connection`
 * object and they share one connection.
 */
export class Queue<Data = unknown, Result = unknown, Name extends string = string>
  extends EventEmitter<QueueListenersMap>
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
    this.#core = new ProducerCore(name, opts, observerOf(this));
    this.keys = this.#core.keys;
  }

  /** As they were given. Printing the queue does not show them: there may be a password among them. */
  get opts(): QueueOptions {
    return this.#opts;
  }

  /**
   * Resolves when Redis answers and is new enough.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  async waitUntilReady(): Promise<void> {
    await this.#core.use(() => Promise.resolve());
  }

  /**
   * Adds one job. Adds of one tick share a round trip. With `jobId`, a live job of that id makes it a duplicate: nothing
   * is added, and the returned job says `duplicate: true`. With `repeat`, it registers a repeatable spec instead, and the
   * returned job bears the spec's key as its id; an unchanged one stays as it is, and `duplicate` is true.
   * @throws RangeError for a delay that is negative or not finite, TypeError for a blank `jobId` (both CMQ-004),
   * ConfigError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), QueueFullError (CMQ-006),
   * ConnectionError (CMQ-001; its `unknownOutcome` says whether the job may have been added all the same)
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
   * `add` that insists on a `jobId`: one live job per id, across processes, whatever path each add takes.
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
   * them, none is added. More than 2,000 jobs, or 4 MB, take several calls: if the connection is lost between them, a part
   * is added, and the error says how many.
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

  /** Up to `limit` dead letters, oldest first; they stay where they are. */
  async peekDlq(limit = 20): Promise<DlqEntry[]> {
    checkLimit(limit);
    return this.#core.use(() => peekDlq(this.#core.link, this.keys, limit));
  }

  /**
   * Moves dead letters back to the work stream with a fresh attempt budget, oldest first. Resolves with how many were
   * moved. Letters that cannot be decoded stay and do not count.
   * @param which at most so many (100), or which of them: by id of the letter or of its job, by reason, and how many
   */
  async replayDlq(which: number | (DlqSelection & { limit?: number }) = 100): Promise<number> {
    const given = typeof which === 'object' && (which as unknown) !== null ? which : { limit: which };
    const { limit = 100, ...selection } = checkOptions('replayDlq', replaySchema, given);
    checkLimit(limit);
    const { link, eventsCap } = this.#core;
    return this.#core.use(() => replayDlq(link, this.keys, selection, limit, eventsCap));
  }

  /**
   * Deletes dead letters for good: those with these ids (of letters or of their jobs), those with this reason, or `all`.
   * Resolves with how many.
   * @throws ConfigError (CMQ-004) where nothing is selected: all must be asked for by name
   */
  async dropDlq(which: DlqSelection & { all?: boolean }): Promise<number> {
    const { all = false, ...selection } = checkOptions('dropDlq', dropSchema, which);
    if (all === (selection.ids !== undefined || selection.reason !== undefined)) {
      throw new ConfigError('dropDlq: give "ids", "reason" or both, or else { all: true }.');
    }
    return this.#core.use(() => dropDlq(this.#core.link, this.keys, selection));
  }

  /**
   * Removes a job that no worker holds: one that is delayed, waits for a retry, or waits in the work stream. Resolves with
   * 1 if it was there (then it never runs, leaves nothing, and its id is free again), else with 0: a worker holds it, or
   * it has ended, or there never was one. With an id of the caller's (`jobId`) it costs the same whatever the queue
   * holds; any other id is searched for in the delayed set and in the work stream.
   * @throws TypeError for a blank id, ConfigError for one that is no text (both CMQ-004), ConnectionError (CMQ-001; where
   * its `unknownOutcome` is true, the job may have been removed), ShutdownError (CMQ-005)
   */
  async remove(jobId: string): Promise<number> {
    checkJobId(jobId);
    return this.#core.use(async () => ((await removeJob(this.#core.link, this.keys, jobId)) ? 1 : 0));
  }

  /**
   * Cancels a job wherever it is, also one that runs in another process. Resolves with what happened:
   * - `removed`: no worker held it. It is gone as by {@link Queue.remove}, and never runs.
   * - `signalled`: a worker holds it, and was told. If its handler has not been called, it never is. If it runs, its
   *   `signal` is aborted with a JobCancelledError (CMQ-012), mostly within a few ms, after 100 ms at most where the
   *   worker has just filled up. A handler that fails then is not tried again, and leaves no dead letter: the job ends
   *   with a `failed` event whose reason is `cancelled`, and its id is free again. A handler that completes all the same
   *   has completed. If the worker dies, or closes, the job does not run again either.
   * - `gone`: there is no live job of this id; it has ended, or never was.
   *
   * Cancelling twice is the same as once. Only workers of this package hear the signal.
   * @throws as `remove`
   */
  async cancel(jobId: string): Promise<CancelOutcome> {
    checkJobId(jobId);
    return this.#core.use(() => cancelJob(this.#core.link, this.keys, jobId));
  }

  /** Up to `limit` repeatable specs, by their next fire; without their data, so that listing thousands is cheap. */
  async getRepeatableJobs(limit = 100): Promise<RepeatableJobMeta[]> {
    checkLimit(limit);
    return this.#core.use(async () =>
      (await listRepeatables(this.#core.link, this.keys, limit)).map(toJobMeta),
    );
  }

  /**
   * Whether this deployment may decide which schedules of an owner there are: false where a newer one has asked before.
   * From then on, older ones are refused.
   *
   * @param owner as `owner` of {@link RepeatOptions}
   * @param generation a whole number that grows with each deployment
   */
  async claimRepeatables(owner: string, generation: number): Promise<boolean> {
    checkText('claimRepeatables: the owner', owner);
    checkWhole('claimRepeatables: the generation', generation);
    return this.#core.use(() => claimRepeatables(this.#core.link, this.keys, owner, generation));
  }

  /** Removes a repeatable spec; true if it was there. Jobs that it has fired already stay. */
  async removeRepeatableByKey(key: string): Promise<boolean> {
    checkText('removeRepeatableByKey: the key', key);
    return this.#core.use(() => this.#core.declared.remove(key));
  }

  /** How much there is to do, and what is late; one cheap call, whatever the queue holds. */
  async getBacklog(group = 'default'): Promise<Backlog> {
    checkText('getBacklog: the group', group);
    return this.#core.use(() => readBacklog(this.#core.link, this.keys, group));
  }

  /** Where the shared connection leads, and how it is. */
  get connectionInfo(): ConnectionInfo {
    return this.#core.link.info;
  }

  /**
   * One round trip on the shared connection; resolves with its time in ms. Callers share a PING that is under way, so
   * that they do not pile up while Redis hangs.
   * @throws ConnectionError (CMQ-001)
   */
  async ping(): Promise<number> {
    return this.#core.use(() => this.#core.link.ping());
  }

  /** The stored return value of a job; undefined if there is none (yet, any more, or at all). */
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

  /** Whether the queue is paused: it never is. */
  isPaused(): Promise<boolean> {
    return Promise.resolve(false);
  }

  /** @deprecated Refuses with CMQ-100. Follow jobs with QueueEvents; peekDlq() shows those that failed. */
  getJob(_jobId: string): Promise<Job<Data, Result, Name> | undefined> {
    return unsupported('getJob', 'Follow jobs with QueueEvents; peekDlq() shows those that failed.');
  }
  /** @deprecated Refuses with CMQ-100. Follow jobs with QueueEvents; peekDlq() shows those that failed. */
  getJobs(
    _types?: JobType | JobType[],
    _start?: number,
    _end?: number,
    _asc?: boolean,
  ): Promise<Job<Data, Result, Name>[]> {
    return unsupported('getJobs', 'Follow jobs with QueueEvents; peekDlq() shows those that failed.');
  }
  /** @deprecated Refuses with CMQ-100. getBacklog() tells how much there is to do. */
  getJobCounts(..._types: JobType[]): Promise<Record<string, number>> {
    return unsupported('getJobCounts', 'getBacklog() tells how much there is to do.');
  }
  /** @deprecated Refuses with CMQ-100. getBacklog() tells how much there is to do. */
  getWaitingCount(): Promise<number> {
    return unsupported('getWaitingCount', 'getBacklog() tells how much there is to do.');
  }
  /** @deprecated Refuses with CMQ-100. getBacklog() tells how much there is to do. */
  getActiveCount(): Promise<number> {
    return unsupported('getActiveCount', 'getBacklog() tells how much there is to do.');
  }
  /** @deprecated Refuses with CMQ-100. getBacklog() tells how much there is to do. */
  getDelayedCount(): Promise<number> {
    return unsupported('getDelayedCount', 'getBacklog() tells how much there is to do.');
  }
  /** @deprecated Refuses with CMQ-100. getBacklog() tells how many dead letters there are. */
  getFailedCount(): Promise<number> {
    return unsupported('getFailedCount', 'getBacklog() tells how many dead letters there are.');
  }
  /** @deprecated Refuses with CMQ-100. getBacklog() tells how much there is to do. */
  count(): Promise<number> {
    return unsupported('count', 'getBacklog() tells how much there is to do.');
  }
  /** @deprecated Refuses with CMQ-100. Close the workers. */
  pause(): Promise<void> {
    return unsupported('pause', 'Close the workers.');
  }
  /** @deprecated Refuses with CMQ-100. Start the workers. */
  resume(): Promise<void> {
    return unsupported('resume', 'Start the workers.');
  }
  /** @deprecated Refuses with CMQ-100. Let the workers run dry. */
  drain(_delayed?: boolean): Promise<void> {
    return unsupported('drain', 'Let the workers run dry.');
  }
  /** @deprecated Refuses with CMQ-100. Delete the keys {chasqui:<queue>}:* when no worker runs. */
  obliterate(_opts?: { force?: boolean; count?: number }): Promise<void> {
    return unsupported('obliterate', 'Delete the keys {chasqui:<queue>}:* when no worker runs.');
  }
  /** @deprecated Refuses with CMQ-100. Completed jobs are gone already; dropDlq() deletes those that failed. */
  clean(_grace: number, _limit: number, _type?: string): Promise<string[]> {
    return unsupported('clean', 'Completed jobs are gone already; dropDlq() deletes those that failed.');
  }

  /** Waits for calls under way, then lets go of the connection. Idempotent. */
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

function unsupported(method: string, instead: string): Promise<never> {
  return Promise.reject(new NotSupportedError(`Queue.${method} is not supported. ${instead}`));
}
