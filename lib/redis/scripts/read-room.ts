import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { toRow } from './lib/job-rows.js';
import type { RawRow, RoomJob } from './lib/job-rows.js';

/** The jobs with lifo; those with a priority; those of all groups, group by group; those of one group. */
export type RoomPart = 'lifo' | 'prioritized' | 'grouped' | { readonly group: string };

export interface ReadRoomOptions {
  part: RoomPart;
  /** Which jobs come first: those that run first, or those that run last. */
  order: 'first' | 'last';
  /** How many jobs of the part come before the slice. */
  skip: number;
  /** The last job that was read before: the slice begins behind it, and `skip` means nothing. */
  after: Pick<RoomJob, 'member'> | undefined;
  /** The most jobs of the slice. */
  take: number;
  /** About how many bytes to read. */
  bytes: number;
}

export interface ReadRoomReply {
  /** How many jobs the part has. */
  total: number;
  /** Empty at the end. */
  jobs: RoomJob[];
}

/** Reads a slice of one part of the room, in the order in which the jobs run. */
export async function readRoom(
  runner: ScriptRunner,
  keys: QueueKeys,
  { part, order, skip, after, take, bytes }: ReadRoomOptions,
): Promise<ReadRoomReply> {
  const [name, group] = typeof part === 'string' ? [part, ''] : ['group', part.group];
  const args = [name, group, order, skip, take, bytes, after?.member ?? ''];
  const reply = await runner.run('read-room', keys, args, LARGE_READ);
  const [total, ...rows] = reply as [number, ...RawRow[]];
  return { total, jobs: rows.map((row) => toRow(row) as RoomJob) };
}
