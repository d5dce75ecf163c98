import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import type { DlqReason, MetricsSink } from '../base/metrics.js';
import type { Clock } from '../base/clock.js';

/**
 * How to reach Redis. Everything that ioredis takes is passed on to it whole. A user's own ioredis client (`Redis` or
 * `Cluster`) is used for commands as it is and never closed by us.
 *
 * One options object means one shared command connection: give the same object to every queue and worker of an app.
 */
export type Connection = string | ConnectionOptions | Redis | Cluster;

export interface ConnectionOptions extends RedisOptions {
  /**
   * `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS. Other fields override its parts. Default: none;
   * `host` and `port` say where Redis is.
   */
  url?: string;
  /**
   * Seed nodes of a Redis Cluster. The other fields become the options of each node's connection. Default: not a
   * cluster.
   */
  cluster?: ClusterNode[];
  /**
   * Options of the cluster client itself. Only with `cluster`. Default: those of ioredis, with nodes that reconnect.
   */
  clusterOptions?: ClusterOptions;
}

export interface BackoffOptions {
  /**
   * `fixed`, `exponential`, or the name of one of the worker's `backoffStrategies`. A worker that does not know the name
   * reports it as an `error` event, and backs off exponentially.
   */
  type: 'fixed' | 'exponential' | (string & {});
  /** Base delay in ms. Default 100: it travels with the job. */
  delay?: number;
  /** Cap on the computed backoff, in ms. Default: the worker's `retry.maxBackoffMs`. */
  maxDelay?: number;
  /** Growth for `exponential`: `delay * multiplier^(attempt - 1)`. Default: the worker's `retry.multiplier`. */
  multiplier?: number;
  /** Symmetric jitter in ms. Default: the worker's `retry.jitterMs`, or 100 and at most a quarter of the delay. */
  jitterMs?: number;
}

export type MissedFiresOption =
  { kind: 'skip' } | { kind: 'fire-once' } | { kind: 'fire-all'; maxCatchup: number };

export interface RepeatOptions {
  /** Cron expression of 5 or 6 fields. Give either `pattern` or `every`. Default: none. */
  pattern?: string;
  /** Fixed interval in ms. Give either `pattern` or `every`. Default: none. */
  every?: number;
  /** Total number of fires. Then the schedule is removed. Default: no limit. */
  limit?: number;
  /** Accepted and ignored. Default false. */
  immediately?: boolean;
  /**
   * No fire before it: a Date, unix ms, or text that `Date.parse` reads. If it is in the future, `every` counts from
   * it. Default: now.
   */
  startDate?: Date | string | number;
  /** No fire after it; then the schedule is removed. A date in the past is a ConfigError. Default: none. */
  endDate?: Date | string | number;
  /** `UTC`, `Z`, `+05:30`, or an IANA name. Default UTC. Ignored with `every`. */
  tz?: string;
  /** Accepted and ignored. Default: none. */
  jobId?: string;
  /** What to do about fires missed while no scheduler ran. Default `{ kind: 'skip' }`. */
  missedFires?: MissedFiresOption;
  /** Let a slot pass while the job of an earlier one waits, runs or is retried. Default false. */
  skipIfRunning?: boolean;
  /** The application that declares the schedule, for its own use and for lists. At most 256 bytes. Default: none. */
  owner?: string;
}

/** A repeatable spec as `Queue.getRepeatableJobs` lists it. */
export interface RepeatableJobMeta {
  key: string;
  jobName: string;
  patternKind: 'cron' | 'every';
  /** Only of `cron`. */
  pattern?: string;
  tz?: string;
  /** Only of `every`, in ms. */
  every?: number;
  /** The next slot, in unix ms. */
  nextFireMs: number;
  /** Fires so far. */
  fired: number;
  limit?: number;
  startAfterMs?: number;
  endBeforeMs?: number;
  missedFires?: MissedFiresOption;
  skipIfRunning?: boolean;
  /** The application that declared it, where it said so. */
  owner?: string;
}

/** Options of one job. */
export interface JobsOptions {
  /** How long to wait before the job may run, in ms. Default 0. Negative or not finite: RangeError. */
  delay?: number;
  /** Total attempts, the first included; crashes of a worker count too. Default: the worker's `maxAttempts`. */
  attempts?: number;
  /** A number is a fixed delay in ms. Default: the worker's `retry`. */
  backoff?: number | BackoffOptions;
  /**
   * An id of your own: one live job per id, across processes. It stays taken for `dedupTtlMs` after the job has ended. At
   * most 512 bytes. Default: a ULID.
   */
  jobId?: string;
  /**
   * For how long the id stays taken after the job has ended, in ms. 0 = it is free as soon as the job has ended. Default
   * 3,600,000. Only with `jobId`.
   */
  dedupTtlMs?: number;
  /** Submission time in unix ms. Default `Date.now()`. */
  timestamp?: number;
  /** Registers a schedule instead of adding a single job. Default: a single job. */
  repeat?: RepeatOptions;
  /** Key of the repeatable spec. Default `<name>::<pattern signature>`. */
  repeatJobKey?: string;
  /** Accepted and ignored: completed jobs are always removed. Default true. */
  removeOnComplete?: boolean | number;
  /** Accepted and ignored: failed jobs always become dead letters. Default false. */
  removeOnFail?: boolean | number;
  /** Accepted and ignored, with one warning: jobs run in the order in which they were added. Default: none. */
  priority?: number;
  /** Accepted and ignored, with one warning: jobs run in the order in which they were added. Default false. */
  lifo?: boolean;
  /** Not supported: NotSupportedError (CMQ-100). Default: none. */
  parent?: { id: string; queue: string };
}

export type BulkJobOptions = Omit<JobsOptions, 'repeat' | 'repeatJobKey'>;

export interface QueueOptions {
  /** Where Redis is: a URL, options, or an ioredis client of your own. */
  connection: Connection;
  /** Accepted and ignored: keys always begin with `{chasqui:<queue>}`. Default: none. */
  prefix?: string;
  /** Options of every job that this queue adds. Options of the add itself override them. Default: none. */
  defaultJobOptions?: Partial<JobsOptions>;
  /** Capacity of the work stream; an add above it is refused whole (CMQ-006). Default 1,000,000; 0 = no bound. */
  maxStreamLen?: number;
  /** Largest accepted delay, in seconds. Default 2,592,000 (30 days). */
  maxDelaySecs?: number;
  /** Largest payload in bytes of MessagePack. Default 1,048,576. */
  maxPayloadBytes?: number;
  /** Announce `waiting` and `delayed` on the events stream. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /** See {@link ConsumerConfig.eventsBatched}. Default true. */
  eventsBatched?: boolean;
  /**
   * Wait (Redis's WAIT) until so many replicas have an add; one that is not confirmed in time rejects with
   * DurabilityError (CMQ-008), though the job is there. Default: do not wait. Not on a cluster.
   */
  durability?: DurabilityOptions;
  /** How long a call may take before it fails with CMQ-001, in ms. `Infinity`: no limit. Default 10,000. */
  commandTimeoutMs?: number;
  /** How long the first connection may take, in ms. `Infinity`: no limit. Default 10,000. */
  connectTimeoutMs?: number;
}

/** How many replicas must have an add before it counts, and how long to wait for them. */
export interface DurabilityOptions {
  /** How many replicas must have an add. */
  replicas: number;
  /** Most time to wait, in ms. The shared command connection waits with it. */
  timeoutMs: number;
}

export interface RetryConfig {
  /** Base delay of the first retry, in ms. Default 100. */
  initialBackoffMs?: number;
  /** Cap, in ms. Default 30,000. */
  maxBackoffMs?: number;
  /** Default 2. */
  multiplier?: number;
  /** Symmetric jitter, in ms. Default 100, and at most a quarter of the delay that it changes. */
  jitterMs?: number;
}

export interface SchedulerConfig {
  /** Lower bound between two looks at the schedule, in ms. Default 1,000. */
  tickIntervalMs?: number;
  /** Specs taken up at once. Default 256. */
  batch?: number;
  /** Accepted; a fire is never refused, and the work stream never trimmed. Default 1,000,000. */
  maxStreamLen?: number;
  /** Leader lease in seconds. Default 5. */
  lockTtlSecs?: number;
  /** Default `s-<uuid>`. */
  holderId?: string;
}

/**
 * `(attempt, error) => ms`, or a promise of it within 5 seconds: attempt is the one that has just failed, from 1, and
 * `error` what the handler threw. -1 fails the job now: it becomes a dead letter with the reason `unrecoverable`. Any
 * other answer that is not a finite number of at least 0 is reported as an `error` event of the worker, as is an error of
 * the strategy itself, and the job backs off exponentially.
 */
export type BackoffStrategy = (attempt: number, error: unknown) => number | Promise<number>;

/** Configuration of the consuming side; every field has a default. */
export interface ConsumerConfig {
  /** Consumer group. Default `default`. */
  group?: string;
  /**
   * A label, such as the name of the deployment; any number of processes may have the same. The consumer in the group is
   * named `<label>-<uuid>;lease=<claimMinIdleMs>`, so it is always unique: `worker.id` tells it. Default `c`.
   */
  consumerId?: string;
  /** Most entries fetched at once. Default 64. Up to `concurrency` if that is larger. */
  batch?: number;
  /** How long a read waits for work, in ms. Default 5,000. */
  blockMs?: number;
  /**
   * The lease: how long a job of this worker may go without a heartbeat before another worker takes it over. Default
   * 30,000 ms. Workers of one queue may have different leases: each job has that of the worker that runs it.
   */
  claimMinIdleMs?: number;
  /** Handlers running at once. Default 100. */
  concurrency?: number;
  /** Total attempts of a job that does not say otherwise. Default 3. */
  maxAttempts?: number;
  /** Most jobs completed by one call. Default 256. */
  ackBatch?: number;
  /** Longest time before a running job is announced as `active`, in ms. Default 5. */
  ackIdleMs?: number;
  /** How long `close()` waits for running handlers, in seconds. `Infinity`: until they end. Default 30. */
  shutdownDeadlineSecs?: number;
  /** Larger payloads go to the dead letters unseen. Default 1,048,576. */
  maxPayloadBytes?: number;
  /** Most jobs dead-lettered by one call. Default 32. */
  dlqInflight?: number;
  /** About how many dead letters are kept. Default 100,000; 0 = all. */
  dlqMaxStreamLen?: number;
  /** Backoff of jobs that do not have their own. Default: exponential, see `retry`. */
  retry?: RetryConfig;
  /** Most retries scheduled by one call. Default 64. */
  retryInflight?: number;
  /** Run a promoter beside the worker. Default true. */
  delayedEnabled?: boolean;
  /**
   * Longest time between two looks at the delayed set, in ms. The promoter sleeps until the next job is due and is woken
   * for an earlier one, so this matters only where the process that was woken is stopped or dead, and where third-party
   * producers write to the set. Default 1,000.
   */
  delayedPollIntervalMs?: number;
  /** Most promotions a call. Default 256. */
  delayedPromoteBatch?: number;
  /** Accepted; promotion is never refused, and the work stream never trimmed. Default 1,000,000. */
  delayedMaxStreamLen?: number;
  /** Leader lease of the promoter, in seconds. Default 5. */
  delayedLockTtlSecs?: number;
  /** Announce on the events stream. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /**
   * Events of 16 jobs and more that one step changes share an entry of the events stream, which `QueueEvents` reads like
   * any other. False = an entry for each event, as readers of the stream in another language need it; it costs Redis
   * about twice as much for a job. Default true.
   */
  eventsBatched?: boolean;
  /** Run a scheduler beside the worker. Default true. */
  runScheduler?: boolean;
  /** How the scheduler of this worker looks for due schedules. Default: see `scheduler`. */
  scheduler?: SchedulerConfig;
  /** Keep handlers' return values. Default false. */
  storeResults?: boolean;
  /** How long they are kept, in seconds. Default 3,600. */
  resultTtlSecs?: number;
  /**
   * Whether the worker takes jobs of this name. One that it does not take goes back to the queue, with no attempt used and
   * no event, for another worker: after 500 ms, and after twice as long each time that it comes here again, up to 30
   * seconds; then the worker emits an `error` (`CMQ-013`). Default: all.
   */
  accepts?: (name: string) => boolean;
  /**
   * Backoff functions by name. A job with `backoff: { type: '<name>' }` asks the function of that name; see
   * `BackoffStrategy`. Default: none.
   */
  backoffStrategies?: Record<string, BackoffStrategy>;
  /** Where the worker reports what it does. Default: nowhere. */
  metrics?: MetricsSink;
  /** The clock for durations and for the times on jobs. Due times follow Redis's clock. Default: the system's. */
  clock?: Clock;
  /** How long a call may take before it fails with CMQ-001, in ms. Default 10,000. */
  commandTimeoutMs?: number;
  /** How long the first connection may take, in ms. Default 10,000. */
  connectTimeoutMs?: number;
}

/** Options of a `Worker`: the common names, and every field of {@link ConsumerConfig}. */
export interface WorkerOptions extends ConsumerConfig {
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
  /** How long results are kept, in ms; rounded up to seconds. Default 3,600,000. */
  resultTtlMs?: number;
  /** Accepted and ignored: completed jobs are always removed. Default true. */
  removeOnComplete?: unknown;
  /** Accepted and ignored: failed jobs always become dead letters. Default false. */
  removeOnFail?: unknown;
  /** Accepted and ignored: keys always begin with `{chasqui:<queue>}`. Default: none. */
  prefix?: string;
}

export interface QueueEventsOptions {
  /** Where Redis is: a URL, options, or an ioredis client of your own. */
  connection: Connection;
  /** Accepted and ignored: keys always begin with `{chasqui:<queue>}`. Default: none. */
  prefix?: string;
  /** Start by itself, in the next microtask. Default true. */
  autorun?: boolean;
  /**
   * Where to start: `$` = only new events, `0` = all events that are kept, or the id of an event to start after.
   * Default `$`.
   */
  lastEventId?: string;
  /** How long a read waits, in ms. Default 10,000. */
  blockingTimeout?: number;
  /** How long the first connection may take, in ms. Default 10,000. */
  connectTimeoutMs?: number;
}

export interface WaitForResultOptions {
  /** In ms. `Infinity`: no limit. Default 30,000. */
  timeoutMs?: number;
  /** Accepted for compatibility; waiting is woken by the event. Default 100. */
  intervalMs?: number;
  /** Ends the wait early, with the signal's reason. Default: none. */
  signal?: AbortSignal;
}

/** Options of a `Producer`. */
export interface ProducerConfig extends Omit<QueueOptions, 'connection' | 'prefix' | 'defaultJobOptions'> {
  /** Default `default`. */
  queueName?: string;
  /** Accepted; one pipelined connection serves all calls. Default 8. */
  poolSize?: number;
}

/** Options of a `Consumer`. */
export interface StandaloneConsumerConfig extends ConsumerConfig {
  /** Default `default`. */
  queueName?: string;
}

/** Options of a `Promoter` in a process of its own. */
export interface PromoterConfig {
  /** Default `default`. */
  queueName?: string;
  /** Consumer group whose wake entries it takes. Default `default`. */
  group?: string;
  /** Longest time between two looks, in ms; see {@link ConsumerConfig.delayedPollIntervalMs}. Default 1,000. */
  pollIntervalMs?: number;
  /** Most promotions a call. Default 256. */
  promoteBatch?: number;
  /** Accepted; promotion is never refused. Default 1,000,000. */
  maxStreamLen?: number;
  /** Leader lease, in seconds. Default 5. */
  lockTtlSecs?: number;
  /** Default `p-<uuid>`. */
  holderId?: string;
  /** Announce `waiting`. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /** See {@link ConsumerConfig.eventsBatched}. Default true. */
  eventsBatched?: boolean;
  /** Where the promoter reports what it does. Default: nowhere. */
  metrics?: MetricsSink;
}

/** Options of a `Scheduler` in a process of its own. */
export interface StandaloneSchedulerConfig extends SchedulerConfig {
  /** Default `default`. */
  queueName?: string;
  /** Consumer group whose wake entries it takes. Default `default`. */
  group?: string;
  /** Announce `waiting`. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /** Where the scheduler reports what it does. Default: nowhere. */
  metrics?: MetricsSink;
}

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
  /** Attempts and backoff of this job. Default: the consumer's. */
  retry?: JobRetryOverride;
  /** Dispatch name, at most 256 bytes. Default: none. */
  name?: string;
}

/** Which dead letters are meant; all that is given must apply, nothing given means all. */
export interface DlqSelection {
  /** Ids of letters (`dlqId`) or of their jobs (`jobId`). */
  ids?: readonly string[];
  reason?: DlqReason;
}
