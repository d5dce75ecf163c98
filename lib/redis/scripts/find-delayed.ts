import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { filterArgs } from './lib/job-filter.js';
import type { JobFilter, SliceBounds } from './lib/job-filter.js';
import { toRow } from './lib/job-rows.js';
import type { DelayedMember, RawRow } from './lib/job-rows.js';

export interface FindDelayedOptions extends SliceBounds {
  /** What the call before replied; undefined = begin. */
  cursor: string | undefined;
  filter: JobFilter;
}

export interface FindDelayedReply {
  /** Where to go on; undefined at the end. */
  cursor: string | undefined;
  /** Redis's clock, unix ms. */
  now: number;
  found: DelayedMember[];
}

/** Reads jobs of a slice of the delayed set, in no order. */
export async function findDelayed(
  runner: ScriptRunner,
  keys: QueueKeys,
  { cursor = '0', entries, bytes, filter }: FindDelayedOptions,
): Promise<FindDelayedReply> {
  const args = [cursor, entries, bytes, ...filterArgs(filter)];
  const reply = await runner.run('find-delayed', keys, args, { buffers: true, once: true });
  const [next, now, ...rows] = reply as [Buffer, Buffer, ...RawRow[]];
  const at = next.toString();
  return {
    cursor: at === '0' ? undefined : at,
    now: Number(now),
    found: rows.map((row) => toRow(row) as DelayedMember),
  };
}
