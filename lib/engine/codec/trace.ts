import type { TraceCarrier } from '../base/telemetry.js';
import { MAX_SCALAR_BYTES, stringBound, writeString } from './msgpack.js';

/** The field `trace` of the extras of a job: see `TraceCarrier`. */

/** Most texts of a carrier. */
const MOST = 8;
const MAX_NAME_CHARACTERS = 64;
const MAX_BYTES = 16_384;
/** A field up to this size may be added to the largest payload: a worker allows for it. */
const SMALL_BYTES = 1_024;

/** Whether a value has the form of a carrier. What the texts say is for the telemetry to check. */
export function isCarrier(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MOST && entries.every(([, text]) => typeof text === 'string');
}

/** The field, encoded: its key and its value. Undefined if there is nothing that can travel. */
export function encodeTrace(carrier: TraceCarrier): Buffer | undefined {
  const texts = Object.entries(carrier).filter(
    ([name, text]) => typeof text === 'string' && name.length <= MAX_NAME_CHARACTERS,
  );
  if (texts.length === 0 || texts.length > MOST) return undefined;
  let bound = MAX_SCALAR_BYTES;
  for (const [name, text] of texts) bound += stringBound(name.length) + stringBound(text.length);
  if (bound > MAX_BYTES * 3) return undefined;
  const to = Buffer.allocUnsafe(bound);
  let at = writeString(to, 0, 'trace');
  to[at++] = 0x80 | texts.length;
  for (const [name, text] of texts) at = writeString(to, writeString(to, at, name), text);
  return at > MAX_BYTES ? undefined : to.subarray(0, at);
}

/**
 * The extras with one field more.
 * @param extras bytes of a map without that field; undefined: no extras
 * @returns undefined if the map has no room for a field
 */
export function appendField(extras: Buffer | undefined, field: Buffer): Buffer | undefined {
  const head = extras?.[0] ?? 0x80;
  // A map of at most 15 fields, whose number stands in its first byte.
  if (head < 0x80 || head >= 0x8f) return undefined;
  const rest = extras?.length ?? 1;
  const to = Buffer.allocUnsafe(rest + field.length);
  extras?.copy(to);
  to[0] = head + 1;
  field.copy(to, rest);
  return to;
}

/**
 * The encoded field for a job of which so many bytes are left to the limit. A carrier with much in it goes without all but
 * its first text rather than not at all.
 */
export function traceWithin(carrier: TraceCarrier, left: number): Buffer | undefined {
  const field = encodeTrace(carrier);
  if (field && (field.length <= SMALL_BYTES || field.length <= left)) return field;
  const [first] = Object.entries(carrier);
  const least = first && encodeTrace(Object.fromEntries([first]));
  return least && least.length <= SMALL_BYTES ? least : undefined;
}

/** What most jobs with a trace have: a `traceparent` of 55 characters under `p`, and nothing else. */
const TRACEPARENT_LENGTH = 55;
const PLAIN_HEAD = Buffer.concat([Buffer.from([0x81]), encodedHead()]);

function encodedHead(): Buffer {
  const field = encodeTrace({ p: ' '.repeat(TRACEPARENT_LENGTH) }) as Buffer;
  return field.subarray(0, field.length - TRACEPARENT_LENGTH);
}

const PLAIN_LENGTH = PLAIN_HEAD.length + TRACEPARENT_LENGTH;

/** Extras that have such a carrier and nothing else; undefined if they are of any other form. */
export function readPlainTrace(
  bytes: Buffer,
  from: number,
  to: number,
): { readonly trace: TraceCarrier } | undefined {
  if (to - from !== PLAIN_LENGTH) return undefined;
  for (let i = 0; i < PLAIN_HEAD.length; i++) if (bytes[from + i] !== PLAIN_HEAD[i]) return undefined;
  return { trace: { p: bytes.toString('latin1', from + PLAIN_HEAD.length, to) } };
}
