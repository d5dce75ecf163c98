import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { ALL, filterArgs } from './lib/job-filter.js';
import type { JobFilter, PageBounds, SliceBounds } from './lib/job-filter.js';
import { toRow } from './lib/job-rows.js';
import type { RawRow, WorkEntry } from './lib/job-rows.js';

export interface ReadEntriesOptions extends SliceBounds, PageBounds {
  /** The first and the last entry id to look at, as XRANGE takes them, or XREVRANGE for the newest first. */
  from: string;
  to: string;
  order: 'oldest' | 'newest';
  state: 'waiting' | 'active' | 'any';
  filter: JobFilter;
}

export interface ReadEntriesReply {
  /** Where to go on; undefined at the end. */
  next: string | undefined;
  /** How many were passed over. */
  skipped: number;
  entries: WorkEntry[];
}

/** Reads jobs of a slice of the work stream. */
export async function readEntries(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, to, order, state, skip = 0, take = ALL, entries, bytes, filter }: ReadEntriesOptions,
): Promise<ReadEntriesReply> {
  const args = [from, to, order, state, skip, take, entries, bytes, ...filterArgs(filter)];
  const reply = await runner.run('read-entries', keys, args, LARGE_READ);
  const [next, skipped, ...rows] = reply as [Buffer, number, ...RawRow[]];
  return {
    next: next.length === 0 ? undefined : next.toString(),
    skipped,
    entries: rows.map((row) => toRow(row) as WorkEntry),
  };
}
