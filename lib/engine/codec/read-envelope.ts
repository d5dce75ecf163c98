import { DecodeError } from '../base/errors.js';
import type { Envelope, WireBackoff, WireRetry } from './envelope.js';

const NOTHING = Buffer.alloc(0);

/** A read position. Every method throws a DecodeError if the bytes are not what it reads. */
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

  /** Skips it. Returns where it starts; it ends at `at`. */
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

  /** Returns `read()`, or undefined for nil. */
  optional<T>(read: () => T): T | undefined {
    if (this.at >= this.end || this.bytes[this.at] !== 0xc0) return read();
    this.at += 1;
    return undefined;
  }
}

/** A Job, with the offsets of its payload and its attempt counter in the bytes that it was read from. */
export interface LocatedJob {
  id: string;
  payloadFrom: number;
  payloadTo: number;
  createdAtMs: number;
  attempt: number;
  attemptFrom: number;
  attemptTo: number;
  retry: WireRetry | undefined;
  /** Where the Job ends. What follows is the map of its extras, or is ignored: see extras.ts. */
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
 * Reads the Job in a range of bytes. All calls return the same record: use it before the next call.
 * @throws DecodeError (CMQ-003) if the bytes are not a Job. Neither the payload nor what follows the Job is checked.
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
  return located;
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

/** @throws DecodeError (CMQ-003) if the bytes are not the retry options of a Job: see encodeRetry. */
export function decodeRetry(bytes: Buffer): WireRetry {
  cursor.on(bytes, 0, bytes.length);
  return readRetry();
}

/** @throws DecodeError (CMQ-003) if the bytes are not a Job. The payload is not checked. */
export function decodeEnvelope(bytes: Buffer): Envelope {
  const { id, payloadFrom, payloadTo, createdAtMs, attempt, retry } = locateJob(bytes);
  return { id, payload: bytes.subarray(payloadFrom, payloadTo), createdAtMs, attempt, retry };
}
