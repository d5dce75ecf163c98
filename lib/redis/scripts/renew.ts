import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { foundEntry } from './lib/found-entry.js';
import type { FoundEntry, FoundRow } from './lib/found-entry.js';

export interface RenewOptions {
  group: string;
  consumerId: string;
  /** The entries that the worker has in flight. */
  entryIds: readonly string[];
  /** An entry that is pending for the worker but not in flight counts as stranded after so many ms. */
  strandedMs: number;
  /** The most stranded entries of one reply. */
  limit: number;
  /** The reply ends after so many bytes of stranded entries. */
  maxBytes: number;
}

export interface RenewReply {
  /** Entry ids that are no longer pending for the worker. */
  lost: string[];
  /** Entries whose delivery never reached the worker. */
  stranded: FoundEntry[];
  /** There are further stranded entries. */
  more: boolean;
  /** Unix ms, by Redis's clock: what was delivered by then, and is not in flight, is stranded, here or in an earlier reply. */
  before: number;
}

/** The heartbeat: renews the leases of what is in flight. */
export async function renew(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group, consumerId, entryIds, strandedMs, limit, maxBytes }: RenewOptions,
): Promise<RenewReply> {
  const args = [group, consumerId, strandedMs, limit, maxBytes, ...entryIds];
  const reply = await runner.run('renew', keys, args, { buffers: true, mostSends: 1 });
  const [lost, stranded, more, before] = reply as [Buffer[], FoundRow[], number, Buffer];
  return {
    lost: lost.map(String),
    stranded: stranded.map(foundEntry),
    more: more === 1,
    before: Number(before.toString()),
  };
}
