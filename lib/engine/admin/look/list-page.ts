import type { QueueKeys } from '../../../redis/keys.js';
import type { SliceBounds } from '../../../redis/scripts/lib/job-filter.js';
import { countJobs } from '../../../redis/scripts/count-jobs.js';
import { readDeadLetterIds } from '../../../redis/scripts/read-dead-letters.js';
import type { ReadDeadLettersOptions } from '../../../redis/scripts/read-dead-letters.js';
import { readEntries } from '../../../redis/scripts/read-entries.js';
import { readRoom } from '../../../redis/scripts/read-room.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Job, JobOwner } from '../../job/job.js';
import { listJobs, readFailed, readWork } from './lists.js';
import type { Part, ReadPart } from './lists.js';
import { LETTER_STEP, STEP } from './step.js';
import { addTracked } from './with-tracked.js';

/** The lists that are streams. A stream does not know which entry is the millionth. */
export type StreamList = 'waiting' | 'failed';

/** A page, the newest job first, by index from 0. */
export interface PageRange {
  readonly skip: number;
  readonly take: number;
  /** Where earlier pages have begun, by index, as {@link ListPage.positions} said. */
  readonly known?: ReadonlyMap<number, string> | undefined;
}

export interface ListPage {
  readonly jobs: Job[];
  /** The page is about where its index says. */
  readonly isNear: boolean;
  /** Where this page begins, and where the next one does, by index. Empty for a page that is read from an end of the list. */
  readonly positions: readonly (readonly [index: number, position: string])[];
}

/** So many jobs at both ends of a list are counted. In between, a page is where its index probably is. */
export const COUNTED = 5_000;
/** Behind the newest entry. */
const END = '+';
/** The greatest second part of an id. */
const LAST_SEQ = String(2n ** 64n - 1n);
/** Large entries: so many calls count from one end, and no more. */
const MOST_STEPS = 50;

/**
 * Reads a page of a stream, in a time that does not depend on its length. Near both ends it counts. In the middle, it takes the
 * times of the entries for evenly spread, and goes on from pages that were read before.
 */
export async function readPage(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  list: StreamList,
  { skip, take, known = new Map() }: PageRange,
): Promise<ListPage> {
  const { before, length, after } = await extentOf(link, keys, list);
  const offset = skip - before;
  const exactly = { isNear: false, positions: [] };
  if (offset < COUNTED) {
    const range = { start: skip, end: skip + take - 1, asc: false };
    return { jobs: await listJobs(owner, link, keys, [list], range), ...exactly };
  }
  // Of the entries and of what is behind them, so many are read before this page if the list is read from its other end.
  const behindPage = length + after - offset - take;
  if (behindPage < COUNTED + after) {
    return { jobs: await fromOtherEnd(owner, link, keys, list, behindPage, take), ...exactly };
  }
  const read = (part: Part): Promise<ReadPart> =>
    list === 'waiting' ? readWork('waiting', owner, link, keys, part) : readFailed(owner, link, keys, part);
  const behind = known.get(skip + take);
  let at = known.get(skip);
  let page: ReadPart | undefined;
  if (at === undefined && behind !== undefined) {
    page = await read({ skip: 0, take, asc: true, at: opposite(behind) });
    page.jobs.reverse();
    at = page.next === undefined ? END : opposite(page.next);
    page = { ...page, next: behind };
  } else {
    at ??= await estimate(link, keys, list, { offset, length });
    page = await read({ skip: 0, take, asc: false, at });
  }
  await addTracked(link, keys, page.jobs);
  const positions: [number, string][] = at === END ? [] : [[skip, at]];
  if (page.next !== undefined) positions.push([skip + take, page.next]);
  return { jobs: page.jobs, isNear: true, positions };
}

/** How many jobs come before those of the stream, how many are in it, and how many come after them; the newest first. */
async function extentOf(
  link: CommandLink,
  keys: QueueKeys,
  list: StreamList,
): Promise<{ before: number; length: number; after: number }> {
  const { waiting, grouped, deadLetters } = await countJobs(link, keys);
  if (list === 'failed') return { before: 0, length: deadLetters, after: 0 };
  const lifo = { part: 'lifo', order: 'first', skip: 0, after: undefined, take: 0, bytes: 1 } as const;
  const { total: after } = await readRoom(link, keys, lifo);
  return { before: grouped, length: waiting - grouped - after, after };
}

/** @param skip how many jobs come after the page; negative: the page is longer than what is left */
async function fromOtherEnd(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  list: StreamList,
  skip: number,
  take: number,
): Promise<Job[]> {
  const end = skip + take - 1;
  if (end < 0) return [];
  return (await listJobs(owner, link, keys, [list], { start: Math.max(0, skip), end, asc: true })).reverse();
}

/** A bound of the one direction as that of the other: together, they leave out no entry, and have none twice. */
function opposite(bound: string): string {
  return bound.startsWith('(') ? bound.slice(1) : `(${bound}`;
}

/** Where the entry of an index from the newest probably is. */
async function estimate(
  link: CommandLink,
  keys: QueueKeys,
  list: StreamList,
  { offset, length }: { offset: number; length: number },
): Promise<string> {
  const [newest, oldest] = await Promise.all([
    entryAt(link, keys, list, 'newest', COUNTED),
    entryAt(link, keys, list, 'oldest', COUNTED),
  ]);
  // The list has become short meanwhile.
  if (newest === undefined || oldest === undefined) return END;
  const share = (offset - newest.index) / Math.max(1, length - newest.index - oldest.index);
  if (newest.ms === oldest.ms) {
    return `${String(newest.ms)}-${String(Math.round(newest.seq - share * (newest.seq - oldest.seq)))}`;
  }
  const ms = Math.round(newest.ms - share * (newest.ms - oldest.ms));
  return `${String(ms)}-${LAST_SEQ}`;
}

/** An entry of a stream, counted from one end. */
interface Counted {
  readonly index: number;
  readonly ms: number;
  readonly seq: number;
}

/** The entry of this index, or an earlier one if the entries are large. */
async function entryAt(
  link: CommandLink,
  keys: QueueKeys,
  list: StreamList,
  order: 'newest' | 'oldest',
  index: number,
): Promise<Counted | undefined> {
  const to = order === 'newest' ? '-' : '+';
  let at: string | undefined = order === 'newest' ? END : '-';
  let skip = index;
  for (let step = 1; at !== undefined; step += 1) {
    const bounds = { from: at, to, order, skip: step < MOST_STEPS ? skip : 0, take: 1, filter: {} };
    const { id, skipped, next } = await readId(link, keys, list, bounds);
    if (id !== undefined) {
      const [ms = 0, seq = 0] = id.split('-').map(Number);
      return { index: index - skip + skipped, ms, seq };
    }
    skip -= skipped;
    at = next;
  }
  return undefined;
}

async function readId(
  link: CommandLink,
  keys: QueueKeys,
  list: StreamList,
  bounds: Omit<ReadDeadLettersOptions, keyof SliceBounds>,
): Promise<{ id: string | undefined; skipped: number; next: string | undefined }> {
  if (list === 'failed') {
    const { letters, ...rest } = await readDeadLetterIds(link, keys, { ...LETTER_STEP, ...bounds });
    return { ...rest, id: letters[0] };
  }
  const { entries, ...rest } = await readEntries(link, keys, {
    ...STEP,
    ...bounds,
    state: 'waiting',
    filter: {},
  });
  return { ...rest, id: entries[0]?.entryId };
}
