import type { QueueKeys } from '../../redis/keys.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobPlace } from '../job/job-actions.js';
import { readDeadLetterIds } from './dead-letters.js';
import { findDelayed, findWaiting } from './find-jobs.js';
import { SharedSearch } from './shared-search.js';

// Finds out where jobs are whose id leads to no marker. The place is only a hint: the script that changes a job verifies it.

type Places = Map<string, JobPlace>;

/** Of each connection. */
const searches = new WeakMap<CommandLink, SharedSearch<JobPlace | undefined>>();

/** Where a job is: in the delayed set, in the work stream or among the dead letters. Undefined if it is in none of these. */
export async function findPlace(
  link: CommandLink,
  keys: QueueKeys,
  id: string,
): Promise<JobPlace | undefined> {
  let search = searches.get(link);
  if (!search) {
    search = new SharedSearch<JobPlace | undefined>((ids) => findLive(link, keys, ids), undefined);
    searches.set(link, search);
  }
  return (await search.find(id)) ?? (await findDeadLetter(link, keys, id));
}

/** A job that is promoted during the search is found in the stream, and one that goes back for a retry in the second look. */
async function findLive(link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>): Promise<Places> {
  const places: Places = new Map();
  const missing = new Set(ids);
  for (const find of [findDelayed, findWaiting, findDelayed]) {
    if (missing.size === 0) break;
    for (const { id, ...place } of await find(link, keys, missing)) {
      places.set(id, place);
      missing.delete(id);
    }
  }
  return places;
}

/** The newest dead letter of the job: one that was replayed and failed again is the last one. */
async function findDeadLetter(link: CommandLink, keys: QueueKeys, id: string): Promise<JobPlace | undefined> {
  let dlqId: string | undefined;
  for await (const page of readDeadLetterIds(link, keys, { ids: [id] })) dlqId = page.at(-1) ?? dlqId;
  return dlqId === undefined ? undefined : { dlqId };
}
