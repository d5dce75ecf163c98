import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { toRow } from './lib/job-rows.js';
import type { DelayedMember, RawRow } from './lib/job-rows.js';

export interface ReadDelayedOptions {
  order: 'earliest' | 'latest';
  /** Rank of the first job, in this order. */
  rank: number;
  /** The last job that was read before: the slice begins behind it, and `rank` means nothing. */
  after: Pick<DelayedMember, 'member' | 'score'> | undefined;
  /** The most jobs of the slice. */
  take: number;
  /** About how many bytes to read. */
  bytes: number;
}

export interface ReadDelayedReply {
  /** Redis's clock, unix ms. */
  now: number;
  /** Empty at the end of the set. */
  members: DelayedMember[];
}

/** Reads a slice of the delayed set, in the order of the due times. */
export async function readDelayed(
  runner: ScriptRunner,
  keys: QueueKeys,
  { order, rank, after, take, bytes }: ReadDelayedOptions,
): Promise<ReadDelayedReply> {
  const args = [order, rank, take, bytes, after?.score ?? '', after?.member ?? ''];
  const reply = await runner.run('read-delayed', keys, args, LARGE_READ);
  const [now, ...rows] = reply as [Buffer, ...RawRow[]];
  return { now: Number(now), members: rows.map((row) => toRow(row) as DelayedMember) };
}
