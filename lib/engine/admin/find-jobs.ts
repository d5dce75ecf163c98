import { decodeTime, isValid } from 'ulid';
import type { QueueKeys } from '../../redis/keys.js';
import type { CancelTarget } from '../../redis/scripts/cancel.js';
import { findMembers } from '../../redis/scripts/find-members.js';
import { readEntries } from '../../redis/scripts/read-entries.js';
import type { CommandLink } from '../connection/command-link.js';
import { OPERATION_STEP } from './look/step.js';

// Finds jobs whose id leads to no marker. Each search walks through the places where the jobs may be, slice by slice.

/** Searches the delayed set. */
export function findDelayed(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<CancelTarget[]> {
  return findIn('delayed', link, keys, ids);
}

/** Searches the room. */
export function findInRoom(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<CancelTarget[]> {
  return findIn('room', link, keys, ids);
}

async function findIn(
  place: 'delayed' | 'room',
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<CancelTarget[]> {
  const found = new Map<string, Buffer>();
  let cursor: string | undefined;
  do {
    const slice = await findMembers(link, keys, {
      ...OPERATION_STEP,
      place,
      cursor,
      filter: { jobIds: ids },
    });
    for (const { id, member } of slice.found) found.set(id, member);
    cursor = slice.cursor;
  } while (cursor !== undefined && found.size < ids.size);
  return [...found].map(([id, member]) => ({ id, member }));
}

/** Searches the work stream. The times in the ids say where most jobs are, so it looks there first. */
export async function findWaiting(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<CancelTarget[]> {
  const found = new Map<string, string>();
  const walk = async (from: string, to: string): Promise<void> => {
    let at: string | undefined = from;
    while (at !== undefined && found.size < ids.size) {
      const slice = await readEntries(link, keys, {
        ...OPERATION_STEP,
        from: at,
        to,
        order: 'oldest',
        state: 'any',
        filter: { jobIds: ids },
      });
      for (const { id, entryId } of slice.entries) found.set(id, entryId);
      at = slice.next;
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
export function spansOf(ids: Iterable<string>): [from: number, to: number][] {
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

/**
 * In this order. A job that is promoted during the search is found in the room or in the stream. One that goes back for a retry,
 * or is put back, is found in the second look at the delayed set and at the room.
 */
export const SEARCH_ORDER = [findDelayed, findInRoom, findWaiting, findDelayed, findInRoom] as const;
