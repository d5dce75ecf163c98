import { writeText16 } from './tracked.js';

/** A job of a batch that has a deduplication id. */
export interface EndedDedup {
  /** In the batch, from 0. */
  readonly index: number;
  readonly jobId: string;
  readonly dedupId: string;
}

/** See `release_ended` of lua/lib/dedup.lua; '' if there is no such job. */
export function packDedups(jobs: readonly EndedDedup[]): Buffer | '' {
  if (jobs.length === 0) return '';
  let bound = 0;
  for (const { jobId, dedupId } of jobs) bound += 6 + (jobId.length + dedupId.length) * 3;
  const frames = Buffer.allocUnsafe(bound);
  let at = 0;
  for (const { index, jobId, dedupId } of jobs) {
    at = frames.writeUInt16BE(index + 1, at);
    at = writeText16(frames, at, jobId);
    at = writeText16(frames, at, dedupId);
  }
  return frames.subarray(0, at);
}
