import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface FindWaitingOptions {
  /** The first and the last entry id to look at, as XRANGE takes them. */
  from: string;
  to: string;
  /** About how many entries to look at. */
  entries: number;
  jobIds: Iterable<string>;
}

export interface FindWaitingReply {
  /** Where to go on; undefined at the end. */
  next: string | undefined;
  found: { id: string; entryId: string }[];
}

/** Looks for jobs in a slice of the work stream. */
export async function findWaiting(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, to, entries, jobIds }: FindWaitingOptions,
): Promise<FindWaitingReply> {
  const reply = await runner.run('find-waiting', keys, [from, to, entries, ...jobIds]);
  const [next, ...pairs] = reply as [string, ...[id: string, entryId: string][]];
  return { next: next === '' ? undefined : next, found: pairs.map(([id, entryId]) => ({ id, entryId })) };
}
