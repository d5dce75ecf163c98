import { MAX_CALL_BYTES } from '../connection/read-size.js';
import type { Guarded, ProducerTelemetry } from '../base/telemetry.js';
import type { NewJob } from './new-job.js';

/** Most jobs of one call, so that its script stays within a few ms. */
export const MAX_CALL_JOBS = 2_000;

/** Jobs that were not added, by their index: their id was taken. The value: the job that has it. */
export type Duplicates = ReadonlyMap<number, string>;

/** Jobs of one `enqueue`, or one slice of a large one: Redis accepts or refuses them together. */
export interface Group {
  readonly jobs: readonly NewJob[];
  /** Bytes of their payloads. */
  readonly bytes: number;
  /** Monotonic ms. */
  readonly queuedAt: number;
  /** Longest stream that Redis may leave behind for this group; 0 = no bound. */
  readonly maxStreamLen: number;
  /** The user's `maxStreamLen`, for the error. */
  readonly capacity: number;
  /** Hears of the end. */
  readonly sent: Guarded<ProducerTelemetry>['sent'] | undefined;
  readonly resolve: (duplicates: Duplicates) => void;
  readonly reject: (error: unknown) => void;
}

export const NO_DUPLICATES: Duplicates = new Map();

/** Settles a group that Redis has accepted. */
export function accept({ sent, jobs, queuedAt, resolve }: Group, duplicates: Duplicates): void {
  sent?.(jobs, queuedAt, undefined, duplicates.size);
  resolve(duplicates);
}

/** Settles a group that was not added, or of which that is not known. */
export function refuse({ sent, jobs, queuedAt, reject }: Group, error: unknown): void {
  sent?.(jobs, queuedAt, error);
  reject(error);
}

export function payloadBytes(jobs: readonly NewJob[]): number {
  let bytes = 0;
  for (const job of jobs) bytes += job.payload.length;
  return bytes;
}

/** Whether the jobs fit into one call. A single job may be larger than the bound. */
export function fitsOneCall(jobs: readonly NewJob[], bytes: number): boolean {
  return jobs.length <= MAX_CALL_JOBS && (bytes <= MAX_CALL_BYTES || jobs.length <= 1);
}

/** How many of the first groups go into one call. All groups of a call have the same `maxStreamLen`. */
export function groupsOfNextCall(pending: readonly Group[]): { count: number; jobs: number } {
  let count = 0;
  let jobs = 0;
  let bytes = 0;
  const bound = pending[0]?.maxStreamLen;
  for (const group of pending) {
    if (group.maxStreamLen !== bound) break;
    bytes += group.bytes;
    if (count > 0 && (jobs + group.jobs.length > MAX_CALL_JOBS || bytes > MAX_CALL_BYTES)) break;
    jobs += group.jobs.length;
    count += 1;
  }
  return { count, jobs };
}
