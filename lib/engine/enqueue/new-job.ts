import type { AddedDedup, AddedJob, AddedRoom } from '../../redis/scripts/add.js';
import { RETRY_DEFAULTS, toWireBackoff } from '../job/backoff.js';
import type { Envelope, WireRetry } from '../codec/envelope.js';
import { ConfigError, ConfigTypeError, NotSupportedError, PayloadTooLargeError } from '../base/errors.js';
import { EXTRAS, encodeExtras } from '../codec/extras.js';
import type { Extras, WithExtras } from '../codec/extras.js';
import { keepOfJob, writeKeep } from '../codec/keep.js';
import type { Keep } from '../codec/keep.js';
import type { DeduplicationOptions, JobsOptions, TimeLimits } from '../config/options.js';
import { checkDeduplication } from '../config/options/deduplication.js';
import { encodePayload } from '../codec/payload.js';
import { checkJobGroup } from '../config/options/group.js';
import { jobSchema } from '../config/options/job.js';
import { LIFO } from '../config/options/priority.js';
import { checkDelay, checkJobId, checkJobName, checkList } from '../config/check-arguments.js';
import { checkOptions, shownKey } from '../config/check-options.js';
import { MOST_DELAY_MS, record } from '../config/checks.js';
import { nearestKey } from '../config/nearest-key.js';
import { nextUlid } from './ulid.js';

const DEDUP_TTL_MS = 3_600_000;
export const MAX_PAYLOAD_BYTES = 1_048_576;
export const MAX_DELAY_SECS = MOST_DELAY_MS / 1000;

/** A job on its way into Redis. */
export interface NewJob extends Envelope, AddedJob {}

/** What a job and a schedule have alike. */
export type TravelingOptions = TimeLimits & WithExtras & Pick<JobsOptions, 'priority' | 'lifo' | 'group'>;

/** What a queue says of every job that it adds. */
export interface JobLimits {
  maxPayloadBytes: number;
  maxDelayMs: number;
  /** What is kept of a job that says nothing about it itself. */
  keep?: Keep | undefined;
}

/**
 * Checks and encodes one job that a caller wants to add. Nothing is written yet.
 * @throws ConfigError, RangeError, TypeError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023),
 * NotSupportedError (CMQ-100)
 */
export function toNewJob(
  name: string,
  data: unknown,
  options: (JobsOptions & WithExtras) | undefined,
  limits: JobLimits,
): NewJob {
  checkJobName(name);
  const payload = encodeWithin(name, data, limits.maxPayloadBytes);
  if (options === undefined) {
    const now = Date.now();
    const job: NewJob = { id: nextUlid(now), name, payload, createdAtMs: now, attempt: 0, extras: undefined };
    if (limits.keep) keepJob(job, name, {}, limits.keep, limits);
    return job;
  }
  checkJobOptions(options, limits);
  if (options.repeat !== undefined) {
    throw new ConfigError('job options: "repeat" is for Queue.add, one schedule at a time.');
  }
  const createdAtMs = options.timestamp ?? Date.now();
  const job: NewJob = {
    id: options.jobId ?? nextUlid(Date.now()),
    name,
    payload,
    createdAtMs,
    attempt: 0,
    extras: undefined,
    retry: toWireRetry(options),
    delayMs: options.delay === undefined ? undefined : Math.ceil(options.delay),
  };
  if (options.jobId !== undefined) job.uniqueMs = options.dedupTtlMs ?? DEDUP_TTL_MS;
  if (options.deduplication !== undefined) job.dedup = toDedup(options.deduplication);
  keepJob(job, name, options, keepOfJob(options, limits.keep), limits);
  return job;
}

/** What Redis has to know of the option. */
function toDedup(options: DeduplicationOptions): AddedDedup {
  const { id, ttl = 0, extend = false, replace = false, reschedule = false } = options;
  const { keepLastIfActive = false } = options;
  return { id, ttl: keepLastIfActive ? 0 : ttl, extend, replace, reschedule, keepLastIfActive };
}

/**
 * Gives the job its extras. A tracked job and one with a deduplication id are found by their id, wherever they are, as if the
 * id were the caller's.
 */
function keepJob(
  job: NewJob,
  name: string,
  options: TravelingOptions,
  keep: Keep | undefined,
  { maxPayloadBytes }: JobLimits,
): void {
  const extras = extrasWithin(name, options, keep, job.payload, maxPayloadBytes, job.dedup);
  if (extras) job.extras = extras;
  job.room = roomOf(options);
  if ((!keep?.tracked && !job.dedup) || job.uniqueMs !== undefined) return;
  job.uniqueMs = 0;
  job.isNewId = true;
}

/** What its extras say of the place of a job in the room. */
export function placeOf({ priority = 0, lifo, group }: TravelingOptions): Extras {
  if (group) return { group: group.id, ...(group.priority && { priority: group.priority }) };
  if (priority > 0) return { priority };
  return lifo ? { priority: LIFO } : {};
}

/** Undefined: the job waits in the work stream. */
function roomOf(options: TravelingOptions): AddedRoom | undefined {
  const { priority, group } = placeOf(options);
  if (priority === undefined && group === undefined) return undefined;
  return { rank: (priority ?? 0) + 1, group: group ?? '', maxSize: options.group?.maxSize ?? 0 };
}

/** The options of one job, over the defaults of its queue. An option with the value undefined counts as not given. */
export function withDefaults(
  defaults: JobsOptions | undefined,
  given: JobsOptions | undefined,
): JobsOptions | undefined {
  const opts = given === undefined ? undefined : checkOptions('job options', jobSchema, given);
  if (!defaults) return opts;
  const merged = { ...defaults, ...opts };
  // As a default, dedupTtlMs applies to the jobs that have a jobId. On a job without a jobId it is a mistake, and reported.
  if (merged.jobId === undefined && opts?.dedupTtlMs === undefined) delete merged.dedupTtlMs;
  // As a default, deduplication applies to single jobs without an id of their own.
  const isOther = opts?.jobId !== undefined || merged.repeat !== undefined;
  if (isOther && opts?.deduplication === undefined) delete merged.deduplication;
  // As a default, the size of a group is for single jobs.
  if (merged.repeat !== undefined && opts?.group === undefined) withoutSize(merged);
  // As a default, a priority is for jobs without a group of their own.
  if (opts?.group !== undefined) {
    if (opts.priority === undefined) delete merged.priority;
    if (opts.lifo === undefined) delete merged.lifo;
  }
  return merged;
}

/** A schedule adds its jobs whatever the size of their group. */
export function withoutSize(options: JobsOptions): void {
  if (options.group?.maxSize === undefined) return;
  const { maxSize: _m, ...group } = options.group;
  options.group = group;
}

/** @throws ConfigTypeError (CMQ-004) unless `jobs` is a list of jobs */
export function checkJobs(jobs: unknown): void {
  checkList('addBulk: the jobs', jobs);
  jobs.forEach((job: unknown, index) => {
    if (record(job) !== undefined) {
      throw new ConfigTypeError('addBulk: each job must be an object { name, data, opts }.');
    }
    for (const [key, value] of Object.entries(job as object)) {
      if (value !== undefined && !JOB_FIELDS.includes(key)) throw unknownField(index, key);
    }
  });
}

const JOB_FIELDS: readonly string[] = ['name', 'data', 'opts'];

/** An option beside `opts` would have no effect. */
function unknownField(index: number, key: string): ConfigError {
  const isOption = Object.hasOwn(jobSchema, key);
  const meant = isOption ? `opts.${key}` : key === 'options' ? 'opts' : nearestKey(key, JOB_FIELDS);
  const hint = meant === undefined ? 'A job has the fields name, data and opts.' : `Did you mean "${meant}"?`;
  return new ConfigError(`addBulk: job ${String(index)}: unknown field ${shownKey(key)}. ${hint}`);
}

/** @throws EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023) */
export function encodeWithin(name: string, data: unknown, maxPayloadBytes: number): Buffer {
  const payload = encodePayload(data);
  if (payload.length > maxPayloadBytes) throw oversize(name, payload.length, maxPayloadBytes);
  return payload;
}

/**
 * The options that travel with a job in its extras, for a job with this payload; undefined if there are none.
 * @throws EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023)
 */
export function extrasWithin(
  name: string,
  options: TravelingOptions,
  keep: Keep | undefined,
  payload: Buffer,
  maxPayloadBytes: number,
  dedup?: AddedDedup,
): Buffer | undefined {
  const { timeoutMs, ttlMs, expired } = options;
  const limits: Extras = {
    ...placeOf(options),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(expired !== undefined && { expired }),
  };
  const wire = keep && writeKeep(keep);
  const own: Extras = {
    ...(wire !== undefined && { keep: wire }),
    ...(dedup && { dedup: dedup.ttl > 0 ? { id: dedup.id, ttl: dedup.ttl } : { id: dedup.id } }),
  };
  const extras = encodeExtras(options[EXTRAS], limits, own);
  const bytes = payload.length + (extras?.length ?? 0);
  if (bytes > maxPayloadBytes) throw oversize(name, bytes, maxPayloadBytes);
  return extras;
}

/** Checks options against each other and against the limits of the queue. Each of them has been checked by itself. */
export function checkJobOptions(options: JobsOptions, limits: JobLimits): void {
  if (options.delay !== undefined) checkDelay(options.delay, limits.maxDelayMs);
  if (options.jobId !== undefined) checkJobId(options.jobId);
  if (options.dedupTtlMs !== undefined && options.jobId === undefined) {
    throw new ConfigError('job options: "dedupTtlMs" needs "jobId".');
  }
  if (options.deduplication !== undefined) checkDeduplication(options.deduplication, options);
  if (options.group !== undefined) checkJobGroup(options);
  if (options.parent !== undefined) {
    throw new NotSupportedError('job options: "parent" (flows of parent and child jobs) is not supported.');
  }
}

export function toWireRetry({ attempts, backoff }: JobsOptions): WireRetry | undefined {
  if (attempts === undefined && backoff === undefined) return undefined;
  return {
    maxAttempts: attempts,
    backoff: backoff === undefined ? undefined : toWireBackoff(backoff, RETRY_DEFAULTS.initialBackoffMs),
  };
}

function oversize(name: string, bytes: number, most: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `The payload of job "${name}" has ${String(bytes)} bytes; maxPayloadBytes is ${String(most)}. Nothing was added or changed. ` +
      'Send a reference (an id, a URL) instead of the data, or raise maxPayloadBytes on queue and worker.',
  );
}
