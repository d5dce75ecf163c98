import { isValid } from 'ulid';
import type { QueueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import type { WorkEntry } from '../../redis/scripts/lib/job-rows.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobPlace } from '../job/job-actions.js';
import { readDeadLetters } from './dead-letters.js';
import { toDlqEntry } from './dlq.js';
import { SEARCH_ORDER } from './find-jobs.js';
import { nearby } from './look/sweep.js';
import type { Place, Seen } from './look/sweep.js';
import { SharedSearch } from './shared-search.js';

// Finds out where jobs are whose id leads to no marker. The place is only a hint: the script that changes a job verifies it.

type Places = Map<string, JobPlace>;

/** Of each connection. */
const searches = new WeakMap<CommandLink, SharedSearch<JobPlace | undefined>>();

/** Where a job is: in the delayed set, in the work stream or among the dead letters. Undefined if it is in none of these. */
export function findPlace(link: CommandLink, keys: QueueKeys, id: string): Promise<JobPlace | undefined> {
  let search = searches.get(link);
  if (!search) {
    search = new SharedSearch<JobPlace | undefined>((ids) => findPlaces(link, keys, ids), undefined);
    searches.set(link, search);
  }
  return search.find(id);
}

/** A job that fails for good during the search is found among the dead letters. */
async function findPlaces(link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>): Promise<Places> {
  const places: Places = new Map();
  const missing = new Set(ids);
  for await (const { seen } of nearby(link, keys, { jobIds: ids }, NEARBY)) {
    for (const { row } of seen) {
      const id = row.kind === 'letter' ? letterOf(row.letter) : row.id;
      if (missing.delete(id)) places.set(id, placeOf(row));
    }
    if (missing.size === 0) return places;
  }
  for (const find of SEARCH_ORDER) {
    if (missing.size === 0) break;
    for (const { id, ...place } of await find(link, keys, missing)) {
      places.set(id, place);
      missing.delete(id);
    }
  }
  if (missing.size > 0) await findDeadLetters(link, keys, missing, places);
  return places;
}

const NEARBY: ReadonlySet<Place> = new Set(['work', 'failed']);

/** The job of a dead letter; '' if its id may be that of a later job, too. */
function letterOf(letter: StreamEntry): string {
  const { jobId } = toDlqEntry(letter);
  return jobId !== undefined && isValid(jobId) ? jobId : '';
}

function placeOf(row: Seen['row']): JobPlace {
  if (row.kind === 'letter') return { dlqId: row.letter[0].toString() };
  return row.kind === 'member' || row.kind === 'room'
    ? { member: row.member }
    : { entryId: (row as WorkEntry).entryId };
}

/** The newest dead letter of each job. */
async function findDeadLetters(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
  places: Places,
): Promise<void> {
  for await (const page of readDeadLetters(link, keys, { ids: [...ids] }, Infinity)) {
    for (const { dlqId, jobId } of page.map(toDlqEntry)) {
      if (jobId !== undefined && ids.has(jobId)) places.set(jobId, { dlqId });
    }
  }
}
