import type { JobsOptions, WaitForResultOptions } from '../config/options.js';
import { NotSupportedError } from '../base/errors.js';
import { EXTRAS } from '../codec/extras.js';
import type { Extras } from '../codec/extras.js';
import type { DlqReason } from '../base/metrics.js';

export type JobProgress = number | object;

export type JobState = 'waiting' | 'active' | 'completed' | 'failed' | 'delayed' | 'unknown';
export type JobType = JobState | 'paused' | 'prioritized' | 'waiting-children';

/** What a job needs of the queue or worker that it belongs to. */
export interface JobOwner {
  readonly name: string;
  /** Only on the producing side. */
  waitForResult?(jobId: string, options?: WaitForResultOptions): Promise<unknown>;
  /** Only in a worker. */
  reportProgress?(job: Job, progress: JobProgress): void;
  /** Only in a worker. */
  signalOf?(context: object): AbortSignal;
}

export interface JobInit<Data> {
  id: string;
  name: string;
  data: Data;
  opts: JobsOptions;
  attemptsMade: number;
  timestamp: number;
  delay: number;
  /** What the owner knows the job by. */
  context?: object;
}

/** What a processor receives, and what `Queue.add` returns. */
export class Job<Data = unknown, Result = unknown, Name extends string = string> {
  /** A ULID, or the id that the caller chose; of a repeatable upsert, the spec's key. */
  readonly id: string;
  /** Dispatch name; empty for a job without one. */
  readonly name: Name;
  data: Data;
  readonly opts: JobsOptions;
  /** From 1 inside a processor; 0 for a job that was just added. Crashed workers count. */
  attemptsMade: number;
  progress: JobProgress = 0;
  returnvalue: Result | undefined = undefined;
  failedReason: string | undefined = undefined;
  /**
   * In a worker's `failed` listener: why the job is now a dead letter (`retries_exhausted`, `unrecoverable`, …). Undefined
   * where it is tried again, and where it was cancelled.
   */
  deadLetterReason: DlqReason | undefined = undefined;
  /** In a worker's `failed` listener, of a job that is now a dead letter: the stack of its last error, if it has one. */
  stacktrace: string[] = [];
  /** Submission time, unix ms. */
  readonly timestamp: number;
  /** Delay asked for when it was added, in ms. */
  readonly delay: number;
  /** Always 0: streams are first in, first out. */
  readonly priority = 0;
  /** Unix ms at which this attempt started. */
  processedOn: number | undefined = undefined;
  /** Unix ms at which this attempt ended. */
  finishedOn: number | undefined = undefined;
  /** True when the add found a live job of this id: nothing was added, and this describes what was asked for. */
  duplicate = false;
  /** @internal Only of a job that has any. */
  declare [EXTRAS]?: Extras;
  readonly #owner: JobOwner;
  readonly #context: object | undefined;

  /** @internal */
  constructor(owner: JobOwner, init: JobInit<Data>) {
    this.#owner = owner;
    this.#context = init.context;
    this.id = init.id;
    this.name = init.name as Name;
    this.data = init.data;
    this.opts = init.opts;
    this.attemptsMade = init.attemptsMade;
    this.timestamp = init.timestamp;
    this.delay = init.delay;
  }

  get queueName(): string {
    return this.#owner.name;
  }

  /** The queue that added the job; undefined inside a processor. */
  get queue(): unknown {
    return this.#owner.waitForResult ? this.#owner : undefined;
  }

  /**
   * Inside a processor: aborted when its work no longer counts or should end — the job was cancelled
   * (JobCancelledError), the lease was lost (LeaseLostError), or the worker closes and the grace time is over
   * (ShutdownError). Made on first use.
   */
  get signal(): AbortSignal {
    if (!this.#context || !this.#owner.signalOf) {
      throw new NotSupportedError(
        'job.signal is for processors; a job that a Queue returned does not run here.',
      );
    }
    return this.#owner.signalOf(this.#context);
  }

  /** Reports progress to the worker's `progress` listeners. In memory only. */
  updateProgress(progress: JobProgress): Promise<void> {
    this.progress = progress;
    this.#owner.reportProgress?.(this, progress);
    return Promise.resolve();
  }

  /**
   * Waits for the stored result (`storeResults` on the worker).
   * @throws WaitForResultTimeoutError (CMQ-102); JobFailedError (CMQ-103); JobGoneError (CMQ-104) at once for a job that
   * was removed, or is no longer there; or the signal's reason.
   */
  async waitForResult(options?: WaitForResultOptions): Promise<Result | undefined> {
    if (!this.#owner.waitForResult) {
      throw new NotSupportedError(
        'waitForResult is for jobs that a Queue returned, not for those in a processor.',
      );
    }
    if (this.opts.repeat !== undefined) {
      throw new NotSupportedError('A schedule has no result: wait for the jobs that it fires.');
    }
    return (await this.#owner.waitForResult(this.id, options)) as Result | undefined;
  }

  isDelayed(): boolean {
    return this.delay > 0;
  }

  /** Plain snapshot for logs. */
  toJSON(): object {
    const { id, name, data, opts, attemptsMade, progress, returnvalue, failedReason, stacktrace } = this;
    const { timestamp, delay, priority, processedOn, finishedOn, queueName } = this;
    return {
      id,
      name,
      queueName,
      data,
      opts,
      attemptsMade,
      progress,
      returnvalue,
      failedReason,
      stacktrace,
      timestamp,
      delay,
      priority,
      processedOn,
      finishedOn,
    };
  }

  log(): Promise<never> {
    return unsupported('log', 'Use a logger with the job id.');
  }
  getState(): Promise<never> {
    return unsupported('getState', 'Listen with QueueEvents.');
  }
  remove(): Promise<never> {
    return unsupported(
      'remove',
      'Queue.remove(id) removes a job that has not started, Queue.cancel(id) one that runs.',
    );
  }
  retry(): Promise<never> {
    return unsupported('retry', 'Replay the dead letters: Queue.replayDlq().');
  }
  discard(): Promise<never> {
    return unsupported('discard', 'Throw an UnrecoverableError in the processor.');
  }
  update(): Promise<never> {
    return unsupported('update', 'A job does not change after it was added.');
  }
  updateData(): Promise<never> {
    return unsupported('updateData', 'A job does not change after it was added.');
  }
  isCompleted(): Promise<never> {
    return unsupported('isCompleted', 'Listen with QueueEvents.');
  }
  isFailed(): Promise<never> {
    return unsupported('isFailed', 'Listen with QueueEvents.');
  }
  isActive(): Promise<never> {
    return unsupported('isActive', 'Listen with QueueEvents.');
  }
  isWaiting(): Promise<never> {
    return unsupported('isWaiting', 'Listen with QueueEvents.');
  }
}

function unsupported(method: string, instead: string): Promise<never> {
  return Promise.reject(new NotSupportedError(`Job.${method} is not supported. ${instead}`));
}
