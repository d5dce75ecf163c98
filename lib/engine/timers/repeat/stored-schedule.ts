import { createHash } from 'node:crypto';
import { encodeRetry } from '../../codec/write-envelope.js';
import type { TraceCarrier } from '../../base/telemetry.js';
import { EXTRAS, encodeExtras, readExtras } from '../../codec/extras.js';
import type { WithExtras } from '../../codec/extras.js';
import { readKeep } from '../../codec/keep.js';
import { appendField, traceWithin } from '../../codec/trace.js';
import { ConfigError } from '../../base/errors.js';
import { MAX_PAYLOAD_BYTES, encodeWithin, extrasWithin, toWireRetry } from '../../enqueue/new-job.js';
import type { MissedFiresOption } from '../../config/options.js';
import { checkJobName, checkText } from '../../config/check-arguments.js';
import { checkOption } from '../../config/check-options.js';
import { whole } from '../../config/checks.js';
import { LAST_DATE_MS } from '../../config/options/repeat.js';
import { CronPattern, EveryPattern, RepeatPattern } from './pattern.js';
import type { RepeatableSpec } from './repeatable-spec.js';

export type { RepeatableSpec };

/** One schedule of a list, without its payload. */
export interface RepeatableMeta {
  key: string;
  jobName: string;
  pattern: RepeatPattern;
  /** The next slot, in unix ms. Of a paused schedule: the slot that was next when it was paused. */
  nextFireMs: number;
  /** Fires so far. */
  fired: number;
  limit?: number;
  startAfterMs?: number;
  endBeforeMs?: number;
  missedFires: MissedFiresOption;
  skipIfRunning: boolean;
  owner?: string;
  /** True while it is paused; else absent. */
  paused?: true;
}

/** The fields of a stored schedule that say when it fires. */
export interface ScheduleTiming {
  pattern: RepeatPattern;
  endBeforeMs: number | undefined;
  missedFires: MissedFiresOption;
}

/** This leaves room for `repeat:` and `:<slot>` in the ids of its jobs. */
const MAX_KEY_BYTES = 480;

/** @throws ConfigError (CMQ-004) if the key is blank or too long */
function scheduleKey(spec: RepeatableSpec): string {
  const key =
    spec.key === undefined || spec.key === ''
      ? `${spec.jobName}:${spec.jobId ?? ''}:${spec.pattern.signature()}`
      : spec.key;
  if (key.trim() === '' || Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new ConfigError(
      `repeat: the key ${JSON.stringify(key.slice(0, 60))} must not be blank or longer than ${String(MAX_KEY_BYTES)} bytes. Set a short one (repeatJobKey).`,
    );
  }
  checkText('repeat: the key', key);
  return key;
}

/** @throws ConfigError, TypeError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023) */
export function encodeSchedule(
  spec: RepeatableSpec & WithExtras,
  maxPayloadBytes = MAX_PAYLOAD_BYTES,
): EncodedSchedule {
  const { jobName, limit, attempts, backoff } = spec;
  checkJobName(jobName);
  for (const [name, value] of Object.entries({ limit, attempts })) {
    if (value !== undefined) checkOption(whole(1), `repeat: "${name}"`, value);
  }
  const retry = toWireRetry({
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
  });
  const payload = encodeWithin(jobName, spec.payload, maxPayloadBytes);
  const rest: Fields = {
    name: jobName,
    missed: encodeMissed(spec.missedFires ?? { kind: 'skip' }),
    overlap: spec.skipIfRunning ? 'skip' : undefined,
    owner: spec.owner,
    payload,
    retry: retry && encodeRetry(retry),
    extras: extrasWithin(jobName, spec, undefined, payload, maxPayloadBytes),
    tracked: readKeep(spec[EXTRAS]?.keep)?.tracked ? '1' : undefined,
  };
  return encodeFields(scheduleKey(spec), spec, rest);
}

/** The fields of a stored schedule that do not say when it fires, without what scripts keep beside them. */
export const JOB_FIELDS = [
  'name',
  'missed',
  'overlap',
  'owner',
  'payload',
  'retry',
  'extras',
  'tracked',
] as const;

/** @param rest the {@link JOB_FIELDS}, in their order */
export function encodeFields(
  key: string,
  { pattern, limit, startAfterMs, endBeforeMs }: SpecTiming,
  rest: Fields,
): EncodedSchedule {
  const timing: Fields = {
    ...encodePattern(pattern),
    limit: limit?.toString(),
    start: startAfterMs?.toString(),
    end: endBeforeMs?.toString(),
  };
  // Where a schedule was stored last is no part of what it is.
  const judged = present({ ...timing, ...rest, extras: rest.extras && withoutTrace(rest.extras) });
  const fields = present({ ...timing, ...rest });
  return { key, schedule: digest(present(timing)), revision: digest(judged), fields };
}

function withoutTrace(extras: string | Buffer): string | Buffer | undefined {
  const bytes = Buffer.from(extras);
  const { trace, ...others } = readExtras(bytes) ?? {};
  return trace ? encodeExtras(others) : extras;
}

/** The same schedule, whose jobs bring the carrier along, if it fits. */
export function withTrace(
  schedule: EncodedSchedule,
  carrier: TraceCarrier,
  maxPayloadBytes: number,
): EncodedSchedule {
  const { payload = '', extras, ...others } = Object.fromEntries(schedule.fields);
  const known = extras === undefined ? undefined : Buffer.from(extras);
  const left = maxPayloadBytes - Buffer.byteLength(payload) - (known?.length ?? 0);
  const field = traceWithin(carrier, left);
  const traced = field && appendField(known, field);
  if (!traced) return schedule;
  return { ...schedule, fields: present({ ...others, payload, extras: traced }) };
}

/** When a schedule fires. */
export type SpecTiming = Pick<RepeatableSpec, 'pattern' | 'limit' | 'startAfterMs' | 'endBeforeMs'>;

export interface EncodedSchedule {
  key: string;
  /** Digest of the fields that say when it fires. */
  schedule: string;
  /** Digest of all fields. */
  revision: string;
  /** Of its hash. */
  fields: readonly (readonly [field: string, value: string | Buffer])[];
}

export type Fields = Record<string, string | Buffer | undefined>;

function present(fields: Fields): [string, string | Buffer][] {
  return Object.entries(fields).filter((entry): entry is [string, string | Buffer] => entry[1] !== undefined);
}

function digest(fields: readonly [string, string | Buffer][]): string {
  const hash = createHash('sha1');
  // The lengths come first, so that no value can look like the next field.
  for (const [field, value] of fields)
    hash.update(`${field}:${String(Buffer.byteLength(value))}:`).update(value);
  return hash.digest('hex');
}

function encodePattern(pattern: RepeatPattern): Fields {
  if (pattern instanceof CronPattern) return { pattern: pattern.expression, tz: pattern.tz };
  if (pattern instanceof EveryPattern) {
    return { every: String(pattern.intervalMs), offset: pattern.offsetMs?.toString() };
  }
  throw new ConfigError('repeat: the pattern must come from RepeatPattern.cron() or RepeatPattern.every().');
}

type Value = string | null;

function decodePattern(pattern: Value, tz: Value, every: Value, offset: Value): RepeatPattern {
  return every === null
    ? RepeatPattern.cron(pattern ?? '', tz ?? undefined)
    : RepeatPattern.every(Number(every), offset === null ? undefined : Number(offset));
}

/** `skip`, `fire-once` or `fire-all:<maxCatchup>`. */
function encodeMissed(missed: MissedFiresOption): string {
  switch (missed.kind) {
    case 'skip':
    case 'fire-once':
      return missed.kind;
    case 'fire-all':
      if (Number.isSafeInteger(missed.maxCatchup) && missed.maxCatchup >= 1)
        return `fire-all:${String(missed.maxCatchup)}`;
  }
  throw new ConfigError(
    `repeat: "missedFires" must be { kind: 'skip' }, { kind: 'fire-once' } or { kind: 'fire-all', maxCatchup } with a whole number of at least 1, not ${JSON.stringify(missed)}.`,
  );
}

export function decodeMissed(missed: Value): MissedFiresOption {
  if (missed === null || missed === 'skip') return { kind: 'skip' };
  if (missed === 'fire-once') return { kind: 'fire-once' };
  const [, maxCatchup] = /^fire-all:(\d+)$/.exec(missed) ?? [];
  if (maxCatchup === undefined)
    throw new ConfigError(`repeat: unknown policy for missed fires, ${JSON.stringify(missed)}.`);
  return { kind: 'fire-all', maxCatchup: Number(maxCatchup) };
}

/** The fields that {@link decodeTiming} reads, in its order. */
export const TIMING_FIELDS = ['pattern', 'tz', 'every', 'offset', 'end', 'missed'] as const;

/** @throws ConfigError (CMQ-004) if another program wrote the hash, or this runtime does not know the time zone */
export function decodeTiming(values: readonly Value[]): ScheduleTiming {
  const [pattern = null, tz = null, every = null, offset = null, end = null, missed = null] = values;
  return {
    pattern: decodePattern(pattern, tz, every, offset),
    endBeforeMs: end === null ? undefined : Number(end),
    missedFires: decodeMissed(missed),
  };
}

/** The fields that {@link decodeMeta} reads, in its order. */
export const META_FIELDS = [
  ...TIMING_FIELDS,
  'name',
  'limit',
  'start',
  'overlap',
  'fired',
  'owner',
  'slot',
] as const;

/**
 * @param slot where it stands: its next slot, or the time of paused schedules
 * @throws ConfigError (CMQ-004), as {@link decodeTiming}
 */
export function decodeMeta(key: string, slot: number, values: readonly Value[]): RepeatableMeta {
  const { pattern, endBeforeMs, missedFires } = decodeTiming(values);
  const [
    name = null,
    limit = null,
    start = null,
    overlap = null,
    fired = null,
    owner = null,
    pausedSlot = null,
  ] = values.slice(TIMING_FIELDS.length);
  const meta: RepeatableMeta = {
    key,
    jobName: name ?? '',
    pattern,
    nextFireMs: isPaused(slot) && pausedSlot !== null ? Number(pausedSlot) : slot,
    fired: Number(fired ?? 0),
    missedFires,
    skipIfRunning: overlap === 'skip',
  };
  if (owner !== null) meta.owner = owner;
  if (limit !== null) meta.limit = Number(limit);
  if (start !== null) meta.startAfterMs = Number(start);
  if (endBeforeMs !== undefined) meta.endBeforeMs = endBeforeMs;
  if (isPaused(slot)) meta.paused = true;
  return meta;
}

/** Whether this is the time at which paused schedules stand: see lua/lib/paused-schedules.lua. */
export function isPaused(slot: number): boolean {
  return slot >= LAST_DATE_MS;
}
