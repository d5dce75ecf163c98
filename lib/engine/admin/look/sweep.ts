import type { QueueKeys } from '../../../redis/keys.js';
import { findMembers } from '../../../redis/scripts/find-members.js';
import type { JobFilter } from '../../../redis/scripts/lib/job-filter.js';
import type { JobRow } from '../../../redis/scripts/lib/job-rows.js';
import { lookAround } from '../../../redis/scripts/look-around.js';
import { readDeadLetters } from '../../../redis/scripts/read-dead-letters.js';
import { readEntries } from '../../../redis/scripts/read-entries.js';
import type { CommandLink } from '../../connection/command-link.js';
import { spansOf, startOfSearch } from '../find-jobs.js';
import { LETTER_STEP, STEP } from './step.js';

// Searches all places where jobs may be, one after the other, in bounded steps. Jobs move meanwhile. Why none is missed that stays
// in the queue:
//
//   The order is room, work stream, delayed set, dead letters. A job that leaves the room or the work stream before the search has
//   reached it is in one of the other places then, and the search comes there later.
//   A job that comes back to the work stream (promoted, released, replayed) is a new entry, and one that comes back to the room takes
//   a number. So as long as Redis gave out no new entry id and no new number, nothing came back, and the search is complete.
//   Otherwise, `lookAround` looks, in one step, at everything that was added since, and at the delayed jobs that are due next:
//   a job that moves fast is there. Then the search looks at the delayed set again, for jobs that came back and failed again.

/** A job that was seen. */
export interface Seen {
  readonly row: JobRow | { readonly kind: 'completed'; readonly id: string };
  /** Redis's clock at that time, unix ms. */
  readonly now: number;
}

/** The places of a search. */
export type Place = 'room' | 'work' | 'delayed' | 'failed' | 'completed';

/** What one step of a search has found, and how many jobs it looked at, more or less. */
export interface SweepStep {
  readonly seen: readonly Seen[];
  readonly lookedAt: number;
}

/** How often a search looks again for jobs that moved meanwhile. */
const ROUNDS = 2;
const IDS_PER_CALL = 500;

/** Every job in these places that matches the filter. A job may be seen more than once: last where it was last. */
export async function* sweep(
  link: CommandLink,
  keys: QueueKeys,
  filter: JobFilter,
  places: ReadonlySet<Place>,
): AsyncGenerator<SweepStep> {
  const first = await lookAround(link, keys, { after: undefined, filter });
  let { newest } = first;
  yield toStep(first.rows, first.now);
  const ids = [...(filter.jobIds ?? [])];
  const start = startOfSearch(ids);
  yield* nearIds(link, keys, filter, places);
  if (places.has('room')) yield* members('room', link, keys, filter);
  if (places.has('work')) {
    yield* work(link, keys, filter, start, '+');
    // A job that is not where its id says was added by a producer whose clock was ahead.
    if (start !== '-') yield* work(link, keys, filter, '-', `(${start}`);
  }
  if (places.has('delayed')) yield* members('delayed', link, keys, filter);
  if (places.has('failed')) {
    yield* letters(link, keys, filter, start, '+');
    if (start !== '-') yield* letters(link, keys, filter, '-', `(${start}`);
  }
  if (places.has('completed')) yield* completed(link, keys);
  for (let round = 0; ; round += 1) {
    const around = await lookAround(link, keys, { after: newest, filter });
    yield toStep(around.rows, around.now);
    const isSameRoom = around.newest.number === newest.number;
    const nothingCameBack = around.isAll && around.newest.entryId === newest.entryId && isSameRoom;
    if (nothingCameBack || round === ROUNDS) return;
    if (!isSameRoom && places.has('room')) yield* members('room', link, keys, filter);
    if (!around.isAll && places.has('work')) yield* work(link, keys, filter, `(${newest.entryId}`, '+');
    if (places.has('delayed')) yield* members('delayed', link, keys, filter);
    if (!around.isAll && places.has('failed')) yield* letters(link, keys, filter, `(${newest.letterId}`, '+');
    newest = around.newest;
  }
}

/** Looks where the jobs of these ids usually are: where jobs move at this time, and near the times in the ids. It may miss any. */
export async function* nearby(
  link: CommandLink,
  keys: QueueKeys,
  filter: JobFilter,
  places: ReadonlySet<Place>,
): AsyncGenerator<SweepStep> {
  const { rows, now } = await lookAround(link, keys, { after: undefined, filter });
  yield toStep(rows, now);
  yield* nearIds(link, keys, filter, places);
}

/** How many steps a search goes on from the times in the ids, before it looks everywhere. All ids share them. */
const FORWARD_STEPS = { work: 50, letters: 70 } as const;

/**
 * A job that was added at once has an entry that is little younger than its id; one of a large batch, a somewhat younger one. A
 * dead letter is younger than its job, and behind it there are only the failures since then.
 */
async function* nearIds(
  link: CommandLink,
  keys: QueueKeys,
  filter: JobFilter,
  places: ReadonlySet<Place>,
): AsyncGenerator<SweepStep> {
  const spans = spansOf(filter.jobIds ?? []).map(
    ([from, to]) => [`${String(from)}-0`, `${String(to)}-0`] as const,
  );
  if (spans.length === 0) return;
  if (places.has('work')) {
    for (const [from, to] of spans) yield* work(link, keys, filter, from, to);
    for (const [, to] of spans)
      yield* first(work(link, keys, filter, to, '+'), FORWARD_STEPS.work / spans.length);
  }
  if (places.has('failed')) {
    for (const [from] of spans)
      yield* first(letters(link, keys, filter, from, '+'), FORWARD_STEPS.letters / spans.length);
  }
}

async function* first(steps: AsyncGenerator<SweepStep>, most: number): AsyncGenerator<SweepStep> {
  if (most < 1) return;
  let left = Math.floor(most);
  for await (const step of steps) {
    yield step;
    left -= 1;
    if (left === 0) return;
  }
}

async function* work(
  link: CommandLink,
  keys: QueueKeys,
  filter: JobFilter,
  from: string,
  to: string,
): AsyncGenerator<SweepStep> {
  for (let at: string | undefined = from; at !== undefined;) {
    const range = { from: at, to, order: 'oldest', filter } as const;
    const { entries, next } = await readEntries(link, keys, { ...STEP, ...range, state: 'any' });
    yield toStep(entries, 0);
    at = next;
  }
}

async function* members(
  place: 'room' | 'delayed',
  link: CommandLink,
  keys: QueueKeys,
  filter: JobFilter,
): AsyncGenerator<SweepStep> {
  let cursor: string | undefined;
  do {
    const slice = await findMembers(link, keys, { ...STEP, place, cursor, filter });
    yield toStep(slice.found, slice.now);
    cursor = slice.cursor;
  } while (cursor !== undefined);
}

async function* letters(
  link: CommandLink,
  keys: QueueKeys,
  filter: JobFilter,
  from: string,
  to: string,
): AsyncGenerator<SweepStep> {
  for (let at: string | undefined = from; at !== undefined;) {
    const range = { from: at, to, order: 'oldest', filter } as const;
    const { letters: found, next } = await readDeadLetters(link, keys, { ...LETTER_STEP, ...range });
    const rows = found.map((letter) => ({ kind: 'letter' as const, letter }));
    yield toStep(rows, 0);
    at = next;
  }
}

/** ZSCAN returns each id that is there during the whole scan, also while others are added and removed. */
async function* completed(link: CommandLink, keys: QueueKeys): AsyncGenerator<SweepStep> {
  let cursor = '0';
  do {
    const page = await link.call('ZSCAN', [keys.completed, cursor, 'COUNT', IDS_PER_CALL]);
    const [next, members] = page as [string, string[]];
    const ids = members.filter((_, index) => index % 2 === 0);
    const seen = ids.map((id): Seen => ({ row: { kind: 'completed', id }, now: 0 }));
    yield { seen, lookedAt: ids.length };
    cursor = next;
  } while (cursor !== '0');
}

function toStep(rows: readonly JobRow[], now: number): SweepStep {
  return { seen: rows.map((row) => ({ row, now })), lookedAt: STEP.entries };
}
