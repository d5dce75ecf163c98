import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { filterArgs } from './lib/job-filter.js';
import type { JobFilter, SliceBounds } from './lib/job-filter.js';
import { toRow } from './lib/job-rows.js';
import type { DelayedMember, RawRow, RoomJob } from './lib/job-rows.js';

export interface FindMembersOptions extends SliceBounds {
  place: 'delayed' | 'room';
  /** What the call before replied; undefined = begin. */
  cursor: string | undefined;
  /** Only the member with this SHA-1 digest, in hex. */
  sha1?: string;
  filter: JobFilter;
}

export interface FindMembersReply {
  /** Where to go on; undefined at the end. */
  cursor: string | undefined;
  /** Redis's clock, unix ms. */
  now: number;
  found: (DelayedMember | RoomJob)[];
}

/** Reads jobs of a slice of the delayed set or of the room, in no order. */
export async function findMembers(
  runner: ScriptRunner,
  keys: QueueKeys,
  { place, cursor = '0', entries, bytes, sha1 = '', filter }: FindMembersOptions,
): Promise<FindMembersReply> {
  const args = [cursor, entries, bytes, place, sha1, ...filterArgs(filter)];
  const reply = await runner.run('find-members', keys, args, {
    ...LARGE_READ,
    read: keys[place],
  });
  const [next, now, ...rows] = reply as [Buffer, Buffer, ...RawRow[]];
  const at = next.toString();
  return {
    cursor: at === '0' ? undefined : at,
    now: Number(now),
    found: rows.map((row) => toRow(row) as DelayedMember | RoomJob),
  };
}
