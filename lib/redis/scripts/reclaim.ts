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
  /** About how many events are kept; 0 = none are written. */
  eventsCap: number;
}

/** An entry that was reclaimed. */
export interface ReclaimedEntry extends FoundEntry {
  /** The lease of its worker ran out. False if its worker handed it over. */
  readonly stalled: boolean;
}

export interface ReclaimReply {
  /** Redis's clock, in unix ms. */
  now: number;
  entries: ReclaimedEntry[];
  /** Ids that were pending, but whose entries are gone. */
  vanished: string[];
  /** To be confirmed when these jobs have started; undefined: nobody counts starts. */
  unconfirmed: string | undefined;
  /** Rate limits have left some for later: ask again in so many ms. */
  waitMs: number | undefined;
}

type ReclaimedRow = [...FoundRow, stalled: number];

/** Takes over entries whose lease has run out. */
export async function reclaim(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReclaimOptions,
): Promise<ReclaimReply> {
  const { group, consumerId, leaseMs, steadyMs, latest, count, quarantined, maxBytes, eventsCap } = options;
  const args = [group, consumerId, leaseMs, steadyMs, latest, count, quarantined, maxBytes, eventsCap];
  const reply = await runner.run('reclaim', keys, args, { buffers: true });
  const [now, rows, vanished, starts, wait] = reply as [Buffer, ReclaimedRow[], Buffer[], Buffer, Buffer];
  const entries = rows.map(([id, starts, fields, cancelled, stalled]) => ({
    ...foundEntry([id, starts, fields, cancelled]),
    stalled: stalled === 1,
  }));
  return {
    now: Number(now.toString()),
    entries,
    vanished: vanished.map(String),
    unconfirmed: starts.length === 0 ? undefined : starts.toString(),
    waitMs: wait.length === 0 ? undefined : Number(wait.toString()),
  };
}
