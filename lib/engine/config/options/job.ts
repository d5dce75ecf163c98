import { MAX_NAME_BYTES } from '../check-arguments.js';
import { nested } from '../check-options.js';
import type { Schema } from '../check-options.js';
import { anything, limitMs, MOST_DELAY_MS, ms, number, oneOf, record, text, whole } from '../checks.js';
import type { Check } from '../checks.js';
import { deduplication } from './deduplication.js';
import type { DeduplicationOptions } from './deduplication.js';
import { jobGroup } from './group.js';
import type { JobGroup } from './group.js';
import { removeOn } from './keep.js';
import type { RemoveOn } from './keep.js';
import { prioritySchema } from './priority.js';
import { repeatSchema } from './repeat.js';
import type { RepeatOptions } from './repeat.js';

export interface BackoffOptions {
  /**
   * `fixed`, `exponential`, or the name of one of the worker's `backoffStrategies`. A worker that does not know the name
   * emits an `error` event and backs off exponentially.
   */
  type: 'fixed' | 'exponential' | (string & {});
  /** Base delay in ms, at most 30 days. It travels with the job. Default 100. */
  delay?: number;
  /** Cap on the computed backoff, in ms, at most 30 days. Default: the worker's `retry.maxBackoffMs`; a fixed delay has none. */
  maxDelay?: number;
  /** Growth for `exponential`: `delay * multiplier^(attempt - 1)`. Default: the worker's `retry.multiplier`. */
  multiplier?: number;
  /** Symmetric jitter in ms. Default: the worker's `retry.jitterMs`, or 100 and at most a quarter of the delay. */
  jitterMs?: number;
}

/** What becomes of a job that did not start within its `ttlMs`. */
export type ExpiredAction = 'dead-letter' | 'drop';

/** Time limits of a job. A job's own limits come first, then those of its `@OnJob`, then those of the worker. */
export interface TimeLimits {
  /**
   * Longest run of an attempt, in ms. At the end of it, the job's signal is aborted with JobTimeoutError (CMQ-014), and the
   * attempt fails with this error. Its retry may start while the handler still runs, so the handler must obey the signal.
   * `Infinity`: no limit. Default: none.
   */
  timeoutMs?: number;
  /**
   * How long the job may wait for its first start, in ms, from the time when it is ready to run: a delay does not count.
   * A job that has not started by then never starts; see `expired`. `Infinity`: no limit. Default: none.
   */
  ttlMs?: number;
  /**
   * What becomes of a job that did not start within `ttlMs`. `dead-letter`: it becomes a dead letter with the reason
   * `expired`. `drop`: it is deleted, and its event is `failed` with the reason `expired`. Default `dead-letter`.
   */
  expired?: ExpiredAction;
}

/** Options of one job. */
export interface JobsOptions extends TimeLimits {
  /** How long to wait before the job may run, in ms. A negative or not finite delay is a RangeError. Default 0. */
  delay?: number;
  /** Total attempts, the first included. Crashes of a worker count too. Default: the worker's `maxAttempts`. */
  attempts?: number;
  /** A number is a fixed delay in ms. Default: the worker's `retry`. */
  backoff?: number | BackoffOptions;
  /**
   * An id of your own: one live job per id, across processes. It stays taken for `dedupTtlMs` after the job has ended. At
   * most 512 bytes. Default: a ULID.
   */
  jobId?: string;
  /**
   * How long the id stays taken after the job has ended, in ms. 0 = it is free as soon as the job has ended. Only with
   * `jobId`. Default 3,600,000.
   */
  dedupTtlMs?: number;
  /**
   * Adds the job only if no other job has its deduplication id, or replaces that job, or waits for its end. Not together with
   * `jobId`, and not for a schedule. Default: none.
   */
  deduplication?: DeduplicationOptions;
  /** Submission time in unix ms. Default `Date.now()`. */
  timestamp?: number;
  /** Registers a schedule instead of adding a single job. Default: a single job. */
  repeat?: RepeatOptions;
  /** Key of the schedule. Default `<name>::<pattern signature>`. */
  repeatJobKey?: string;
  /**
   * What stays when the job completes, on a queue with `trackJobs`. `true`: the job is removed. `false`: it stays. A number:
   * so many completed jobs of the queue stay. `{ age, count }`: so many, for so many seconds. Other queues keep no completed
   * job, whatever this says. Default: as `trackJobs` of the queue says, else as the worker says, else all stay.
   */
  removeOnComplete?: RemoveOn;
  /**
   * What stays when the job fails for good. `true`: the job is removed and is no dead letter; its events report it. `false`:
   * it becomes a dead letter. A number: so many dead letters of the queue stay. `{ age, count }`: so many, for so many
   * seconds. An entry that cannot be decoded always becomes a dead letter. Default: as `trackJobs` of the queue says, else as
   * the worker says, else `false`.
   */
  removeOnFail?: RemoveOn;
  /** The most rows of its log that a tracked job keeps, the newest; 0 = all. Default 10,000. */
  keepLogs?: number;
  /**
   * 1 (runs first) to 2,097,152; 0 = none. Jobs without a priority run before jobs with one; jobs of one priority run in the
   * order in which they were added. Workers of earlier versions do not run jobs with a priority. Default 0.
   */
  priority?: number;
  /**
   * The job runs before all others that wait: last in, first out. Has no effect on a job with a `priority`. Workers of earlier
   * versions do not run such jobs. Default false.
   */
  lifo?: boolean;
  /**
   * The group of the job: groups take turns, so that no tenant waits for the jobs of another one. Not together with `priority` or
   * `lifo`. Workers of earlier versions do not run such jobs. Default: none.
   */
  group?: JobGroup;
  /** Not supported: NotSupportedError (CMQ-100). Default: none. */
  parent?: { id: string; queue: string };
}

export type BulkJobOptions = Omit<JobsOptions, 'repeat' | 'repeatJobKey'>;

/** Retry options of one job that a `Producer` adds. */
export interface JobRetryOverride {
  /** Total attempts. Default: the consumer's. */
  maxAttempts?: number;
  /** Default: the consumer's. */
  backoff?: BackoffOptions;
}

/** Options of one job that a `Producer` adds. */
export interface AddOptions {
  /** An id of your own: one live job per id. Default: a ULID. */
  id?: string;
  /** Adds the job only if no other job has its deduplication id. Not together with `id`. Default: none. */
  deduplication?: DeduplicationOptions;
  /** Attempts and backoff of this job. Default: the consumer's. */
  retry?: JobRetryOverride;
  /** Dispatch name, at most 256 bytes. Default: none. */
  name?: string;
}

const MOST_ATTEMPTS = 0xffffffff;

const backoffMs = whole(0, MOST_DELAY_MS);

const backoffSchema: Schema<BackoffOptions> = {
  type: (value) =>
    text(value) ??
    (Buffer.byteLength(value as string) > MAX_NAME_BYTES
      ? `must have at most ${String(MAX_NAME_BYTES)} bytes`
      : undefined),
  delay: backoffMs,
  maxDelay: backoffMs,
  multiplier: number(0),
  jitterMs: backoffMs,
};

const backoffObject = nested('backoff', backoffSchema, ['type']);

export const backoff: Check = Object.assign(
  (value: unknown) => {
    if (typeof value === 'number') return backoffMs(value);
    return record(value) && "must be a number of ms or an object such as { type: 'fixed', delay: 1000 }";
  },
  { read: (value: unknown) => (typeof value === 'number' ? value : backoffObject.read?.(value)) },
);

export const limitsSchema: Schema<TimeLimits> = {
  timeoutMs: limitMs(1),
  ttlMs: limitMs(1),
  expired: oneOf('dead-letter', 'drop'),
};

export const jobSchema: Schema<JobsOptions> = {
  ...limitsSchema,
  // checkDelay and checkJobId check them: their errors have other types.
  delay: anything,
  jobId: anything,
  attempts: whole(1, MOST_ATTEMPTS),
  backoff,
  dedupTtlMs: ms(0),
  deduplication,
  timestamp: whole(0),
  repeat: nested('repeat', repeatSchema),
  repeatJobKey: text,
  removeOnComplete: removeOn('removeOnComplete'),
  removeOnFail: removeOn('removeOnFail'),
  keepLogs: whole(0),
  ...prioritySchema,
  group: jobGroup,
  parent: anything,
};

export const addSchema: Schema<AddOptions> = {
  // checkJobId and checkJobName check them.
  id: anything,
  name: anything,
  deduplication,
  retry: nested<JobRetryOverride>('retry', { maxAttempts: whole(1, MOST_ATTEMPTS), backoff }),
};
