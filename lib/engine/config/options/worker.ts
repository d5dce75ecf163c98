import type { Clock } from '../../base/clock.js';
import type { MetricsSink } from '../../base/metrics.js';
import type { Telemetry } from '../../base/telemetry.js';
import { nested } from '../check-options.js';
import type { Schema } from '../check-options.js';
import {
  CONCURRENCY,
  anything,
  boolean,
  limitMs,
  ms,
  number,
  record,
  seconds,
  text,
  whole,
} from '../checks.js';
import type { Check } from '../checks.js';
import { connectionOption } from '../read-connection.js';
import { batch, batchingSchema } from './batches.js';
import type { BatchingOptions } from './batches.js';
import type { Connection } from './connection.js';
import { workerGroup } from './group.js';
import type { GroupLimits } from './group.js';
import { limitsSchema } from './job.js';
import type { TimeLimits } from './job.js';
import { rateLimitSchema } from './limits.js';
import type { RateLimit } from './limits.js';
import { removeOn } from './keep.js';
import type { RemoveOn } from './keep.js';
import { telemetry } from './telemetry.js';
import { useWorkerThreads, workerThreadsOptions } from './threads.js';
import type { NodeThreadOptions, ThreadOptions } from './threads.js';
import { schedulerSchema } from './timers.js';
import type { SchedulerConfig } from './timers.js';

export interface RetryConfig {
  /** Base delay of the first retry, in ms. Default 100. */
  initialBackoffMs?: number;
  /** Cap, in ms. Default 30,000. */
  maxBackoffMs?: number;
  /** Growth from one retry to the next. Default 2. */
  multiplier?: number;
  /** Symmetric jitter, in ms. Default 100, and at most a quarter of the delay that it changes. */
  jitterMs?: number;
}

/**
 * `(attempt, error) => ms`, or a promise of it that settles within 5 seconds. `attempt` is the one that has just failed,
 * from 1; `error` is what the handler threw. -1 fails the job now: it becomes a dead letter with the reason
 * `unrecoverable`. If the strategy throws, rejects, is late, or answers anything but a number between 0 and 2,592,000,000
 * (30 days), the worker emits an `error` event, and the job backs off exponentially.
 */
export type BackoffStrategy = (attempt: number, error: unknown) => number | Promise<number>;

/** Configuration of the consuming side; every field has a default. */
export interface ConsumerConfig extends TimeLimits {
  /**
   * Consumer group. All workers of a queue need the same one: each group gets every job, so with two groups each job runs
   * twice. Default `default`.
   *
   * Or, as in BullMQ Pro, the defaults of the groups of jobs: `{ concurrency, limit, strict }`. They are declared when the worker
   * starts, and stored in Redis: a worker without them obeys them too. `queue.setGroupDefaults` replaces them until others are
   * declared, and `queue.removeGroupDefaults` ends that. The worker then has the consumer group `default`.
   */
  group?: string | GroupLimits;
  /**
   * A label, such as the name of the deployment. Any number of processes may share it: the consumer in the group is
   * named `<label>-<uuid>;lease=<claimMinIdleMs>`, which is always unique. `worker.id` is that name. Default `c`.
   */
  consumerId?: string;
  /** Most entries fetched at once, or `concurrency` if that is larger. Default 64. */
  batch?: number;
  /** How long a read waits for work, in ms. Default 5,000. */
  blockMs?: number;
  /**
   * The lease, in ms: how long a job of this worker may go without a heartbeat before another worker takes it over.
   * Workers of one queue may have different leases: each job has the lease of the worker that runs it. Default 30,000.
   */
  claimMinIdleMs?: number;
  /** Handlers running at once, to begin with: `worker.concurrency` changes it. Default 100. */
  concurrency?: number;
  /**
   * So many jobs of the queue may start in any span of time of this length, in all workers together. It is declared when the
   * worker starts, and stored in Redis: a worker without it obeys it too. `queue.setGlobalRateLimit` replaces it until another
   * limit is declared, and `queue.removeGlobalRateLimit` ends that. Default: none.
   */
  limiter?: RateLimit;
  /** Total attempts of a job that does not set its own. Default 3. */
  maxAttempts?: number;
  /** Most jobs completed by one call. Default 256. */
  ackBatch?: number;
  /** Longest time before a running job is announced as `active`, in ms. Default 5. */
  ackIdleMs?: number;
  /** How long `close()` waits for running handlers, in seconds. `Infinity`: until they end. Default 30. */
  shutdownDeadlineSecs?: number;
  /** A job with a larger payload is dead-lettered before it is decoded. Default 1,048,576. */
  maxPayloadBytes?: number;
  /** Most jobs dead-lettered by one call. Default 32. */
  dlqInflight?: number;
  /** About how many dead letters are kept. 0 = all. Default 100,000. */
  dlqMaxStreamLen?: number;
  /** Backoff of jobs that do not set their own. Default: exponential, see `retry`. */
  retry?: RetryConfig;
  /** Most retries scheduled by one call. Default 64. */
  retryInflight?: number;
  /** Run a promoter beside the worker. Default true. */
  delayedEnabled?: boolean;
  /**
   * Longest time between two polls of the delayed set, in ms. The promoter sleeps until the next job is due, and an add
   * of an earlier job wakes it. This matters only if the process that was woken is stopped or dead, and if third-party
   * producers write to the set. Default 1,000.
   */
  delayedPollIntervalMs?: number;
  /** Most jobs that one call promotes. Default 256. */
  delayedPromoteBatch?: number;
  /** Accepted and ignored: a promotion is never refused, and the work stream is never trimmed. Default 1,000,000. */
  delayedMaxStreamLen?: number;
  /** Leader lease of the promoter, in seconds. Default 5. */
  delayedLockTtlSecs?: number;
  /** Write events to the events stream. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /**
   * When one step changes 16 jobs or more, write their events as one entry of the events stream. `QueueEvents` reads both
   * forms. Set it to false for readers in other languages: each event gets its own entry, and a job costs Redis about
   * twice as much. Default true.
   */
  eventsBatched?: boolean;
  /** Run a scheduler beside the worker. Default true. */
  runScheduler?: boolean;
  /** How the scheduler of this worker polls for due schedules. Default: see `scheduler`. */
  scheduler?: SchedulerConfig;
  /** Keep the return values of handlers. Default false. */
  storeResults?: boolean;
  /** How long return values are kept, in seconds. Default 3,600. */
  resultTtlSecs?: number;
  /**
   * Whether the worker accepts jobs of this name. The worker releases a job that it does not accept: no attempt is used,
   * and no event is written. Another worker may fetch the job after 500 ms. The wait doubles each time that the job comes
   * back to this worker, up to 30 seconds; then the worker emits an `error` (`CMQ-013`). Default: all.
   */
  accepts?: (name: string) => boolean;
  /**
   * The time limits of jobs by name. A limit that the job sets itself comes first; a limit that is not set here is the
   * worker's. The worker calls it before each run, so it must be fast. Default: none.
   */
  limitsOf?: (name: string) => TimeLimits | undefined;
  /**
   * Backoff functions by name. A job with `backoff: { type: '<name>' }` uses the function of that name; see
   * `BackoffStrategy`. Default: none.
   */
  backoffStrategies?: Record<string, BackoffStrategy>;
  /** What stays of a tracked job that says nothing about it itself. See {@link JobsOptions.removeOnComplete}. Default: all. */
  removeOnComplete?: RemoveOn;
  /** What stays of a job that fails for good and says nothing about it itself. See {@link JobsOptions.removeOnFail}. Default: a dead letter. */
  removeOnFail?: RemoveOn;
  /**
   * A sink: where the worker reports what it does. And, with `maxDataPoints`, whether it counts the jobs that end by the minute,
   * for `queue.getMetrics` and the dashboard. Default: nowhere, and no counts.
   */
  metrics?: MetricsSink & MetricsOptions;
  /** Traces and metrics: `new ChasquiTelemetry()` of `nestjs-chasqui/opentelemetry`. Default: none. */
  telemetry?: Telemetry;
  /** The clock for durations and for the times on jobs. Due times follow Redis's clock. Default: the system's. */
  clock?: Clock;
  /** How long a call may take before it fails with CMQ-001, in ms. Default 10,000. */
  commandTimeoutMs?: number;
  /** How long the first connection may take, in ms. Default 10,000. */
  connectTimeoutMs?: number;
}

/** Counts by the minute, as in BullMQ. */
export interface MetricsOptions {
  /**
   * For how many minutes the counts are kept, up to a year: 10,080 is a week. The same for all workers of a queue. Default: the
   * worker counts nothing.
   */
  maxDataPoints?: number;
}

/** Options of a `Worker`: the names that BullMQ has, every field of {@link ConsumerConfig}, and batches. */
export interface WorkerOptions extends ConsumerConfig, BatchingOptions {
  /** Where Redis is: a URL, options, or an ioredis client of your own. */
  connection: Connection;
  /** Start by itself, in the next microtask. Default true. */
  autorun?: boolean;
  /** Another name for `blockMs`, in ms. Default 5,000. */
  drainDelay?: number;
  /** Another name for `maxAttempts`. Default 3. */
  maxStalledCount?: number;
  /** Another name for `consumerId`: a label that any number of processes may share. Default `c`. */
  name?: string;
  /** Another name for `scheduler.tickIntervalMs`. Default 1,000. */
  schedulerTickMs?: number;
  /** How long return values are kept, in ms; rounded up to seconds. Default 3,600,000. */
  resultTtlMs?: number;
  /**
   * The threads that run the handlers, if the processor is a file. A file always runs in threads: `false` and `true` are the
   * same. A processor that is a function cannot run in threads. Default: see `useWorkerThreads`.
   */
  useWorkerThreads?: boolean | ThreadOptions;
  /** What Node's `new Worker` gets for each of these threads. Default: none. */
  workerThreadsOptions?: NodeThreadOptions;
  /** Accepted and ignored: keys always begin with `{chasqui:<queue>}`. Default: none. */
  prefix?: string;
}

/** Options of a `Consumer`. */
export interface StandaloneConsumerConfig extends ConsumerConfig {
  /** Default `default`. */
  queueName?: string;
}

const clock: Check = (value) =>
  typeof (value as Clock | undefined)?.now === 'function' && typeof (value as Clock).monotonic === 'function'
    ? undefined
    : 'must have now() and monotonic()';

const limitSecs: Check = (value) =>
  value === Infinity ? undefined : number(0)(value)?.replace('a finite number', 'a number');

const strategies: Check = (value) =>
  record(value) ??
  (Object.values(value as object).every((strategy) => typeof strategy === 'function')
    ? undefined
    : 'must map names to functions');

const retrySchema: Schema<RetryConfig> = {
  initialBackoffMs: ms(0),
  maxBackoffMs: ms(0),
  multiplier: number(0),
  jitterMs: ms(0),
};

/** A year of minutes. */
const MOST_POINTS = 525_600;

const metricsOption: Check = (value) => {
  const wrong = record(value);
  const { maxDataPoints } = (value ?? {}) as MetricsOptions;
  // A sink may be a proxy, which has a function under any name.
  if (wrong !== undefined || maxDataPoints === undefined || typeof maxDataPoints === 'function') return wrong;
  const points = whole(1, MOST_POINTS)(maxDataPoints);
  return points === undefined ? undefined : `has a wrong "maxDataPoints": it ${points}`;
};

export const consumerSchema: Schema<ConsumerConfig> = {
  group: workerGroup,
  consumerId: text,
  batch,
  blockMs: limitMs(1),
  claimMinIdleMs: ms(10),
  concurrency: CONCURRENCY,
  limiter: nested('limiter', rateLimitSchema, ['max', 'duration']),
  maxAttempts: whole(1),
  ackBatch: whole(1, 10_000),
  ackIdleMs: ms(0),
  shutdownDeadlineSecs: limitSecs,
  maxPayloadBytes: whole(1),
  dlqInflight: whole(1, 10_000),
  dlqMaxStreamLen: whole(0),
  retry: nested('retry', retrySchema),
  retryInflight: whole(1, 10_000),
  delayedEnabled: boolean,
  delayedPollIntervalMs: ms(1),
  delayedPromoteBatch: whole(1, 5_000),
  delayedMaxStreamLen: whole(0),
  delayedLockTtlSecs: seconds(0.05),
  eventsEnabled: boolean,
  eventsMaxStreamLen: whole(1),
  eventsBatched: boolean,
  runScheduler: boolean,
  scheduler: nested('scheduler', schedulerSchema),
  storeResults: boolean,
  resultTtlSecs: seconds(0.001),
  accepts: (value) => (typeof value === 'function' ? undefined : 'must be a function (name) => boolean'),
  limitsOf: (value) =>
    typeof value === 'function' ? undefined : 'must be a function (name) => { timeoutMs?, ttlMs?, expired? }',
  ...limitsSchema,
  backoffStrategies: strategies,
  removeOnComplete: removeOn('removeOnComplete'),
  removeOnFail: removeOn('removeOnFail'),
  metrics: metricsOption,
  telemetry,
  clock,
  commandTimeoutMs: limitMs(1),
  connectTimeoutMs: limitMs(1),
};

export const standaloneConsumerSchema: Schema<StandaloneConsumerConfig> = {
  ...consumerSchema,
  // checkQueueName checks it.
  queueName: anything,
};

export const workerSchema: Schema<WorkerOptions> = {
  ...consumerSchema,
  ...batchingSchema,
  connection: connectionOption,
  autorun: boolean,
  drainDelay: limitMs(1),
  maxStalledCount: whole(1),
  name: text,
  schedulerTickMs: ms(1),
  resultTtlMs: ms(1),
  useWorkerThreads,
  workerThreadsOptions,
  prefix: anything,
};
