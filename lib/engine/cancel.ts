import { decodeTime, isValid } from 'ulid';
import type { QueueKeys } from '../redis/keys.js';
import type { CommandLink } from './connections.js';
import { decodeEnvelope } from './envelope.js';

/**
 * What became of a job that was to be cancelled. `removed`: it had not started, and never runs. `signalled`: a worker
 * holds it and was told. `gone`: there is no live job of this id.
 */
export type CancelOutcome = 'removed' | 'signalled' | 'gone';

/** How far to go: see lua/cancel.lua. */
type Scope = 'delayed' | 'waiting' | 'running';

/** Of lua/cancel.lua. */
const REMOVED = 1;
const HELD = 2;
const UNKNOWN = 3;

interface Place {
  id: string;
  member?: Buffer;
  entryId?: string;
}

type Look = (link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>) => Promise<Place[]>;

/**
 * Where to look for jobs that have no marker, in this order: a job that is promoted meanwhile is met in the stream, and,
 * where running jobs count, one that goes back for a retry in the delayed set.
 */
const LOOKS: Readonly<Record<Scope, readonly Look[]>> = {
  delayed: [findDelayed],
  waiting: [findDelayed, findWaiting],
  running: [findDelayed, findWaiting, findDelayed],
};

/** Removes jobs that are delayed or wait for a retry. True for one that was still there: it never runs. */
export async function cancelDelayed(
  link: CommandLink,
  keys: QueueKeys,
  ids: readonly string[],
): Promise<boolean[]> {
  return (await take(link, keys, ids, 'delayed')).map((state) => state === REMOVED);
}

/** The same for one that waits in the work stream too. */
export async function removeJob(link: CommandLink, keys: QueueKeys, id: string): Promise<boolean> {
  const [state] = await take(link, keys, [id], 'waiting');
  return state === REMOVED;
}

/** Ends a job wherever it is. */
export async function cancelJob(link: CommandLink, keys: QueueKeys, id: string): Promise<CancelOutcome> {
  const [state] = await take(link, keys, [id], 'running');
  return state === REMOVED ? 'removed' : state === HELD ? 'signalled' : 'gone';
}

/** An id of the caller's is found by its index or its marker; another by walking, in slices, where it may be. */
async function take(
  link: CommandLink,
  keys: QueueKeys,
  ids: readonly string[],
  scope: Scope,
): Promise<number[]> {
  if (ids.length === 0) return [];
  const ask = async (places: readonly Place[]): Promise<number[]> => {
    const args = places.flatMap(({ id, member = '', entryId = '' }) => [id, member, entryId]);
    return (await link.run('cancel', keys, [scope, ...args])) as number[];
  };
  const states = await ask(ids.map((id) => ({ id })));
  const unknown = new Set(ids.filter((_, index) => states[index] === UNKNOWN));
  const found = new Map<string, number>();
  for (const look of LOOKS[scope]) {
    if (unknown.size === 0) break;
    const places = await look(link, keys, unknown);
    if (places.length === 0) continue;
    const answers = await ask(places);
    places.forEach(({ id }, index) => {
      const state = answers[index] ?? UNKNOWN;
      if (state === UNKNOWN) return;
      found.set(id, state);
      unknown.delete(id);
    });
  }
  return states.map((state, index) => (state === UNKNOWN ? (found.get(ids[index] ?? '') ?? UNKNOWN) : state));
}

async function findDelayed(link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>): Promise<Place[]> {
  const found = new Map<string, Buffer>();
  let cursor = '0';
  do {
    const [next, page] = (await link.callBuffer('ZSCAN', [keys.delayed, cursor, 'COUNT', 1000])) as [
      Buffer,
      Buffer[],
    ];
    for (let i = 0; i < page.length; i += 2) {
      const member = page[i] as Buffer;
      const id = idOf(member);
      if (id !== undefined && ids.has(id)) found.set(id, member);
    }
    cursor = next.toString();
  } while (cursor !== '0' && found.size < ids.size);
  return [...found].map(([id, member]) => ({ id, member }));
}

/** Entries of one slice of the work stream. */
const SLICE = 1_000;
/** By how much a producer's clock may be ahead of Redis's before a search takes longer, in ms. */
const CLOCK_SLACK_MS = 60_000;

async function findWaiting(link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>): Promise<Place[]> {
  const found = new Map<string, string>();
  const walk = async (from: string, to: string): Promise<void> => {
    for (let at = from; at !== '' && found.size < ids.size;) {
      const reply = await link.run('find', keys, [at, to, SLICE, ...ids]);
      const [next, ...pairs] = reply as [string, ...[id: string, entryId: string][]];
      for (const [id, entryId] of pairs) found.set(id, entryId);
      at = next;
    }
  };
  const start = startOfSearch(ids);
  await walk(start, '+');
  // Not where it should be by its id: the clock of its producer was ahead.
  if (start !== '-') await walk('-', `(${start}`);
  return [...found].map(([id, entryId]) => ({ id, entryId }));
}

/** A job cannot have been added long before its ULID says that it was made. */
function startOfSearch(ids: ReadonlySet<string>): string {
  let earliest = Infinity;
  for (const id of ids) earliest = Math.min(earliest, isValid(id) ? decodeTime(id) - CLOCK_SLACK_MS : 0);
  return earliest > 0 && earliest < Infinity ? `${String(earliest)}-0` : '-';
}

function idOf(member: Buffer): string | undefined {
  try {
    return decodeEnvelope(member.subarray(4 + member.readUInt32LE(0))).id;
  } catch {
    // A member that is no job cannot be the one looked for.
    return undefined;
  }
}
