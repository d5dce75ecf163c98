import { connectionCheck } from './read-connection.js';
import type { Clock } from '../base/clock.js';
import type { DlqReason } from '../base/metrics.js';
import type {
  AddOptions,
  BackoffOptions,
  ConsumerConfig,
  DlqSelection,
  DurabilityOptions,
  JobRetryOverride,
  JobsOptions,
  QueueEventsOptions,
  ProducerConfig,
  PromoterConfig,
  QueueOptions,
  RepeatOptions,
  RetryConfig,
  SchedulerConfig,
  StandaloneConsumerConfig,
  StandaloneSchedulerConfig,
  WaitForResultOptions,
  WorkerOptions,
} from './options.js';
import {
  MAX_NAME_BYTES,
  MOST_MS,
  anything,
  boolean,
  checkOptions,
  limitMs,
  ms,
  number,
  record,
  seconds,
  secret,
  text,
  whole,
} from './validate.js';
import type { Check, Schema } from './validate.js';

/** What may stand in each kind of options; the defaults stand beside the one place that uses each. */

/** Says what is wrong without showing any of it. */
const connection = secret(connectionCheck);

const abortSignal: Check = (value) => (value instanceof AbortSignal ? undefined : 'must be an AbortSignal');

const clock: Check = (value) =>
  typeof (value as Clock | undefined)?.now === 'function' && typeof (value as Clock).monotonic === 'function'
    ? undefined
    : 'must have now() and monotonic()';

const nested = <T extends object>(
  owner: string,
  schema: Schema<T>,
  required: readonly (keyof T & string)[] = [],
): Check =>
  Object.assign((value: unknown) => record(value), {
    read: (value: unknown) => checkOptions(owner, schema, value as T, required),
  });

const limitSecs: Check = (value) =>
  value === Infinity ? undefined : number(0)(value)?.replace('a finite number', 'a number');

const retrySchema: Schema<RetryConfig> = {
  initialBackoffMs: ms(0),
  maxBackoffMs: ms(0),
  multiplier: number(0),
  jitterMs: ms(0),
};

const schedulerSchema: Schema<SchedulerConfig> = {
  tickIntervalMs: ms(1),
  batch: whole(1, 10_000),
  maxStreamLen: whole(0),
  lockTtlSecs: whole(1, Math.floor(MOST_MS / 1000)),
  holderId: text,
};

export const consumerSchema: Schema<ConsumerConfig> = {
  group: text,
  consumerId: text,
  batch: whole(1, 10_000),
  blockMs: limitMs(1),
  claimMinIdleMs: ms(10),
  concurrency: whole(1, 100_000),
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
  backoffStrategies: (value) =>
    record(value) ??
    (Object.values(value as object).every((strategy) => typeof strategy === 'function')
      ? undefined
      : 'must map names to functions'),
  metrics: record,
  clock,
  commandTimeoutMs: limitMs(1),
  connectTimeoutMs: limitMs(1),
};

/** Checked apart: see checkQueueName. */
export const standaloneConsumerSchema: Schema<StandaloneConsumerConfig> = {
  ...consumerSchema,
  queueName: anything,
};

export const workerSchema: Schema<WorkerOptions> = {
  ...consumerSchema,
  connection,
  autorun: boolean,
  drainDelay: limitMs(1),
  maxStalledCount: whole(1),
  name: text,
  schedulerTickMs: ms(1),
  resultTtlMs: ms(1),
  removeOnComplete: anything,
  removeOnFail: anything,
  prefix: anything,
};

const backoffSchema: Schema<BackoffOptions> = {
  type: (value) =>
    text(value) ??
    (Buffer.byteLength(value as string) > MAX_NAME_BYTES
      ? `must have at most ${String(MAX_NAME_BYTES)} bytes`
      : undefined),
  delay: ms(0),
  maxDelay: ms(0),
  multiplier: number(0),
  jitterMs: ms(0),
};

const backoffObject = nested('backoff', backoffSchema, ['type']);

export const backoff: Check = Object.assign(
  (value: unknown) => (typeof value === 'number' ? ms(0) : backoffObject)(value),
  { read: (value: unknown) => (typeof value === 'number' ? value : backoffObject.read?.(value)) },
);

const date: Check = (value) => {
  const ms = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : value;
  return Number.isInteger(ms) && (ms as number) >= 0
    ? undefined
    : 'must be a Date, unix ms or a date that Date.parse reads';
};

export const missedFires: Check = (value) => {
  const { kind, maxCatchup } = (value ?? {}) as { kind?: unknown; maxCatchup?: unknown };
  if (kind === 'skip' || kind === 'fire-once') return undefined;
  if (kind === 'fire-all' && whole(1)(maxCatchup) === undefined) return undefined;
  return "must be { kind: 'skip' }, { kind: 'fire-once' } or { kind: 'fire-all', maxCatchup: <whole number of at least 1> }";
};

export const owner: Check = (value) =>
  text(value) ?? (Buffer.byteLength(value as string) > 256 ? 'must not be longer than 256 bytes' : undefined);

const repeatSchema: Schema<RepeatOptions> = {
  pattern: text,
  every: ms(1),
  limit: whole(1),
  immediately: boolean,
  startDate: date,
  endDate: date,
  tz: text,
  jobId: anything,
  missedFires,
  skipIfRunning: boolean,
  owner,
};

export const jobSchema: Schema<JobsOptions> = {
  // Checked apart, because they have error types of their own: see checkDelay and checkJobId.
  delay: anything,
  jobId: anything,
  attempts: whole(1, 0xffffffff),
  backoff,
  dedupTtlMs: ms(0),
  timestamp: whole(0),
  repeat: nested('repeat', repeatSchema),
  repeatJobKey: text,
  removeOnComplete: anything,
  removeOnFail: anything,
  priority: number(0),
  lifo: boolean,
  parent: anything,
};

const durabilitySchema: Schema<DurabilityOptions> = {
  replicas: whole(1),
  timeoutMs: ms(1),
};

/** What `Queue` and `Producer` have in common. */
const producingSchema = {
  maxStreamLen: whole(0),
  maxDelaySecs: seconds(0),
  maxPayloadBytes: whole(1),
  eventsEnabled: boolean,
  eventsMaxStreamLen: whole(1),
  eventsBatched: boolean,
  durability: nested('durability', durabilitySchema),
  commandTimeoutMs: limitMs(1),
  connectTimeoutMs: limitMs(1),
};

export const queueSchema: Schema<QueueOptions> = {
  connection,
  prefix: anything,
  defaultJobOptions: nested('defaultJobOptions', jobSchema),
  ...producingSchema,
};

export const producerSchema: Schema<ProducerConfig & Pick<QueueOptions, 'connection'>> = {
  connection,
  queueName: anything,
  poolSize: whole(1),
  ...producingSchema,
};

export const addSchema: Schema<AddOptions> = {
  // Checked apart: see checkJobId and checkJobName.
  id: anything,
  name: anything,
  retry: nested<JobRetryOverride>('retry', { maxAttempts: whole(1, 0xffffffff), backoff }),
};

export const promoterSchema: Schema<PromoterConfig> = {
  queueName: anything,
  group: text,
  pollIntervalMs: ms(1),
  promoteBatch: whole(1, 5_000),
  maxStreamLen: whole(0),
  lockTtlSecs: seconds(0.05),
  holderId: text,
  eventsEnabled: boolean,
  eventsMaxStreamLen: whole(1),
  eventsBatched: boolean,
  metrics: record,
};

export const standaloneSchedulerSchema: Schema<StandaloneSchedulerConfig> = {
  ...schedulerSchema,
  queueName: anything,
  group: text,
  eventsEnabled: boolean,
  eventsMaxStreamLen: whole(1),
  metrics: record,
};

export const queueEventsSchema: Schema<QueueEventsOptions> = {
  connection,
  prefix: anything,
  autorun: boolean,
  lastEventId: (value) =>
    typeof value === 'string' && /^(\$|\d+(-\d+(:\d+)?)?)$/.test(value)
      ? undefined
      : 'must be "$", "0" or an event id',
  blockingTimeout: limitMs(1),
  connectTimeoutMs: limitMs(1),
};

const ids: Check = (value) =>
  Array.isArray(value) && value.every((id) => typeof id === 'string') ? undefined : 'must be an array of ids';

const reason: Check = (value) => {
  const reasons: readonly DlqReason[] = [
    'retries_exhausted',
    'decode_failed',
    'malformed',
    'oversize_payload',
    'unrecoverable',
  ];
  return reasons.includes(value as DlqReason) ? undefined : `must be one of ${reasons.join(', ')}`;
};

export const dropSchema: Schema<DlqSelection & { all?: boolean }> = { ids, reason, all: boolean };

export const replaySchema: Schema<DlqSelection & { limit?: number }> = { ids, reason, limit: anything };

export const waitSchema: Schema<WaitForResultOptions> = {
  timeoutMs: limitMs(0),
  intervalMs: ms(1),
  signal: abortSignal,
};
