import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { ALL, filterArgs } from './lib/job-filter.js';
import type { JobFilter, PageBounds, SliceBounds } from './lib/job-filter.js';

export interface ReadEntriesOptions extends SliceBounds, PageBounds {
  /** The first and the last entry id to look at, as XRANGE or XREVRANGE takes them. */
  from: string;
  to: string;
  order: 'oldest' | 'newest';
  state: 'waiting' | 'active' | 'any';
  filter: JobFilter;
}

export interface WorkEntry {
  entryId: string;
  /** '' if the entry has none. */
  id: string;
  /** The msgpack Job; empty if the entry has none. */
  bytes: Buffer;
  name: string;
  /** Who has it; undefined if it waits. */
  consumer: string | undefined;
  /** How many runs of it have started; 0 if it waits. */
  starts: number;
}

export interface ReadEntriesReply {
  /** Where to go on; undefined at the end. */
  next: string | undefined;
  /** How many were passed over. */
  skipped: number;
  entries: WorkEntry[];
}

type Row = [entryId: Buffer, id: Buffer, bytes: Buffer, name: Buffer, consumer: Buffer, starts: number];

/** Reads jobs of a slice of the work stream. */
export async function readEntries(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, to, order, state, skip = 0, take = ALL, entries, bytes, filter }: ReadEntriesOptions,
): Promise<ReadEntriesReply> {
  const args = [from, to, order, state, skip, take, entries, bytes, ...filterArgs(filter)];
  const reply = await runner.run('read-entries', keys, args, { buffers: true, once: true });
  const [next, skipped, ...rows] = reply as [Buffer, number, ...Row[]];
  return {
    next: next.length === 0 ? undefined : next.toString(),
    skipped,
    entries: rows.map(([entryId, id, d, name, consumer, starts]) => ({
      entryId: entryId.toString(),
      id: id.toString(),
      bytes: d,
      name: name.toString(),
      consumer: consumer.length === 0 ? undefined : consumer.toString(),
      starts,
    })),
  };
}
