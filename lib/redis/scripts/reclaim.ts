import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { foundEntry } from './lib/found-entry.js';
import type { FoundEntry, FoundRow } from './lib/found-entry.js';

export interface ReclaimOptions {
  group: string;
  consumerId: string;
  /** The lease of consumers whose name does not say theirs. */
  leaseMs: number;
  /** For how long all workers could renew their leases, as far as the caller knows. Longer leases are left alone. */
  steadyMs: number;
  /** Nothing is reclaimed if Redis's clock is past this unix ms. */
  latest: number;
  /** The most entries of one call. */
  count: number;
  /** The most entries among them that must run alone. */
  quarantined: number;
  /** The call ends after so many bytes of entries. */
  maxBytes: number;
}

export interface ReclaimReply {
  /** Redis's clock, in unix ms. */
  now: number;
  entries: FoundEntry[];
  /** Ids that were pending, but whose entries are gone. */
  vanished: string[];
}

/** Takes over entries whose lease has run out. */
export async function reclaim(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReclaimOptions,
): Promise<ReclaimReply> {
  const { group, consumerId, leaseMs, steadyMs, latest, count, quarantined, maxBytes } = options;
  const args = [group, consumerId, leaseMs, steadyMs, latest, count, quarantined, maxBytes];
  const reply = await runner.run('reclaim', keys, args, { buffers: true });
  const [now, entries, vanished] = reply as [Buffer, FoundRow[], Buffer[]];
  return { now: Number(now.toString()), entries: entries.map(foundEntry), vanished: vanished.map(String) };
}
