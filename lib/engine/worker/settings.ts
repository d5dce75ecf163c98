import { LONGEST_MS } from '../../redis/timer.js';
import { toRetrySettings } from '../job/backoff.js';
import type { RetrySettings } from '../job/backoff.js';
import { boundOf } from '../codec/keep.js';
import type { Bound } from '../codec/keep.js';
import { systemClock } from '../base/clock.js';
import type { Clock } from '../base/clock.js';
import { POLL_MS } from '../timers/due-loop.js';
import { eventsSettingsOf } from '../config/events-settings.js';
import type { EventsSettings } from '../config/events-settings.js';
import { noopSink } from '../base/metrics.js';
import type { MetricsSink } from '../base/metrics.js';
import type { Guarded, Telemetry, WorkerTelemetry } from '../base/telemetry.js';
import { consumerName } from './identity.js';
import { MAX_PAYLOAD_BYTES } from '../enqueue/new-job.js';
import { consumerGroupOf } from '../config/options/group.js';
import type {
  BackoffStrategy,
  BatchesOptions,
  BatchingOptions,
  ConsumerConfig,
  SchedulerConfig,
  ExpiredAction,
  GroupLimits,
  RateLimit,
  WorkerOptions,
} from '../config/options.js';

/** The time limits that apply to a job. `Infinity` = none. */
export interface JobLimits {
  readonly timeoutMs: number;
  readonly ttlMs: number;
  readonly expired: ExpiredAction;
}

/** Configuration of a consumer with every default filled in, and all times in ms. */
export interface WorkerSettings extends EventsSettings {
  group: string;
  /** Unique: see identity.ts. */
  consumerId: string;
  batch: number;
  blockMs: number;
  leaseMs: number;
  concurrency: number;
  /** The defaults of groups of jobs that this worker declares. */
  groupLimits: GroupLimits | undefined;
  limiter: RateLimit | undefined;
  maxAttempts: number;
  ackBatch: number;
  ackIdleMs: number;
  shutdownDeadlineMs: number;
  maxPayloadBytes: number;
  dlqInflight: number;
  dlqMaxStreamLen: number;
  retry: RetrySettings;
  retryInflight: number;
  delayedEnabled: boolean;
  delayedPollIntervalMs: number;
  delayedPromoteBatch: number;
  delayedLockTtlMs: number;
  runScheduler: boolean;
  scheduler: SchedulerConfig;
  storeResults: boolean;
  resultTtlMs: number;
  /** Of jobs that say nothing about it themselves. */
  removeOnComplete: Bound | undefined;
  removeOnFail: Bound | undefined;
  batches: BatchesOptions | undefined;
  batchesOf: BatchingOptions['batchesOf'] | undefined;
  accepts: ((name: string) => boolean) | undefined;
  /** Of jobs that do not set their own. */
  limits: JobLimits;
  limitsOf: ConsumerConfig['limitsOf'];
  backoffStrategies: Record<string, BackoffStrategy>;
  metrics: MetricsSink;
  telemetry: Telemetry | undefined;
  /** Of this worker, once it is made. */
  observed: Guarded<WorkerTelemetry> | undefined;
  /** For how many minutes the jobs that end are counted; 0 = they are not. */
  maxDataPoints: number;
  clock: Clock;
}

/** Whole ms, as Redis takes them; 1.001 * 1000 is none. */
export function toMs(secs: number): number {
  return Math.max(1, Math.round(secs * 1000));
}

export function toSettings(config: ConsumerConfig & BatchingOptions): WorkerSettings {
  const leaseMs = config.claimMinIdleMs ?? 30_000;
  const lockTtlMs = toMs(config.delayedLockTtlSecs ?? 5);
  return {
    group: consumerGroupOf(config.group),
    groupLimits: typeof config.group === 'object' ? config.group : undefined,
    consumerId: consumerName(config.consumerId ?? 'c', leaseMs),
    batch: config.batch ?? 64,
    blockMs: Math.min(config.blockMs ?? 5_000, LONGEST_MS),
    leaseMs,
    concurrency: config.concurrency ?? 100,
    limiter: config.limiter,
    maxAttempts: config.maxAttempts ?? 3,
    ackBatch: config.ackBatch ?? 256,
    ackIdleMs: config.ackIdleMs ?? 5,
    shutdownDeadlineMs: (config.shutdownDeadlineSecs ?? 30) * 1000,
    maxPayloadBytes: config.maxPayloadBytes ?? MAX_PAYLOAD_BYTES,
    dlqInflight: config.dlqInflight ?? 32,
    dlqMaxStreamLen: config.dlqMaxStreamLen ?? 100_000,
    retry: toRetrySettings(config.retry),
    retryInflight: config.retryInflight ?? 64,
    delayedEnabled: config.delayedEnabled ?? true,
    delayedPollIntervalMs: config.delayedPollIntervalMs ?? POLL_MS,
    delayedPromoteBatch: config.delayedPromoteBatch ?? 256,
    delayedLockTtlMs: lockTtlMs,
    ...eventsSettingsOf(config),
    runScheduler: config.runScheduler ?? true,
    scheduler: config.scheduler ?? {},
    storeResults: config.storeResults ?? false,
    resultTtlMs: toMs(config.resultTtlSecs ?? 3_600),
    removeOnComplete: config.removeOnComplete === undefined ? undefined : boundOf(config.removeOnComplete),
    removeOnFail: config.removeOnFail === undefined ? undefined : boundOf(config.removeOnFail),
    batches: config.batches,
    batchesOf: config.batchesOf,
    accepts: config.accepts,
    limits: {
      timeoutMs: config.timeoutMs ?? Infinity,
      ttlMs: config.ttlMs ?? Infinity,
      expired: config.expired ?? 'dead-letter',
    },
    limitsOf: config.limitsOf,
    backoffStrategies: config.backoffStrategies ?? {},
    metrics: config.metrics ?? noopSink,
    telemetry: config.telemetry,
    observed: undefined,
    maxDataPoints: pointsOf(config.metrics),
    clock: config.clock ?? systemClock,
  };
}

/** The worker's own names, in those of the consumer. */
export function toConsumerConfig(options: WorkerOptions): ConsumerConfig & BatchingOptions {
  const {
    connection: _c,
    autorun: _a,
    prefix: _p,
    useWorkerThreads: _t,
    workerThreadsOptions: _n,
    ...rest
  } = options;
  const { drainDelay, maxStalledCount, name, schedulerTickMs, resultTtlMs, ...config } = rest;
  const merged: ConsumerConfig & BatchingOptions = { ...config };
  if (drainDelay !== undefined) merged.blockMs ??= drainDelay;
  if (maxStalledCount !== undefined) merged.maxAttempts ??= maxStalledCount;
  if (name !== undefined) merged.consumerId ??= name;
  if (resultTtlMs !== undefined) merged.resultTtlSecs ??= Math.ceil(resultTtlMs / 1000);
  if (schedulerTickMs !== undefined)
    merged.scheduler = { tickIntervalMs: schedulerTickMs, ...merged.scheduler };
  return merged;
}

function pointsOf(metrics: ConsumerConfig['metrics']): number {
  const points: unknown = metrics?.maxDataPoints;
  return typeof points === 'number' ? points : 0;
}
