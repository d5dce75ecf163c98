import type { QueueKeys } from '../../redis/keys.js';
import { compareStreamIds } from '../../redis/replies.js';
import type { StreamEntry } from '../../redis/replies.js';
import type { ScriptRunner } from '../../redis/script-runner.js';
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
import type { DlqSelection } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import { startOfSearch } from './find-jobs.js';

// Reads dead letters page by page. Each call is bounded in entries and in bytes.

/** Most dead letters that one call looks at when only their ids are read. */
const IDS_PER_CALL = 500;
/** Most dead letters that one call returns as a whole. */
const LETTERS_PER_CALL = 200;

/** Pages of the selected dead letters, oldest first. Dead letters that are added during the walk are not read. */
export async function* readDeadLetters(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  limit: number,
): AsyncGenerator<StreamEntry[]> {
  const { ids, reason } = selection;
  if (!ids) {
    const count = reason === undefined ? Math.min(LETTERS_PER_CALL, limit) : LETTERS_PER_CALL;
    yield* walk(readSlice, link, keys, { count, reason, jobIds: [] });
    return;
  }
  const selected: string[] = [];
  for await (const page of readDeadLetterIds(link, keys, selection)) selected.push(...page);
  selected.sort(compareStreamIds);
  yield* readByIds(readDeadLettersById, link, keys, LETTERS_PER_CALL, { ids: selected, reason });
}

/** Pages of the ids of the selected dead letters, in no order. */
export async function* readDeadLetterIds(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
): AsyncGenerator<string[]> {
  const { ids, reason } = selection;
  const wanted = ids && new Set(ids);
  if (wanted) {
    // The id of a dead letter says where it is. Any other id is a job's, and only the dead letter itself has it.
    const letterIds = [...wanted].filter((id) => /^\d{1,20}-\d{1,20}$/.test(id));
    const pages = readByIds(readDeadLetterIdsById, link, keys, IDS_PER_CALL, { ids: letterIds, reason });
    for await (const page of pages) {
      yield page;
      for (const id of page) wanted.delete(id);
    }
    if (wanted.size === 0) return;
  }
  const jobIds = wanted ? [...wanted] : [];
  yield* walk(readSliceOfIds, link, keys, { count: IDS_PER_CALL, reason, jobIds });
}

type Read<O, R> = (runner: ScriptRunner, keys: QueueKeys, options: O) => Promise<R>;

/** Walks from the oldest dead letter to the one that is the newest now. */
async function* walk<T>(
  read: Read<ReadDeadLettersOptions, DeadLetterSlice<T>>,
  link: CommandLink,
  keys: QueueKeys,
  options: Omit<ReadDeadLettersOptions, 'from' | 'to'>,
): AsyncGenerator<T[]> {
  const newest = (await link.call('XREVRANGE', [keys.dlq, '+', '-', 'COUNT', 1])) as [string, unknown][];
  const newestId = newest[0]?.[0];
  if (newestId === undefined) return;
  let found = 0;
  const walkSpan = async function* (from: string, to: string): AsyncGenerator<T[]> {
    for (let at: string | undefined = from; at !== undefined;) {
      const { next, letters }: DeadLetterSlice<T> = await read(link, keys, { ...options, from: at, to });
      found += letters.length;
      yield letters;
      at = next;
    }
  };
  // A dead letter is younger than its job, except when the clock of the job's producer was ahead.
  const { jobIds } = options;
  const start = startOfSearch(jobIds);
  yield* walkSpan(start, newestId);
  if (start !== '-' && found < jobIds.length) yield* walkSpan('-', `(${start}`);
}

/** A call covers as many of the ids as its size allows, and at least one. */
async function* readByIds<T>(
  read: Read<ReadDeadLettersByIdOptions, DeadLettersById<T>>,
  link: CommandLink,
  keys: QueueKeys,
  count: number,
  { ids, reason }: ReadDeadLettersByIdOptions,
): AsyncGenerator<T[]> {
  for (let at = 0; at < ids.length;) {
    const { covered, letters } = await read(link, keys, { ids: ids.slice(at, at + count), reason });
    at += covered;
    yield letters;
  }
}
