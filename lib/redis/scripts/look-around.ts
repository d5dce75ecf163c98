import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { filterArgs } from './lib/job-filter.js';
import type { JobFilter } from './lib/job-filter.js';
import { toRow } from './lib/job-rows.js';
import type { JobRow, RawRow } from './lib/job-rows.js';

export interface LookAroundOptions {
  /** Look at entries and dead letters that were added after these ids. Undefined: only at the last few. */
  after: Newest | undefined;
  filter: JobFilter;
}

/** The ids and the number that Redis gave out last. */
export interface Newest {
  readonly entryId: string;
  readonly letterId: string;
  /** The number of the job that came into the room last. */
  readonly number: string;
}

export interface LookAroundReply {
  /** Whether everything was looked at that was added after the two ids. */
  isAll: boolean;
  newest: Newest;
  /** Redis's clock, unix ms. */
  now: number;
  rows: JobRow[];
}

/** Looks for jobs, in one step, where those are that move at this time. */
export async function lookAround(
  runner: ScriptRunner,
  keys: QueueKeys,
  { after, filter }: LookAroundOptions,
): Promise<LookAroundReply> {
  const args = [after?.entryId ?? '', after?.letterId ?? '', ...filterArgs(filter)];
  const reply = await runner.run('look-around', keys, args, LARGE_READ);
  const [all, entryId, letterId, now, number, ...rows] = reply as [
    number,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    ...RawRow[],
  ];
  return {
    isAll: all === 1,
    newest: { entryId: entryId.toString(), letterId: letterId.toString(), number: number.toString() },
    now: Number(now),
    rows: rows.map(toRow),
  };
}
