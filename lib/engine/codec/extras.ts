import type { TimeLimits } from '../config/options.js';
import type { TraceCarrier } from '../base/telemetry.js';
import { LIFO, MOST_PRIORITY } from '../config/options/priority.js';
import { TRACKED } from './keep.js';
import type { WireKeep } from './keep.js';
import { decodePayload, encodePayload } from './payload.js';
import { isCarrier, readPlainTrace } from './trace.js';

/**
 * The data that a job carries beside the five fields of its envelope: one MessagePack map, behind the Job in the same
 * bytes. Readers that do not know it ignore bytes behind the Job. Under this key, the options of a job and the job in a
 * worker hold the map. User data and options from outside cannot have this key.
 */
export const EXTRAS: unique symbol = Symbol.for('nestjs-chasqui:extras') as never;

/** Options with fields of the map that are not options of the job. */
export interface WithExtras {
  readonly [EXTRAS]?: Extras;
}

/** The map. Each field that is there has the type given here; fields of later versions may stand beside them. */
export interface Extras extends Partial<TimeLimits> {
  /** A message of the microservice transport: lib/microservices/message.ts. */
  readonly rpc?: Readonly<Record<string, unknown>>;
  /**
   * Since when the job is ready for its first start, in unix ms by Redis's clock, if its entry is younger than that; or
   * `started`, if its first start is past and no attempt is used. Only of a job with a `ttlMs` of any origin.
   */
  readonly ready?: number | 'started';
  /** Its deduplication id; and for how many ms that is taken, unless until the end of the job. See lua/lib/dedup.lua. */
  readonly dedup?: { readonly id: string; readonly ttl?: number };
  /** Whether the job is tracked, and what is kept after its end: see keep.ts. */
  readonly keep?: WireKeep;
  /** The trace in which the job was added: see trace.ts. Anybody may have written it. */
  readonly trace?: TraceCarrier;
  /** The priority of the job; {@link LIFO}: it was added with `lifo`. Absent: none. */
  readonly priority?: number;
  /** The id of its group. */
  readonly group?: string;
}

const isMap = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object Object]';
/** A time limit in ms; `Infinity` is one. */
export const isDuration = (value: unknown): boolean => typeof value === 'number' && value > 0;

/** The fields that this version knows, and their checks. */
const KNOWN: { readonly [K in keyof Extras]-?: (value: unknown) => boolean } = {
  rpc: isMap,
  timeoutMs: isDuration,
  ttlMs: isDuration,
  expired: (value) => value === 'dead-letter' || value === 'drop',
  ready: (value) => value === 'started' || (Number.isSafeInteger(value) && (value as number) >= 0),
  keep: (value) => value === TRACKED || isMap(value),
  trace: isCarrier,
  dedup: (value) => isMap(value) && typeof (value as { id?: unknown }).id === 'string',
  priority: (value) =>
    Number.isSafeInteger(value) && (value as number) >= LIFO && (value as number) <= MOST_PRIORITY,
  group: (value) => typeof value === 'string' && value !== '',
};

/** The deduplication id of a job that has extras; else undefined. */
export function dedupIdOf({ [EXTRAS]: extras }: WithExtras): string | undefined {
  return extras?.dedup?.id;
}

/**
 * The bytes of a map; undefined if no field has a value. A field of a later map replaces the same field of an earlier one.
 * @throws EncodeError (CMQ-002)
 */
export function encodeExtras(...maps: readonly (Extras | undefined)[]): Buffer | undefined {
  const merged: Record<string, unknown> = {};
  let isEmpty = true;
  let isPlain = true;
  for (const map of maps) {
    if (!map) continue;
    for (const [field, value] of Object.entries(map)) {
      if (value === undefined) continue;
      merged[field] = value;
      isEmpty = false;
      isPlain &&= field === 'keep' && value === TRACKED;
    }
  }
  if (isEmpty) return undefined;
  return isPlain ? PLAIN_BYTES : encodePayload(merged, 'extras');
}

/** What most jobs of a tracked queue have. They share it, so that they need not be encoded one by one. */
const PLAIN_BYTES = encodePayload({ keep: TRACKED }, 'extras');

/**
 * Reads the bytes behind a Job. A job that is fine otherwise must run, whatever stands there: bytes that are no map are
 * ignored, and so is a known field of a wrong type. Undefined if nothing is left. Jobs with the same bytes may share the map.
 */
export function readExtras(bytes: Buffer, from = 0, to = bytes.length): Extras | undefined {
  if (to - from > MOST_SHARED_BYTES) return readMap(bytes, from, to);
  if (isLast(bytes, from, to)) return last;
  last = readMap(bytes, from, to);
  lastLength = bytes.copy(lastBytes, 0, from, to);
  return last;
}

const MOST_SHARED_BYTES = 96;
/** The last map of few bytes, and its bytes: jobs in a row often have the same, as the jobs of one request do. */
let last: Extras | undefined;
let lastLength = -1;
const lastBytes = Buffer.alloc(MOST_SHARED_BYTES);

function isLast(bytes: Buffer, from: number, to: number): boolean {
  if (to - from !== lastLength) return false;
  // Backwards: two traces differ near their end.
  for (let i = lastLength - 1; i >= 0; i--) if (bytes[from + i] !== lastBytes[i]) return false;
  return true;
}

function readMap(bytes: Buffer, from: number, to: number): Extras | undefined {
  const plain = readPlainTrace(bytes, from, to);
  if (plain) return plain;
  let map: unknown;
  try {
    map = decodePayload(bytes, from, to);
  } catch {
    return undefined;
  }
  if (!isMap(map)) return undefined;
  const extras = map as Record<string, unknown>;
  for (const [field, isValid] of Object.entries(KNOWN)) {
    if (Object.hasOwn(extras, field) && !isValid(extras[field])) Reflect.deleteProperty(extras, field);
  }
  return extras;
}

/**
 * The bytes of a Job, from `from` to `to`, with other extras: `change` gets the map and returns the new one. Unknown fields
 * keep their values. Bytes that are no map are replaced.
 * @param jobTo where the Job ends
 */
export function withExtras(
  bytes: Buffer,
  jobTo: number,
  change: (extras: Extras) => Extras,
  from = 0,
  to = bytes.length,
): Buffer {
  const extras = encodeExtras(change(readExtras(bytes, jobTo, to) ?? {}));
  const job = bytes.subarray(from, jobTo);
  return extras ? Buffer.concat([job, extras]) : job;
}
