import { decodeTime, isValid } from 'ulid';
import type { QueueKeys } from '../../redis/keys.js';
import type { CommandLink } from '../connection/connections.js';

// Finds jobs whose id leads to no marker. Each search walks through the places where the jobs may be, slice by slice.

/** A job, and where it was found. */
export interface FoundJob {
  id: string;
  /** Its member of the delayed set. */
  member?: Buffer;
  /** Its entry in the work stream. */
  entryId?: string;
}

/** Members, or entries, of one slice. */
const SLICE = 1_000;

/** Searches the delayed set. */
export async function findDelayed(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<FoundJob[]> {
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

/** Searches the work stream. The times in the ids say where most jobs are, so it looks there first. */
export async function findWaiting(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<FoundJob[]> {
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
  // A job that is not where its id says was added by a producer whose clock was ahead.
  if (start !== '-') await walk('-', `(${start}`);
  return [...found].map(([id, entryId]) => ({ id, entryId }));
}

/** A producer's clock may be ahead of Redis's by so many ms before a search takes longer. */
const CLOCK_SLACK_MS = 60_000;

/** The first entry id to look at: no job was added long before the time in its ULID. */
export function startOfSearch(ids: Iterable<string>): string {
  let earliest = Infinity;
  for (const id of ids) earliest = Math.min(earliest, isValid(id) ? decodeTime(id) - CLOCK_SLACK_MS : 0);
  return earliest > 0 && earliest < Infinity ? `${String(earliest)}-0` : '-';
}

/** Where clocks agree, the entry of a job that was added at once is this near to the time in its id, in ms. */
const NEAR_BEFORE_MS = 20;
const NEAR_AFTER_MS = 500;

/** Spans of time around the times in the ids. Spans that overlap are merged. */
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
