import type { QueueKeys } from '../../redis/keys.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobPlace } from '../job/job-actions.js';
import { readDeadLetters } from './dead-letters.js';
import { toDlqEntry } from './dlq.js';
import { findDelayed, findWaiting } from './find-jobs.js';
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

/**
 * A job that is promoted during the search is found in the stream, one that goes back for a retry in the second look at the
 * delayed set, and one that fails for good among the dead letters.
 */
async function findPlaces(link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>): Promise<Places> {
  const places: Places = new Map();
  const missing = new Set(ids);
  for (const find of [findDelayed, findWaiting, findDelayed]) {
    if (missing.size === 0) break;
    for (const { id, ...place } of await find(link, keys, missing)) {
      places.set(id, place);
      missing.delete(id);
    }
  }
  if (missing.size > 0) await findDeadLetters(link, keys, missing, places);
  return places;
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
