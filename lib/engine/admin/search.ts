import { decodeTime, isValid } from 'ulid';
import type { QueueKeys } from '../../redis/keys.js';
import type { CommandLink } from '../connection/connections.js';

// Where a job is that no marker leads to. Each search walks, in slices, through all places where the job may be.

/** Where a job was found. */
export interface Place {
  id: string;
  member?: Buffer;
  entryId?: string;
}

/** Members, or entries, of one slice. */
const SLICE = 1_000;

/** Looks for jobs in the delayed set. */
export async function findDelayed(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<Place[]> {
  const found = new Map<string, Buffer>();
  let cursor = '0';
  do {
    const reply = await link.run('find-delayed', keys, [cursor, SLICE, ...ids], { buffers: true });
    const [next, ...pairs] = reply as [Buffer, ...[id: Buffer, member: Buffer][]];
    for (const [id, member] of pairs) found.set(id.toString(), member);
    cursor = next.toString();
  } while (cursor !== '0' && found.size < ids.size);
  return [...found].map(([id, member]) => ({ id, member }));
}

/** Looks for jobs in the work stream: first where most are by the times in their ids. */
export async function findWaiting(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<Place[]> {
  const found = new Map<string, string>();
  const walk = async (from: string, to: string): Promise<void> => {
    for (let at = from; at !== '' && found.size < ids.size;) {
      const reply = await link.run('find', keys, [at, to, SLICE, ...ids]);
      const [next, ...pairs] = reply as [string, ...[id: string, entryId: string][]];
      for (const [id, entryId] of pairs) found.set(id, entryId);
      at = next;
    }
  };
  for (const [from, to] of spansOf(ids)) await walk(`${String(from)}-0`, `${String(to)}-0`);
  const start = startOfSearch(ids);
  await walk(start, '+');
  // Not where it should be by its id: the clock of its producer was ahead.
  if (start !== '-') await walk('-', `(${start}`);
  return [...found].map(([id, entryId]) => ({ id, entryId }));
}

/** By how much a producer's clock may be ahead of Redis's before a search takes longer, in ms. */
const CLOCK_SLACK_MS = 60_000;

/** A job cannot have been added long before its ULID says that it was made. */
export function startOfSearch(ids: Iterable<string>): string {
  let earliest = Infinity;
  for (const id of ids) earliest = Math.min(earliest, isValid(id) ? decodeTime(id) - CLOCK_SLACK_MS : 0);
  return earliest > 0 && earliest < Infinity ? `${String(earliest)}-0` : '-';
}

/** A job that was added at once stands this near to the time in its id, in ms, where clocks agree. */
const NEAR_BEFORE_MS = 20;
const NEAR_AFTER_MS = 500;

/** Times around those in the ids, those that overlap as one. */
function spansOf(ids: Iterable<string>): [from: number, to: number][] {
  const times: number[] = [];
  for (const id of ids) if (isValid(id)) times.push(decodeTime(id));
  times.sort((a, b) => a - b);
  const spans: [from: number, to: number][] = [];
  for (const time of times) {
    const from = Math.max(0, time - NEAR_BEFORE_MS);
    const to = time + NEAR_AFTER_MS;
    const last = spans.at(-1);
    if (last && from <= last[1]) last[1] = to;
    else spans.push([from, to]);
  }
  return spans;
}
