import type { ScriptArgument } from '../../redis/scripts.js';
import { envelopeBound, writeEnvelope } from '../codec/envelope.js';
import { addColumn } from '../codec/event-batch.js';
import { isImmediate } from './group.js';
import type { Group } from './group.js';
import type { NewJob } from './new-job.js';

// The arguments of lua/add.lua that depend on the jobs.

/** Most bytes of an argument that holds more than one job: a server's `proto-max-bulk-len` may be 1 MB. */
const MAX_PART_BYTES = 256 * 1024;

const FLAG_DELAYED = 1;
const FLAG_ABSOLUTE = 2;
const FLAG_UNIQUE = 4;

/** The frames of the jobs, in strings that any server accepts, and their distinct names. */
export function pack(groups: readonly Group[]): {
  sizes: Buffer;
  parts: Buffer[];
  names: string[];
  anyDelayed: boolean;
} {
  const sizes = Buffer.allocUnsafe(groups.length * 4);
  let bytesLeft = 0;
  groups.forEach((group, index) => {
    sizes.writeUInt32BE(group.jobs.length, index * 4);
    for (const job of group.jobs) bytesLeft += frameBound(job);
  });
  const parts: Buffer[] = [];
  const names: string[] = [];
  const indices = new Map<string, number>();
  let anyDelayed = false;
  let part = Buffer.allocUnsafe(Math.min(bytesLeft, MAX_PART_BYTES));
  let at = 0;
  for (const group of groups) {
    for (const job of group.jobs) {
      let name = indices.get(job.name);
      if (name === undefined) {
        name = names.push(job.name) - 1;
        indices.set(job.name, name);
      }
      anyDelayed ||= !isImmediate(job);
      const bound = frameBound(job);
      if (at + bound > part.length) {
        if (at > 0) parts.push(part.subarray(0, at));
        part = Buffer.allocUnsafe(Math.max(bound, Math.min(bytesLeft, MAX_PART_BYTES)));
        at = 0;
      }
      at = writeFrame(part, at, job, name);
      bytesLeft -= bound;
    }
  }
  parts.push(part.subarray(0, at));
  return { sizes, parts, names, anyDelayed };
}

function frameBound(job: NewJob): number {
  return 23 + envelopeBound(job);
}

function writeFrame(to: Buffer, at: number, job: NewJob, name: number): number {
  const immediate = isImmediate(job);
  let flags = 0;
  if (!immediate) flags |= FLAG_DELAYED;
  if (job.runAtMs !== undefined) flags |= FLAG_ABSOLUTE;
  if (job.uniqueMs !== undefined) flags |= FLAG_UNIQUE;
  const body = at + 7;
  let end = writeEnvelope(to, body, job);
  to[at] = flags;
  to.writeUInt16BE(name, at + 1);
  to.writeUInt32BE(end - body, at + 3);
  if (!immediate) end = to.writeDoubleBE(job.runAtMs ?? job.delayMs ?? 0, end);
  if (job.uniqueMs !== undefined) end = to.writeDoubleBE(job.uniqueMs, end);
  return end;
}

export const NO_BATCH: readonly ScriptArgument[] = [];

/**
 * One entry for the events of all jobs. Empty where each job has an entry of its own: below `from` jobs, or when they have
 * different events.
 */
export function eventBatchOf(groups: readonly Group[], from: number): readonly ScriptArgument[] {
  const jobs = groups.length === 1 ? (groups[0] as Group).jobs : groups.flatMap((group) => group.jobs);
  const [first] = jobs;
  if (!first || jobs.length < from) return NO_BATCH;
  const delayed = !isImmediate(first);
  // Only Redis knows how long it is until an absolute time, so such jobs have entries of their own.
  if (!jobs.every((job) => isImmediate(job) !== delayed && job.runAtMs === undefined)) return NO_BATCH;
  const columns: ScriptArgument[] = [];
  addColumn(columns, 'ids', jobs, ({ id }) => id);
  addColumn(columns, 'names', jobs, ({ name }) => name);
  if (delayed) addColumn(columns, 'delays_ms', jobs, ({ delayMs = 0 }) => delayMs);
  return [delayed ? 'delayed' : 'waiting', columns.length, ...columns];
}
