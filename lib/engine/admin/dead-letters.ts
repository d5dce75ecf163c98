import type { QueueKeys } from '../../redis/keys.js';
import { compareStreamIds } from '../../redis/replies.js';
import type { StreamEntry } from '../../redis/replies.js';
import type { ScriptRunner } from '../../redis/script-runner.js';
import type { LetterFilter } from '../../redis/scripts/lib/job-filter.js';
import { readDeadLetterIdsById, readDeadLettersById } from '../../redis/scripts/read-dead-letters-by-id.js';
import type {
  DeadLettersById,
  ReadDeadLettersByIdOptions,
} from '../../redis/scripts/read-dead-letters-by-id.js';
import {
  readDeadLetterIds as readSliceOfIds,
  readDeadLetters as readSlice,
} from '../../redis/scripts/read-dead-letters.js';
import type { DeadLetterSlice, ReadDeadLettersOptions } from '../../redis/scripts/read-dead-letters.js';
import type { DlqFilter, DlqSelection } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import { startOfSearch } from './find-jobs.js';
import { OPERATION_STEP } from './look/step.js';

// Reads the dead letters that an operation is for, page by page. Each call is bounded in entries and in bytes.

/** Most ids of dead letters that one call looks up. */
const IDS_PER_CALL = 250;
/** Most dead letters that one call returns as a whole. */
const LETTERS_PER_CALL = 200;

/** A range of dead letters. `from` and `to` are ids as XRANGE takes them. */
export interface LetterRange {
  readonly from: string;
  readonly to: string;
}

/** The dead letters of a time, oldest first. */
export function rangeOf({ since, until }: DlqFilter): LetterRange {
  return {
    from: since === undefined ? '-' : `${String(Number(since))}-0`,
    to: until === undefined ? '+' : `(${String(Number(until))}-0`,
  };
}

/** What of a selection the scripts compare with each dead letter. */
export function filterOf({ name, reason, text }: DlqFilter): LetterFilter {
  return { name, reason, texts: text === undefined ? [] : [text] };
}

/** Pages of the selected dead letters, oldest first. Dead letters that are added during the walk are not read. */
export async function* readDeadLetters(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  limit: number,
  perCall = LETTERS_PER_CALL,
): AsyncGenerator<StreamEntry[]> {
  const filter = filterOf(selection);
  if (!selection.ids) {
    yield* walk(readSlice, link, keys, selection, { take: Math.min(perCall, limit), filter });
    return;
  }
  const selected: string[] = [];
  for await (const page of readDeadLetterIds(link, keys, selection)) selected.push(...page);
  selected.sort(compareStreamIds);
  yield* readByIds(readDeadLettersById, link, keys, perCall, { ids: selected, filter });
}

/** Pages of the ids of the selected dead letters, in no order. */
export async function* readDeadLetterIds(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
): AsyncGenerator<string[]> {
  const filter = filterOf(selection);
  const wanted = selection.ids && new Set(selection.ids);
  if (wanted) {
    // The id of a dead letter says where it is. Any other id is a job's, and only the dead letter itself has it.
    const letterIds = [...wanted].filter((id) => /^\d{1,20}-\d{1,20}$/.test(id) && isInTime(id, selection));
    const pages = readByIds(readDeadLetterIdsById, link, keys, IDS_PER_CALL, { ids: letterIds, filter });
    for await (const page of pages) {
      yield page;
      for (const id of page) wanted.delete(id);
    }
    if (wanted.size === 0) return;
  }
  yield* walk(readSliceOfIds, link, keys, selection, {
    take: IDS_PER_CALL,
    filter: { ...filter, jobIds: wanted ?? [] },
  });
}

function isInTime(id: string, { since, until }: DlqFilter): boolean {
  const at = Number(id.split('-', 1)[0]);
  return (since === undefined || at >= Number(since)) && (until === undefined || at < Number(until));
}

type Read<O, R> = (runner: ScriptRunner, keys: QueueKeys, options: O) => Promise<R>;

/** Walks from the oldest dead letter to the one that is the newest now, within the time of the selection. */
async function* walk<T>(
  read: Read<ReadDeadLettersOptions, DeadLetterSlice<T>>,
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  options: Pick<ReadDeadLettersOptions, 'take' | 'filter'>,
): AsyncGenerator<T[]> {
  const { from, to } = rangeOf(selection);
  const newest = (await link.call('XREVRANGE', [keys.dlq, to, from, 'COUNT', 1])) as [string, unknown][];
  const newestId = newest[0]?.[0];
  if (newestId === undefined) return;
  let found = 0;
  const walkSpan = async function* (first: string, last: string): AsyncGenerator<T[]> {
    for (let at: string | undefined = first; at !== undefined;) {
      const slice: DeadLetterSlice<T> = await read(link, keys, {
        ...options,
        ...OPERATION_STEP,
        order: 'oldest',
        from: at,
        to: last,
      });
      found += slice.letters.length;
      yield slice.letters;
      at = slice.next;
    }
  };
  // A dead letter is younger than its job, except when the clock of the job's producer was ahead.
  const jobIds = [...(options.filter.jobIds ?? [])];
  const start = from === '-' ? startOfSearch(jobIds) : from;
  yield* walkSpan(start, newestId);
  if (start !== from && found < jobIds.length) yield* walkSpan('-', `(${start}`);
}

/** A call covers as many of the ids as its size allows, and at least one. */
async function* readByIds<T>(
  read: Read<ReadDeadLettersByIdOptions, DeadLettersById<T>>,
  link: CommandLink,
  keys: QueueKeys,
  count: number,
  { ids, filter }: ReadDeadLettersByIdOptions,
): AsyncGenerator<T[]> {
  for (let at = 0; at < ids.length;) {
    const { covered, letters } = await read(link, keys, { ids: ids.slice(at, at + count), filter });
    at += covered;
    yield letters;
  }
}
