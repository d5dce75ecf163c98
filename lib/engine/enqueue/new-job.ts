import { randomFillSync } from 'node:crypto';
import { incrementBase32, TIME_LEN, ulid } from 'ulid';
import { RETRY_DEFAULTS, toWireBackoff } from '../job/backoff.js';
import type { WireRetry } from '../codec/envelope.js';
import type { NewJob } from './enqueuer.js';
import { ConfigError, ConfigTypeError, NotSupportedError, PayloadTooLargeError } from '../base/errors.js';
import { EXTRAS } from '../codec/extras.js';
import type { WithExtras } from '../codec/extras.js';
import type { JobsOptions } from '../config/options.js';
import { encodePayload } from '../codec/payload.js';
import { jobSchema } from '../config/schemas.js';
import { checkDelay, checkJobId, checkJobName, checkList, checkOptions, record } from '../config/validate.js';

export const DEDUP_TTL_MS = 3_600_000;
export const MAX_PAYLOAD_BYTES = 1_048_576;
export const MAX_DELAY_SECS = 30 * 24 * 3600;

const randomBytes = new Uint8Array(4_096);
let nextByte = randomBytes.length;

/** From 0 to below 1, in 256 steps; a character of a ULID takes 32. By itself, ulid asks the system for every byte. */
function random(): number {
  if (nextByte === randomBytes.length) {
    randomFillSync(randomBytes);
    nextByte = 0;
  }
  return (randomBytes[nextByte++] as number) / 256;
}

let idTime = 0;
let timePart = '';
let randomPart = '';

/** ULIDs that ascend within this process, as `monotonicFactory` of ulid makes them; most share their time with the last. */
function nextUlid(now: number): string {
  if (now > idTime) {
    const id = ulid(now, random);
    idTime = now;
    timePart = id.slice(0, TIME_LEN);
    randomPart = id.slice(TIME_LEN);
    return id;
  }
  randomPart = incrementBase32(randomPart);
  return timePart + randomPart;
}

export interface JobLimits {
  maxPayloadBytes: number;
  maxDelayMs: number;
}

/**
 * One job as a caller asked for it, checked and encoded; nothing has been written yet.
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
    return { id: nextUlid(now), name, payload, createdAtMs: now, attempt: 0 };
  }
  checkJobOptions(options, limits);
  if (options.repeat !== undefined) {
    throw new ConfigError('job options: "repeat" is for Queue.add, one spec at a time.');
  }
  const createdAtMs = options.timestamp ?? Date.now();
  const job: NewJob = {
    id: options.jobId ?? nextUlid(Date.now()),
    name,
    payload,
    createdAtMs,
    attempt: 0,
    retry: toWireRetry(options),
    delayMs: options.delay === undefined ? undefined : Math.ceil(options.delay),
  };
  if (options.jobId !== undefined) job.uniqueMs = options.dedupTtlMs ?? DEDUP_TTL_MS;
  const extras = options[EXTRAS];
  if (extras) {
    const bytes = payload.length + extras.length;
    if (bytes > limits.maxPayloadBytes) throw oversize(name, bytes, limits.maxPayloadBytes);
    job.extras = extras;
  }
  return job;
}

/** Options of one job over those of its queue. An option given as undefined is one that is not given. */
export function withDefaults(
  defaults: JobsOptions | undefined,
  given: JobsOptions | undefined,
): JobsOptions | undefined {
  const opts = given === undefined ? undefined : checkOptions('job options', jobSchema, given);
  if (!defaults) return opts;
  const merged = { ...defaults, ...opts };
  // As a default it is for the jobs that have an id of their own; given for one that has none, it is a mistake.
  if (merged.jobId === undefined && opts?.dedupTtlMs === undefined) delete merged.dedupTtlMs;
  return merged;
}

/** @throws ConfigTypeError (CMQ-004) for what is no list of jobs */
export function checkJobs(jobs: unknown): void {
  checkList('addBulk: the jobs', jobs);
  for (const job of jobs) {
    if (record(job) !== undefined) {
      throw new ConfigTypeError('addBulk: each job must be an object { name, data, opts }.');
    }
  }
}

/** @throws EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023) */
export function encodeWithin(name: string, data: unknown, maxPayloadBytes: number): Buffer {
  const payload = encodePayload(data);
  if (payload.length > maxPayloadBytes) throw oversize(name, payload.length, maxPayloadBytes);
  return payload;
}

/** What options that were checked one by one say together, and on this queue. */
export function checkJobOptions(options: JobsOptions, limits: JobLimits): void {
  if (options.delay !== undefined) checkDelay(options.delay, limits.maxDelayMs);
  if (options.jobId !== undefined) checkJobId(options.jobId);
  if (options.dedupTtlMs !== undefined && options.jobId === undefined) {
    throw new ConfigError('job options: "dedupTtlMs" has a meaning only beside "jobId".');
  }
  if (options.parent !== undefined) {
    throw new NotSupportedError('job options: "parent" (flows of parent and child jobs) is not supported.');
  }
  if (options.priority) warnOnce('priority');
  if (options.lifo) warnOnce('lifo');
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
    `The payload of job "${name}" has ${String(bytes)} bytes; maxPayloadBytes is ${String(most)}. Nothing was added. ` +
      'Send a reference (an id, a URL) instead of the thing itself, or raise maxPayloadBytes on queue and worker.',
  );
}

const warned = new Set<string>();

function warnOnce(option: string): void {
  if (warned.has(option)) return;
  warned.add(option);
  process.emitWarning(
    `job option "${option}" is ignored: streams are first in, first out.`,
    'ChasquiWarning',
  );
}
