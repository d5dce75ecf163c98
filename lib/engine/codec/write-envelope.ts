import type { Envelope, WireRetry } from './envelope.js';
import { writeBinary, writeDouble, writeNil, writeString, writeUint, writeUint64 } from './msgpack.js';
import { locateJob } from './read-envelope.js';

// The layout is fixed to the byte, so no MessagePack library writes it: the encoders for JavaScript write integers above
// 2^32 as float64, which other readers of the stream refuse.

/** Most bytes that {@link writeEnvelope} needs. */
export function envelopeBound(envelope: Envelope): number {
  const kind = envelope.retry?.backoff?.kind.length ?? 0;
  const extras = envelope.extras?.length ?? 0;
  return 80 + envelope.id.length * 3 + envelope.payload.length + kind * 3 + extras;
}

/** Writes the Job and its extras at `at`. Returns the position behind them. */
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

/** The Job and its extras, in a buffer of their own. */
export function encodeEnvelope(envelope: Envelope): Buffer {
  const buffer = Buffer.allocUnsafe(envelopeBound(envelope));
  return buffer.subarray(0, writeEnvelope(buffer, 0, envelope));
}

/** The retry options alone, in the form that they have at the end of a Job. */
export function encodeRetry(retry: WireRetry): Buffer {
  const buffer = Buffer.allocUnsafe(80 + (retry.backoff?.kind.length ?? 0) * 3);
  return buffer.subarray(0, writeRetry(buffer, 0, retry));
}

/** A range of bytes. */
interface Range {
  readonly source: Buffer;
  readonly from: number;
  readonly to: number;
}

/**
 * Writes `[u32 little-endian: byte length of name][name][Job]` at `at`. The Job gets another attempt counter; its other
 * bytes do not change. Needs at most 13 bytes more than name and Job have. Returns the position behind it.
 */
export function writeDelayedMember(
  to: Buffer,
  at: number,
  name: string,
  job: Range,
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

/** The same Job with another attempt counter. Its other bytes do not change. */
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

function writeRetry(to: Buffer, at: number, { maxAttempts, backoff }: WireRetry): number {
  to[at++] = 0x92;
  at = writeOptional(to, at, maxAttempts);
  if (!backoff) return writeNil(to, at);
  to[at++] = 0x95;
  at = writeString(to, at, backoff.kind);
  at = writeUint(to, at, backoff.delayMs);
  at = writeOptional(to, at, backoff.maxDelayMs);
  at = backoff.multiplier === undefined ? writeNil(to, at) : writeDouble(to, at, backoff.multiplier);
  return writeOptional(to, at, backoff.jitterMs);
}

function writeOptional(to: Buffer, at: number, value: number | undefined): number {
  return value === undefined ? writeNil(to, at) : writeUint(to, at, value);
}
