import { DecodeError } from '../base/errors.js';

/** Backoff as it travels: `[kind, delay_ms, max_delay_ms | nil, multiplier | nil, jitter_ms | nil]`. */
export interface WireBackoff {
  kind: string;
  delayMs: number;
  maxDelayMs?: number | undefined;
  multiplier?: number | undefined;
  jitterMs?: number | undefined;
}

/** Retry options of one job as they travel: `[max_attempts | nil, backoff | nil]`. */
export interface WireRetry {
  maxAttempts?: number | undefined;
  backoff?: WireBackoff | undefined;
}

/** The msgpack Job: a positional array of 4 or 5, and the map of its extras behind it. */
export interface Envelope {
  id: string;
  /** MessagePack of the user's data, embedded as it is. */
  payload: Buffer;
  createdAtMs: number;
  /** Attempts used so far: 0 on the first delivery. */
  attempt: number;
  retry?: WireRetry | undefined;
  /** The map behind the Job: see extras.ts. */
  extras?: Buffer | undefined;
}

// Written by hand because the layout is fixed to the byte: MessagePack encoders for JavaScript write integers above
// 2^32 as float64, which other readers of the stream refuse.

/** Bytes that {@link writeEnvelope} may need at most. */
export function envelopeBound(envelope: Envelope): number {
  const kind = envelope.retry?.backoff?.kind.length ?? 0;
  const extras = envelope.extras?.length ?? 0;
  return 80 + envelope.id.length * 3 + envelope.payload.length + kind * 3 + extras;
}

/** Writes the Job at `at`; returns the position behind it. */
export function writeEnvelope(to: Buffer, at: number, envelope: Envelope): number {
  to[at++] = envelope.retry === undefined ? 0x94 : 0x95;
  at = writeString(to, at, envelope.id);
  at = writeBinary(to, at, envelope.payload);
  at = writeUint64(to, at, envelope.createdAtMs);
  at = writeUint(to, at, envelope.attempt);
  if (envelope.retry !== undefined) at = writeRetry(to, at, envelope.retry);
  if (envelope.extras !== undefined) at += envelope.extras.copy(to, at);
  return at;
}

/** The Job alone, in a buffer of its own. */
export function encodeEnvelope(envelope: Envelope): Buffer {
  const buffer = Buffer.allocUnsafe(envelopeBound(envelope));
  return buffer.subarray(0, writeEnvelope(buffer, 0, envelope));
}

/** The retry options alone, as they stand at the end of a Job. */
export function encodeRetry(retry: WireRetry): Buffer {
  const buffer = Buffer.allocUnsafe(80 + (retry.backoff?.kind.length ?? 0) * 3);
  return buffer.subarray(0, writeRetry(buffer, 0, retry));
}

/** Where bytes stand, in other bytes. */
interface BytesOf {
  readonly source: Buffer;
  readonly from: number;
  readonly to: number;
}

/**
 * Writes `[u32 little-endian: byte length of name][name][Job]` at `at`, the Job with another attempt counter; every other
 * byte of it stays as it is. Needs at most the bytes of name and Job and 13 more. Returns the position behind it.
 */
export function writeDelayedMember(
  to: Buffer,
  at: number,
  name: string,
  job: BytesOf,
  attempt: number,
): number {
  const { source } = job;
  const { attemptFrom, attemptTo } = locateJob(source, job.from, job.to);
  const nameBytes = to.write(name, at + 4);
  at = to.writeUInt32LE(nameBytes, at) + nameBytes;
  at += source.copy(to, at, job.from, attemptFrom);
  at = writeUint(to, at, attempt);
  return at + source.copy(to, at, attemptTo, job.to);
}

function writeRetry(to: Buffer, at: number, retry: WireRetry): number {
  to[at++] = 0x92;
  at = retry.maxAttempts === undefined ? writeNil(to, at) : writeUint(to, at, retry.maxAttempts);
  const backoff = retry.backoff;
  if (!backoff) return writeNil(to, at);
  to[at++] = 0x95;
  at = writeString(to, at, backoff.kind);
  at = writeUint(to, at, backoff.delayMs);
  at = backoff.maxDelayMs === undefined ? writeNil(to, at) : writeUint(to, at, backoff.maxDelayMs);
  if (backoff.multiplier === undefined) at = writeNil(to, at);
  else {
    to[at] = 0xcb;
    at = to.writeDoubleBE(backoff.multiplier, at + 1);
  }
  return backoff.jitterMs === undefined ? writeNil(to, at) : writeUint(to, at, backoff.jitterMs);
}

function writeNil(to: Buffer, at: number): number {
  to[at] = 0xc0;
  return at + 1;
}

function writeString(to: Buffer, at: number, text: string): number {
  const length = Buffer.byteLength(text);
  if (length < 32) to[at++] = 0xa0 | length;
  else if (length < 256) {
    to[at++] = 0xd9;
    to[at++] = length;
  } else {
    to[at] = 0xda;
    at = to.writeUInt16BE(length, at + 1);
  }
  return at + to.write(text, at, length === text.length ? 'latin1' : 'utf8');
}

function writeBinary(to: Buffer, at: number, bytes: Buffer): number {
  const length = bytes.length;
  if (length < 256) {
    to[at++] = 0xc4;
    to[at++] = length;
  } else if (length < 65_536) {
    to[at] = 0xc5;
    at = to.writeUInt16BE(length, at + 1);
  } else {
    to[at] = 0xc6;
    at = to.writeUInt32BE(length, at + 1);
  }
  to.set(bytes, at);
  return at + length;
}

function writeUint64(to: Buffer, at: number, value: number): number {
  to[at] = 0xcf;
  at = to.writeUInt32BE(Math.floor(value / 2 ** 32), at + 1);
  return to.writeUInt32BE(value % 2 ** 32, at);
}

function writeUint(to: Buffer, at: number, value: number): number {
  if (value < 0x80) {
    to[at] = value;
    return at + 1;
  }
  if (value < 0x100) {
    to[at] = 0xcc;
    to[at + 1] = value;
    return at + 2;
  }
  if (value < 0x10000) {
    to[at] = 0xcd;
    return to.writeUInt16BE(value, at + 1);
  }
  if (value <= 0xffffffff) {
    to[at] = 0xce;
    return to.writeUInt32BE(value, at + 1);
  }
  return writeUint64(to, at, value);
}

const NOTHING = Buffer.alloc(0);

/** A read position in some bytes; every method throws DecodeError where the bytes are not what is asked for. */
class Cursor {
  bytes: Buffer = NOTHING;
  at = 0;
  end = 0;

  on(bytes: Buffer, from: number, to: number): this {
    this.bytes = bytes;
    this.at = from;
    this.end = to;
    return this;
  }

  head(what: string): number {
    if (this.at >= this.end) throw new DecodeError(`Not a Job: the bytes end where ${what} should be`);
    return this.bytes[this.at++] as number;
  }

  span(length: number, what: string): number {
    const from = this.at;
    this.at += length;
    if (this.at > this.end) throw new DecodeError(`Not a Job: the bytes end inside ${what}`);
    return from;
  }

  number(width: 1 | 2 | 4, what: string): number {
    return this.bytes.readUIntBE(this.span(width, what), width);
  }

  array(what: string): number {
    const head = this.head(what);
    if (head >= 0x90 && head <= 0x9f) return head & 0x0f;
    if (head === 0xdc) return this.number(2, what);
    throw new DecodeError(`Not a Job: ${what} is not an array (byte 0x${head.toString(16)})`);
  }

  string(what: string): string {
    const head = this.head(what);
    let length: number;
    if (head >= 0xa0 && head <= 0xbf) length = head & 0x1f;
    else if (head === 0xd9) length = this.number(1, what);
    else if (head === 0xda) length = this.number(2, what);
    else throw new DecodeError(`Not a Job: ${what} is not a string (byte 0x${head.toString(16)})`);
    const from = this.span(length, what);
    return this.bytes.toString('utf8', from, from + length);
  }

  /** Passes over it; where it starts. It ends at `at`. */
  binary(what: string): number {
    const head = this.head(what);
    const width = head === 0xc4 ? 1 : head === 0xc5 ? 2 : head === 0xc6 ? 4 : 0;
    if (width === 0) throw new DecodeError(`Not a Job: ${what} is not binary (byte 0x${head.toString(16)})`);
    return this.span(this.number(width, what), what);
  }

  uint(what: string): number {
    const head = this.head(what);
    if (head <= 0x7f) return head;
    switch (head) {
      case 0xcc:
        return this.number(1, what);
      case 0xcd:
        return this.number(2, what);
      case 0xce:
        return this.number(4, what);
      case 0xcf: {
        const from = this.span(8, what);
        return this.bytes.readUInt32BE(from) * 2 ** 32 + this.bytes.readUInt32BE(from + 4);
      }
      default:
        throw new DecodeError(`Not a Job: ${what} is not an unsigned integer (byte 0x${head.toString(16)})`);
    }
  }

  float(what: string): number {
    if (this.at >= this.end || this.bytes[this.at] !== 0xcb) return this.uint(what);
    this.at += 1;
    return this.bytes.readDoubleBE(this.span(8, what));
  }

  /** `read()`, or undefined for nil. */
  optional<T>(read: () => T): T | undefined {
    if (this.at >= this.end || this.bytes[this.at] !== 0xc0) return read();
    this.at += 1;
    return undefined;
  }
}

/** A Job whose payload and attempt counter are told by their places, from the start of the bytes it was read from. */
export interface LocatedJob {
  id: string;
  payloadFrom: number;
  payloadTo: number;
  createdAtMs: number;
  attempt: number;
  attemptFrom: number;
  attemptTo: number;
  retry: WireRetry | undefined;
  /** Where the Job ends; from there on, to the end of the bytes, stands the map of its extras, if it has any. */
  jobTo: number;
}

const cursor = new Cursor();
const located: LocatedJob = {
  id: '',
  payloadFrom: 0,
  payloadTo: 0,
  createdAtMs: 0,
  attempt: 0,
  attemptFrom: 0,
  attemptTo: 0,
  retry: undefined,
  jobTo: 0,
};

/**
 * Reads the Job between two places of some bytes. One record serves all calls: it is to be read before the next.
 * @throws DecodeError (CMQ-003) where the bytes are not a Job; neither the payload nor the extras are looked at.
 */
export function locateJob(bytes: Buffer, from = 0, to = bytes.length): Readonly<LocatedJob> {
  cursor.on(bytes, from, to);
  const arity = cursor.array('the Job');
  if (arity !== 4 && arity !== 5)
    throw new DecodeError(`Not a Job: ${String(arity)} elements instead of 4 or 5`);
  located.id = cursor.string('the id');
  located.payloadFrom = cursor.binary('the payload');
  located.payloadTo = cursor.at;
  located.createdAtMs = cursor.uint('created_at_ms');
  located.attemptFrom = cursor.at;
  located.attempt = cursor.uint('the attempt');
  located.attemptTo = cursor.at;
  located.retry = arity === 5 ? cursor.optional(readRetry) : undefined;
  located.jobTo = cursor.at;
  if (cursor.at !== to && !isMap(bytes[cursor.at])) {
    throw new DecodeError(`Not a Job: ${String(to - cursor.at)} bytes too many`);
  }
  return located;
}

function isMap(head = 0): boolean {
  return (head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf;
}

function readRetry(): WireRetry {
  const arity = cursor.array('retry');
  if (arity !== 2) throw new DecodeError(`Not a Job: retry has ${String(arity)} elements instead of 2`);
  const maxAttempts = cursor.optional(() => cursor.uint('max_attempts'));
  const backoff = cursor.optional((): WireBackoff => {
    const fields = cursor.array('backoff');
    if (fields !== 5) throw new DecodeError(`Not a Job: backoff has ${String(fields)} elements instead of 5`);
    return {
      kind: cursor.string('kind'),
      delayMs: cursor.uint('delay_ms'),
      maxDelayMs: cursor.optional(() => cursor.uint('max_delay_ms')),
      multiplier: cursor.optional(() => cursor.float('multiplier')),
      jitterMs: cursor.optional(() => cursor.uint('jitter_ms')),
    };
  });
  return { maxAttempts, backoff };
}

/** @throws DecodeError (CMQ-003) where the bytes are not a Job; the payload inside is not looked at. */
export function decodeEnvelope(bytes: Buffer): Envelope {
  const { id, payloadFrom, payloadTo, createdAtMs, attempt, retry } = locateJob(bytes);
  return { id, payload: bytes.subarray(payloadFrom, payloadTo), createdAtMs, attempt, retry };
}

/** The same Job with another attempt counter; every other byte stays as it is. */
export function withAttempt(bytes: Buffer, attempt: number): Buffer {
  const { attemptFrom, attemptTo } = locateJob(bytes);
  const counter = Buffer.allocUnsafe(9);
  const written = writeUint(counter, 0, attempt);
  return Buffer.concat([
    bytes.subarray(0, attemptFrom),
    counter.subarray(0, written),
    bytes.subarray(attemptTo),
  ]);
}
