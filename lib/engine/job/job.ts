import type { JobsOptions, PriorityOptions, WaitForResultOptions } from '../config/options.js';
import { JobStateError, NotSupportedError } from '../base/errors.js';
import { toTime } from '../config/check-arguments.js';
import { EXTRAS, dedupIdOf } from '../codec/extras.js';
import type { Extras } from '../codec/extras.js';
import { readKeep } from '../codec/keep.js';
import type { Keep } from '../codec/keep.js';
import type { DlqReason } from '../base/metrics.js';
import type { AttemptRecord, JobProgress } from './attempts.js';
import type { JobActions, JobPlace, JobRef, ReportRef } from './job-actions.js';
import { harmless, jobOf } from './job-helpers.js';
import type { JobInit, JobOwner } from './job-owner.js';
import { jsonOf } from './job-json.js';
import type { JobState } from './job-state.js';
import { JobStates } from './job-states.js';

export type { JobInit, JobOwner } from './job-owner.js';
export type { JobState, JobType } from './job-state.js';

/** A job, as `Queue.add` returns it and as a processor receives it. */
export class Job<Data = unknown, Result = unknown, Name extends string = string> extends JobStates {
  /** A ULID, or the caller's `jobId`. For a schedule: its key. */
  readonly id: string;
  /** Dispatch name; empty if the job has none. */
  readonly name: Name;
  data: Data;
  /**
   * The options of the job. In a worker: only those that travel with the job, if it has its own. The worker's defaults
   * are not in it.
   */
  opts: JobsOptions;
  /** From 1 in a processor; 0 for a job that was just added. Attempts that ended in a crash of the worker count. */
  attemptsMade: number;
  progress: JobProgress = 0;
  returnvalue: Result | undefined = undefined;
  failedReason: string | undefined = undefined;
  /**
   * In a worker's `failed` listener: why the job is now a dead letter (`retries_exhausted`, `unrecoverable`, …). Undefined
   * if the job is retried, or was cancelled.
   */
  deadLetterReason: DlqReason | undefined = undefined;
  /**
   * In a worker's `failed` listener, for a dead letter: the stack of the last error, if there is one. Of a tracked job that a
   * queue has read: the stack of each failed attempt, oldest first.
   */
  stacktrace: string[] = [];
  /** Of a tracked job that a queue has read: its attempts, oldest first, those before a replay included. Else undefined. */
  declare attempts?: readonly AttemptRecord[];
  /** Of a job that a queue has read: the state in which it was then. `getState()` asks again. Else undefined. */
  declare state?: JobState;
  /** Of a tracked job that a queue has read: the id of the worker that ran its last attempt. Else undefined. */
  declare processedBy?: string;
  /** Submission time, unix ms. */
  readonly timestamp: number;
  /** The delay with which `add` added it, in ms. In a worker: 0, because the delay is over and does not travel with the job. */
  delay: number;
  /** Unix ms at which this attempt started. */
  processedOn: number | undefined = undefined;
  /** Unix ms at which this attempt ended. */
  finishedOn: number | undefined = undefined;
  /** True if a live job had this id: nothing was added, and this object describes the add. */
  duplicate = false;
  /** @internal Set only if the job has extras. */
  declare [EXTRAS]?: Extras;
  readonly #owner: JobOwner;
  readonly #context: object | undefined;
  readonly #place: JobPlace | undefined;

  /** @internal */
  constructor(owner: JobOwner, init: JobInit<Data>) {
    super();
    this.#owner = owner;
    this.#context = init.context;
    this.#place = init.place;
    this.id = init.id;
    this.name = init.name as Name;
    this.data = init.data;
    this.opts = init.opts;
    this.attemptsMade = init.attemptsMade;
    this.timestamp = init.timestamp;
    this.delay = init.delay;
  }

  /** The id of its option `deduplication`; undefined if it has none. */
  get deduplicationId(): string | undefined {
    return dedupIdOf(this) ?? this.opts.deduplication?.id;
  }

  /** From 1, which runs first, to 2,097,152; 0 = no priority. Of a job in a group: its priority there. */
  get priority(): number {
    return (this.opts.group ?? this.opts).priority ?? 0;
  }

  /** The id of its group; undefined if it has none. */
  get groupId(): string | undefined {
    return this.opts.group?.id;
  }

  get queueName(): string {
    return this.#owner.name;
  }

  /** The queue that added the job; undefined inside a processor. */
  get queue(): unknown {
    return this.#owner.waitForResult ? this.#owner : undefined;
  }

  /**
   * In a processor: aborted when the handler should stop, because the job was cancelled (JobCancelledError), the lease was
   * lost (LeaseLostError), or the worker is closing and its grace time is over (ShutdownError). Created on first use.
   */
  get signal(): AbortSignal {
    if (!this.#context || !this.#owner.signalOf) {
      throw new NotSupportedError(
        'job.signal exists only in a processor: a job that a Queue returned does not run here.',
      );
    }
    return this.#owner.signalOf(this.#context);
  }

  /**
   * Reports progress: to the `progress` listeners of the worker at once, and to those of `QueueEvents`. Progress of a tracked job
   * is stored too; `getJob` returns it. Resolves when Redis has it. While a report is on its way, only the newest of the next
   * ones is sent. In a handler, it never fails because of Redis: what is lost is an `error` event of the worker, once.
   * @param progress anything that JSON has, of at most 65,536 bytes
   * @throws EncodeError (CMQ-002), ConfigTypeError (CMQ-004), PayloadTooLargeError (CMQ-023); for a tracked job
   * JobNotFoundError (CMQ-106) if it is not this worker's any more, and outside of its handler ConnectionError (CMQ-001)
   */
  updateProgress(progress: JobProgress): Promise<void> {
    const sent = this.#owner.actions?.updateProgress(this.#reported, progress) ?? Promise.resolve();
    this.progress = progress;
    this.#owner.reportProgress?.(this, progress);
    return harmless(sent);
  }

  /**
   * Adds a row to the log of the job. Resolves with how many rows the log has. A job that is not tracked has no log: then the row
   * is an event of `QueueEvents`, and this resolves with 0. In a handler, it never fails because of Redis: of a row that is lost,
   * it resolves with 0, and the worker emits `error`, once.
   * @param row at most 32,768 characters; a longer one is cut
   * @throws ConfigTypeError (CMQ-004); for a tracked job JobNotFoundError (CMQ-106) if it is not this worker's any more, and
   * outside of its handler ConnectionError (CMQ-001)
   */
  log(row: string): Promise<number> {
    const keepLogs = this.#keep?.keepLogs ?? this.opts.keepLogs;
    return harmless(this.#owner.actions?.log(this.#reported, row, keepLogs) ?? Promise.resolve(0));
  }

  /** Deletes the log of the job, or all but its newest rows. */
  async clearLogs(keepLogs?: number): Promise<void> {
    await this.#owner.actions?.clearLogs(this.id, keepLogs);
  }

  /**
   * Waits for the stored result (`storeResults` on the worker).
   * @throws WaitForResultTimeoutError (CMQ-102); JobFailedError (CMQ-103); JobGoneError (CMQ-104) at once if the job was
   * removed or no longer exists; or the reason of the signal
   */
  async waitForResult(options?: WaitForResultOptions): Promise<Result | undefined> {
    if (!this.#owner.waitForResult) {
      throw new NotSupportedError(
        'waitForResult exists only on a job that a Queue returned, not in a processor.',
      );
    }
    if (this.opts.repeat !== undefined) {
      throw new NotSupportedError('A schedule has no result: wait for the jobs that it adds.');
    }
    return (await this.#owner.waitForResult(this.id, options)) as Result | undefined;
  }

  /**
   * Removes the job, unless it is active: it waits, is delayed, has failed, or is kept after its completion.
   * @throws JobStateError (CMQ-107) for an active job: `Queue.cancel(id)` ends it; JobNotFoundError (CMQ-106)
   */
  async remove(): Promise<void> {
    await this.#actions('remove').remove(this.#ref);
  }

  /**
   * Lets a delayed job wait for a worker now.
   * @throws JobStateError (CMQ-107) unless the job is delayed, JobNotFoundError (CMQ-106)
   */
  async promote(): Promise<void> {
    await this.#actions('promote').promote(this.#ref);
    this.delay = 0;
  }

  /**
   * Changes when a delayed job is due.
   * @param delay ms from now
   * @throws RangeError (CMQ-004) for a delay that `add` would refuse; JobStateError (CMQ-107) unless the job is
   * delayed; JobNotFoundError (CMQ-106)
   */
  async changeDelay(delay: number): Promise<void> {
    await this.#actions('changeDelay').changeDelay(this.#ref, delay);
    this.delay = delay;
  }

  /**
   * Gives a job that waits or is delayed another priority: it goes behind all waiting jobs of that priority. A job that has that
   * priority already stays where it is. Without `priority` and `lifo`, it has none. Both count inside the group of a job that has
   * one.
   * @throws ConfigError (CMQ-004) for a priority that is not from 0 to 2,097,152; JobStateError (CMQ-107) for a job that is
   * active or has ended; JobNotFoundError (CMQ-106)
   */
  async changePriority(options: PriorityOptions): Promise<void> {
    await this.#actions('changePriority').changePriority(this.#ref, options);
    const { priority = 0, lifo = false } = options;
    const { group } = this.opts;
    this.opts = group ? { ...this.opts, group: { ...group, priority } } : { ...this.opts, priority, lifo };
  }

  /**
   * Delays a job that waits or is delayed. In a processor, on its own job: puts the job into the delayed set as soon as the
   * processor has ended. That uses no attempt and is no failure: throw a {@link DelayedError} after it to end the run. Whatever
   * else the processor returns or throws, and if its time limit ends it, the job is moved all the same; only a cancellation
   * comes first.
   * @param timestamp when the job is due, a Date or unix ms; in the past = at once
   * @param _token accepted and ignored: the worker knows its lease
   * @throws TypeError or ConfigError (CMQ-004); JobStateError (CMQ-107), also if the run is over; JobNotFoundError (CMQ-106)
   */
  async moveToDelayed(timestamp: number | Date, _token?: string): Promise<void> {
    const dueAt = toTime('moveToDelayed: the timestamp', timestamp);
    if (this.#context && this.#owner.moveToDelayed) {
      this.#owner.moveToDelayed(this.#context, dueAt);
      return;
    }
    await this.#actions('moveToDelayed').moveToDelayed(this.#ref, dueAt);
    this.delay = Math.max(0, dueAt - Date.now());
  }

  /**
   * Moves a dead letter of this job back to the work stream, with all attempts available again. With `completed`, runs a kept
   * job again that has completed.
   * @throws JobStateError (CMQ-107) unless the job has ended in that state, or if another live job has its id, or
   * its deduplication id: the message names that job;
   * JobNotFoundError (CMQ-106)
   */
  async retry(state: 'failed' | 'completed' = 'failed'): Promise<void> {
    await this.#actions('retry').retry({ ...this.#ref, dedupId: this.deduplicationId }, state);
    this.attemptsMade = 0;
    this.failedReason = undefined;
    this.returnvalue = undefined;
    this.finishedOn = undefined;
    this.processedOn = undefined;
  }

  /**
   * Replaces the data of a job that waits, is delayed or has failed. A delayed job keeps its time. A waiting job moves to the end
   * of the queue, and a dead letter to the end of the dead letters, because entries of a stream cannot change.
   * @throws EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), JobStateError (CMQ-107) for a job that is active or has
   * completed, JobNotFoundError (CMQ-106). Nothing is changed then.
   */
  async updateData(data: Data): Promise<void> {
    await this.#actions('updateData').updateData(this.#ref, data);
    this.data = data;
  }

  /** The same as `updateData`, by its former name in BullMQ. */
  async update(data: Data): Promise<void> {
    await this.updateData(data);
  }

  /**
   * Frees the deduplication id of this job, if the job has it. The next add with this id adds a job.
   * @returns false if the id was free, or another job has it
   */
  async removeDeduplicationKey(): Promise<boolean> {
    const { deduplicationId: id } = this;
    return id !== undefined && this.#actions('removeDeduplicationKey').removeDeduplicationKey(this.id, id);
  }

  get #keep(): Keep | undefined {
    return readKeep(this[EXTRAS]?.keep);
  }

  get #reported(): ReportRef {
    const { id, name } = this;
    if (!this.#context || !this.#owner.entryIdOf) return { id, name, isTracked: undefined };
    const entryId = this.#owner.entryIdOf(this.#context);
    return { id, name, isTracked: this.#keep?.tracked === true, entryId };
  }

  /** @internal Where it was when it was read. */
  get place(): JobPlace | undefined {
    return this.#place;
  }

  get #ref(): JobRef {
    return { id: this.id, ...this.#place };
  }

  /**
   * In a processor: if this run fails, the job becomes a dead letter (`unrecoverable`), with no further attempt. The next
   * run of the job, for example after a replay, does not remember it.
   * @throws JobStateError (CMQ-107) if the job does not run here, or its run is over
   */
  discard(): void {
    if (!this.#context || !this.#owner.discard) throw this.#notHere('discard');
    this.#owner.discard(this.#context);
  }

  /**
   * In a processor: this attempt of the job fails with the error, whatever the processor returns or throws. In a batch, it
   * fails this job alone. The job ends when the processor does. A second call changes nothing.
   * @param error as a processor throws it: with an `UnrecoverableError`, there is no further attempt
   * @throws JobStateError (CMQ-107) if the job does not run here, or its run is over
   */
  fail(error: unknown): void {
    if (!this.#context || !this.#owner.fail) throw this.#notHere('fail');
    this.#owner.fail(this.#context, error);
  }

  /** The same as `fail`, by its name in BullMQ Pro. */
  setAsFailed(error: unknown): void {
    this.fail(error);
  }

  #notHere(method: string): JobStateError {
    const instead = 'Call it in the processor of a worker, on the job that it gets.';
    return new JobStateError(this.id, this.queueName, 'unknown', method, instead);
  }

  #actions(method: string): JobActions {
    const { actions } = this.#owner;
    if (actions) return actions;
    throw new NotSupportedError(`Job.${method} needs Redis, and the owner of this job has none.`);
  }

  /**
   * Asks Redis for the state of the job. `unknown` if it has ended and nothing of it is kept, was removed, or never existed. An id
   * without a marker is searched for: see `Queue.getJob`.
   * @throws ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async getState(): Promise<JobState> {
    return this.#actions('getState').getState(this.id);
  }

  /** The job of an id, as `queue.getJob(jobId)`. */
  static fromId<Data = unknown, Result = unknown, Name extends string = string>(
    queue: { getJob(jobId: string): Promise<Job<Data, Result, Name> | undefined> },
    jobId: string,
  ): Promise<Job<Data, Result, Name> | undefined> {
    return jobOf(queue, jobId);
  }

  /** A plain object, for logs. */
  toJSON(): object {
    return jsonOf(this);
  }
}
