import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { decodeEnvelope } from '../../../lib/engine/codec/read-envelope.js';
import type { QueueKeys } from '../../../lib/redis/keys.js';
import { eventsIn } from '../events.js';
import type { LedgerRecord } from './ledger.mjs';

/** What Redis holds of a queue. */
export interface Stored {
  /** Job ids, one for each place in which a job is. */
  readonly stream: readonly string[];
  readonly delayed: readonly string[];
  readonly room: readonly string[];
  readonly dlq: readonly string[];
  /** Job ids of the `completed` events: written in the step that ends a job, so each is a commit. */
  readonly commits: readonly string[];
}

export interface Findings {
  /** Ids, and runs, by kind of record. */
  readonly attempted: number;
  readonly acked: number;
  readonly unknown: number;
  readonly finished: number;
  readonly committed: number;
  /** Acknowledged, and then neither finished nor stored nor removed. */
  readonly lost: readonly string[];
  /** Ran, or is stored, without having been attempted; or with another payload. */
  readonly phantom: readonly string[];
  /** Ran, or is stored, although the add was refused. */
  readonly refusedButThere: readonly string[];
  /** Completed more than once. */
  readonly committedTwice: readonly string[];
  /** In two places, or twice in one. */
  readonly placedTwice: readonly string[];
  /** An acknowledged job that was committed and never finished. */
  readonly committedUnrun: readonly string[];
  /** Handler calls beyond the first of an attempt. */
  readonly extraRuns: number;
}

export function readLedger(path: string): LedgerRecord[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerRecord);
}

export async function readStored(client: Redis, keys: QueueKeys): Promise<Stored> {
  const entryIds = async (stream: string): Promise<string[]> =>
    (await client.xrangeBuffer(stream, '-', '+')).map(([, fields]) => {
      const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === 'd');
      return decodeEnvelope(fields[at + 1]!).id;
    });
  const members = async (set: string): Promise<Buffer[]> =>
    (await client.callBuffer('ZRANGE', set, '0', '-1')) as Buffer[];
  const idOf = (member: Buffer): string => decodeEnvelope(member.subarray(4 + member.readUInt32LE(0))).id;
  const events = await eventsIn(client, keys.events);
  return {
    stream: await entryIds(keys.stream),
    dlq: await entryIds(keys.dlq),
    delayed: (await members(keys.delayed)).map(idOf),
    // Behind the group, the rank, the number and the keep: see lua/lib/room.lua.
    room: (await members(keys.room)).map((member) => idOf(member.subarray(22 + member.readUInt16BE(0)))),
    commits: events.flatMap(({ e, id = '' }) => (e === 'completed' ? [id] : [])),
  };
}

/** Compares what the processes wrote down with what Redis holds. `removed`: ids that somebody asked to remove. */
export function compare(
  records: readonly LedgerRecord[],
  stored: Stored,
  removed: readonly string[] = [],
): Findings {
  const of = (kind: LedgerRecord['kind']): LedgerRecord[] => records.filter((record) => record.kind === kind);
  const idsOf = (kind: LedgerRecord['kind']): Set<string> => new Set(of(kind).map(({ id }) => id));
  const attempted = idsOf('ATTEMPT');
  const acked = idsOf('ACK');
  const unknown = idsOf('UNKNOWN');
  const refused = idsOf('REJECT');
  const finished = idsOf('FINISH');
  const hashes = new Map<string, Set<string | undefined>>();
  for (const { id, hash } of of('ATTEMPT')) hashes.set(id, (hashes.get(id) ?? new Set()).add(hash));

  const places = [...stored.stream, ...stored.delayed, ...stored.room, ...stored.dlq];
  const placed = new Set(places);
  const starts = of('START');
  const seen = new Set([...placed, ...starts.map(({ id }) => id)]);
  const runs = new Map<string, number>();
  for (const { id, attempt } of starts) {
    const run = `${id} ${attempt ?? 0}`;
    runs.set(run, (runs.get(run) ?? 0) + 1);
  }
  const gone = new Set(removed);
  const phantom = new Set([...seen].filter((id) => !attempted.has(id)));
  for (const { id, hash } of starts) if (hashes.has(id) && !hashes.get(id)?.has(hash)) phantom.add(id);
  return {
    attempted: attempted.size,
    acked: acked.size,
    unknown: unknown.size,
    finished: finished.size,
    committed: new Set(stored.commits).size,
    lost: [...acked].filter((id) => !finished.has(id) && !placed.has(id) && !gone.has(id)),
    phantom: [...phantom],
    refusedButThere: [...refused].filter((id) => seen.has(id) && !acked.has(id) && !unknown.has(id)),
    committedTwice: repeated(stored.commits),
    placedTwice: repeated(places),
    committedUnrun: [...new Set(stored.commits)].filter((id) => !finished.has(id)),
    extraRuns: [...runs.values()].reduce((sum, count) => sum + count - 1, 0),
  };
}

export interface Tier {
  /** Adds that may be lost. Default 0. */
  readonly lost?: number;
  /** Runs that may happen again: what the faulted party had in flight. Default 0. */
  readonly extraRuns?: number;
}

/** What of the findings breaks the promise, in words; empty = nothing. */
export function violations(findings: Findings, { lost = 0, extraRuns = 0 }: Tier = {}): string[] {
  const found: string[] = [];
  const none = (what: string, ids: readonly string[]): void => {
    if (ids.length > 0) found.push(`${what}: ${ids.length} (${ids.slice(0, 5).join(', ')})`);
  };
  if (findings.lost.length > lost) none('lost', findings.lost);
  none('phantom', findings.phantom);
  none('refused, but there', findings.refusedButThere);
  none('committed twice', findings.committedTwice);
  none('in two places', findings.placedTwice);
  none('committed without a run', findings.committedUnrun);
  if (findings.extraRuns > extraRuns) found.push(`extra runs: ${findings.extraRuns}, allowed: ${extraRuns}`);
  return found;
}

function repeated(ids: readonly string[]): string[] {
  const once = new Set<string>();
  return [...new Set(ids.filter((id) => once.has(id) || !once.add(id)))];
}
