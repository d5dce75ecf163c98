import type { QueueKeys } from '../../redis/keys.js';
import { compareStreamIds } from '../../redis/replies.js';
import type { StreamEntry } from '../../redis/replies.js';
import type { DlqSelection } from '../config/options.js';
import type { CommandLink } from '../connection/connections.js';
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
  const reason: string = selection.reason ?? '';
  if (!selection.ids) {
    const count = reason === '' ? Math.min(LETTERS_PER_CALL, limit) : LETTERS_PER_CALL;
    for await (const page of walk(link, keys, count, true, reason, [])) yield page as StreamEntry[];
    return;
  }
  const selected: string[] = [];
  for await (const page of readDeadLetterIds(link, keys, selection)) selected.push(...page.map(String));
  selected.sort(compareStreamIds);
  for await (const page of readByIds(link, keys, LETTERS_PER_CALL, true, reason, selected))
    yield page as StreamEntry[];
}

/** Pages of the ids of the selected dead letters, in no order. */
export async function* readDeadLetterIds(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
): AsyncGenerator<Buffer[]> {
  const { ids } = selection;
  const reason: string = selection.reason ?? '';
  const wanted = ids && new Set(ids);
  if (wanted) {
    // The id of a dead letter says where it is. Any other id is a job's, and only the dead letter itself has it.
    const letterIds = [...wanted].filter((id) => /^\d{1,20}-\d{1,20}$/.test(id));
    for await (const page of readByIds(link, keys, IDS_PER_CALL, false, reason, letterIds)) {
      yield page as Buffer[];
      for (const id of page) wanted.delete(String(id));
    }
    if (wanted.size === 0) return;
  }
  const jobIds = wanted ? [...wanted] : [];
  for await (const page of walk(link, keys, IDS_PER_CALL, false, reason, jobIds)) yield page as Buffer[];
}

type LetterOrId = StreamEntry | Buffer;

/**
 * Walks from the oldest dead letter to the one that is the newest now.
 * @param whole read the dead letters, not only their ids
 * @param reason '' = any
 * @param jobIds empty = of all jobs
 */
async function* walk(
  link: CommandLink,
  keys: QueueKeys,
  count: number,
  whole: boolean,
  reason: string,
  jobIds: readonly string[],
): AsyncGenerator<LetterOrId[]> {
  const newest = (await link.call('XREVRANGE', [keys.dlq, '+', '-', 'COUNT', 1])) as [string, unknown][];
  const to = newest[0]?.[0];
  if (to === undefined) return;
  let found = 0;
  const walkSpan = async function* (from: string, end: string): AsyncGenerator<LetterOrId[]> {
    for (let at = from; at !== '';) {
      const args = [at, end, count, whole ? 1 : '', reason, ...jobIds];
      const reply = await link.run('letters', keys, args, { buffers: true, once: true });
      const [next, ...page] = reply as [Buffer, ...LetterOrId[]];
      found += page.length;
      yield page;
      at = next.toString();
    }
  };
  // A dead letter is younger than its job, except when the clock of the job's producer was ahead.
  const start = startOfSearch(jobIds);
  yield* walkSpan(start, to);
  if (start !== '-' && found < jobIds.length) yield* walkSpan('-', `(${start}`);
}

/** A call covers as many of the ids as its size allows, and at least one. */
async function* readByIds(
  link: CommandLink,
  keys: QueueKeys,
  count: number,
  whole: boolean,
  reason: string,
  ids: readonly string[],
): AsyncGenerator<LetterOrId[]> {
  for (let at = 0; at < ids.length;) {
    const args = [whole ? 1 : '', reason, ...ids.slice(at, at + count)];
    const reply = await link.run('letters-by-id', keys, args, { buffers: true, once: true });
    const [covered, ...page] = reply as [number, ...LetterOrId[]];
    at += covered;
    yield page;
  }
}
