// What scripts write of tracked jobs: see lua/lib/tracked.lua.

/** A range of bytes. */
interface Range {
  readonly source: Buffer;
  readonly from: number;
  readonly to: number;
}

/** How many ended jobs stay, and for how long. */
export interface Bounds {
  readonly count?: number | undefined;
  readonly ageMs?: number | undefined;
}

/** ARGV `most` and `age`. */
export function boundArgs({ count, ageMs }: Bounds): [most: string | number, age: string | number] {
  return [count ?? '', ageMs ?? ''];
}

/** A tracked job that completes. */
export interface TrackedCompletion extends Range {
  /** In the batch, from 0. */
  readonly index: number;
  readonly jobId: string;
  readonly name: string;
  /** False: the job is removed at its end. */
  readonly isKept: boolean;
  /** The id is free as soon as the job has ended. */
  readonly freesId: boolean;
  readonly attempt: number;
  /** Its start is written in `job-runs`, and the record replaces it. */
  readonly announced: boolean;
  /** Unix ms. */
  readonly processedOn: number;
  readonly finishedOn: number;
  /** MessagePack. */
  readonly result: Buffer | undefined;
}

/** Larger jobs are copied inside Redis, not sent. */
const LARGE_BYTES = 4_096;
const RECORD_HEAD = 25;
const FRAME_HEAD = 13;
const NO_RESULT = 0xffffffff;
const KEPT = 1;
const HEAD_ONLY = 2;
const FREES_ID = 4;
const MOST_MS = 2 ** 48 - 1;

/** @param worker who ran the jobs */
export function packCompletions(jobs: readonly TrackedCompletion[], worker: string): Buffer {
  const workerBytes = Buffer.from(worker);
  let bound = 0;
  for (const { jobId, name, result, from, to } of jobs) {
    bound += FRAME_HEAD + RECORD_HEAD + workerBytes.length + (jobId.length + name.length) * 3;
    bound += (result?.length ?? 0) + Math.min(to - from, LARGE_BYTES);
  }
  const frames = Buffer.allocUnsafe(bound);
  let at = 0;
  for (const job of jobs) at = writeCompletion(frames, at, job, workerBytes);
  return frames.subarray(0, at);
}

function writeCompletion(to: Buffer, at: number, job: TrackedCompletion, worker: Buffer): number {
  const { isKept, freesId, announced, attempt } = job;
  const isLarge = job.to - job.from > LARGE_BYTES;
  at = to.writeUInt16BE(job.index + 1, at);
  at = writeText16(to, at, job.jobId);
  at = to.writeUInt32BE(announced ? attempt : 0, at);
  at = to.writeUInt8(
    (isKept ? KEPT : 0) | (isKept && isLarge ? HEAD_ONLY : 0) | (freesId ? FREES_ID : 0),
    at,
  );
  if (!isKept) return to.writeUInt32BE(0, at);
  const from = at + 4;
  const end = writeRecord(to, from, job, worker, isLarge);
  to.writeUInt32BE(end - from, at);
  return end;
}

function writeRecord(
  to: Buffer,
  at: number,
  job: TrackedCompletion,
  worker: Buffer,
  headOnly: boolean,
): number {
  const { result, name } = job;
  to[at++] = 0x63;
  at = to.writeUIntBE(unixMs(job.processedOn), at, 6);
  at = to.writeUIntBE(unixMs(job.finishedOn), at, 6);
  at = to.writeUInt32BE(job.attempt, at);
  at = to.writeUInt32BE(result?.length ?? NO_RESULT, at);
  at = to.writeUInt16BE(worker.length, at);
  const nameAt = at;
  at += 2;
  if (result) at += result.copy(to, at);
  at += worker.copy(to, at);
  const nameBytes = to.write(name, at);
  to.writeUInt16BE(nameBytes, nameAt);
  at += nameBytes;
  return headOnly ? at : at + job.source.copy(to, at, job.from, job.to);
}

/** A clock may say anything. */
function unixMs(value: number): number {
  return value >= 0 && value <= MOST_MS ? Math.floor(value) : 0;
}

/** How a job completed, as its record says. */
export interface CompletedRecord {
  readonly processedOn: number;
  readonly finishedOn: number;
  /** The attempt that completed, from 1. */
  readonly attempt: number;
  readonly worker: string;
  readonly name: string;
  /** MessagePack; undefined if the job has no result. */
  readonly result: Buffer | undefined;
  /** The msgpack Job with its extras. */
  readonly bytes: Buffer;
}

/** Undefined where the bytes are no such record. */
export function readCompletion(record: Buffer): CompletedRecord | undefined {
  if (record.length < RECORD_HEAD || record[0] !== 0x63) return undefined;
  const length = record.readUInt32BE(17);
  const resultEnd = RECORD_HEAD + (length === NO_RESULT ? 0 : length);
  const workerEnd = resultEnd + record.readUInt16BE(21);
  const nameEnd = workerEnd + record.readUInt16BE(23);
  if (nameEnd > record.length) return undefined;
  return {
    processedOn: record.readUIntBE(1, 6),
    finishedOn: record.readUIntBE(7, 6),
    attempt: record.readUInt32BE(13),
    worker: record.toString('utf8', resultEnd, workerEnd),
    name: record.toString('utf8', workerEnd, nameEnd),
    result: length === NO_RESULT ? undefined : record.subarray(RECORD_HEAD, resultEnd),
    bytes: record.subarray(nameEnd),
  };
}

/** An attempt of a tracked job that has failed. */
export interface TrackedAttempt {
  /** In the batch, from 0. */
  readonly index: number;
  readonly jobId: string;
  readonly attempt: number;
  /** JSON. */
  readonly record: string;
}

/** See `write_attempts` of lua/lib/tracked.lua. */
export function packAttempts(attempts: readonly TrackedAttempt[]): Buffer {
  let bound = 0;
  for (const { jobId, record } of attempts) bound += 32 + (jobId.length + record.length) * 3;
  const frames = Buffer.allocUnsafe(bound);
  let at = 0;
  for (const { index, jobId, attempt, record } of attempts) {
    at = frames.writeUInt16BE(index + 1, at);
    at = writeText16(frames, at, jobId);
    at = writeText8(frames, at, String(attempt));
    const length = frames.write(record, at + 4);
    at = frames.writeUInt32BE(length, at) + length;
  }
  return frames.subarray(0, at);
}

/** A tracked job that runs. */
export interface TrackedStart {
  readonly jobId: string;
  readonly entryId: string;
  readonly attempt: number;
  /** JSON. */
  readonly record: string;
}

/** See lua/announce.lua. */
export function packStarts(starts: readonly TrackedStart[]): Buffer {
  let bound = 0;
  for (const { jobId, record } of starts) bound += 80 + (jobId.length + record.length) * 3;
  const frames = Buffer.allocUnsafe(bound);
  let at = 0;
  for (const { jobId, entryId, attempt, record } of starts) {
    at = writeText16(frames, at, jobId);
    at = writeText8(frames, at, entryId);
    at = writeText8(frames, at, String(attempt));
    at = writeText16(frames, at, record);
  }
  return frames.subarray(0, at);
}

/** UTF-8 behind its length in two bytes. */
export function writeText16(to: Buffer, at: number, text: string): number {
  const length = to.write(text, at + 2);
  to[at] = length >>> 8;
  to[at + 1] = length;
  return at + 2 + length;
}

function writeText8(to: Buffer, at: number, text: string): number {
  const length = to.write(text, at + 1);
  to[at] = length;
  return at + 1 + length;
}
