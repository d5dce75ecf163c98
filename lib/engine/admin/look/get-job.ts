import type { QueueKeys } from '../../../redis/keys.js';
import { lookUpJob } from '../../../redis/scripts/look-up-job.js';
import type { JobRow } from '../../../redis/scripts/lib/job-rows.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { JobPlace } from '../../job/job-actions.js';
import type { Job, JobOwner, JobState } from '../../job/job.js';
import { SharedSearch } from '../shared-search.js';
import { readTracked } from '../tracked.js';
import type { Tracked } from '../tracked.js';
import { sweep } from './sweep.js';
import type { Place } from './sweep.js';
import { completedJob, idOf, stateOf, toJob } from './to-job.js';
import { addTracked } from './with-tracked.js';

/** Where a job was, at one instant. */
interface Found {
  readonly row: JobRow;
  /** Redis's clock at that time, unix ms. */
  readonly now: number;
}

const PLACES: ReadonlySet<Place> = new Set(['room', 'work', 'delayed', 'failed']);
const ONLY_FAILED: ReadonlySet<Place> = new Set(['failed']);

/**
 * The job of an id, in whatever state it is; undefined if there is none, or nothing of it is kept.
 * @param near where it was when it was last seen: if it is still there, there is no search
 */
export async function getJob(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  id: string,
  near: JobPlace = {},
): Promise<Job | undefined> {
  const { state, found } = await locate(link, keys, id, near);
  if (found) {
    const job = toJob(owner, found.row, found.now);
    await addTracked(link, keys, [job]);
    return job;
  }
  if (state !== 'completed') return undefined;
  const [tracked] = await readTracked(link, keys, [id]);
  return completedJob(owner, id, tracked as Tracked);
}

/**
 * The state of the job of an id. An ended job of which no job is kept is `completed` if its result is stored, and else `unknown`.
 * `failed` is a job that has a dead letter.
 */
export async function getJobState(link: CommandLink, keys: QueueKeys, id: string): Promise<JobState> {
  const { state } = await locate(link, keys, id, {});
  return state;
}

/** A job that ends or is replayed during a search is somewhere else then. */
const MOST_SEARCHES = 3;

async function locate(
  link: CommandLink,
  keys: QueueKeys,
  id: string,
  near: JobPlace,
): Promise<{ state: JobState; found?: Found }> {
  let searched: string | undefined;
  for (let searches = 0; ; searches += 1) {
    const { state, row, now } = await lookUpJob(link, keys, { jobId: id, ...near });
    if (row?.kind === 'letter' && near.dlqId !== undefined && idOf(row) !== id) {
      // The dead letter of another job.
      near = {};
      continue;
    }
    if (row) return { state: stateOf(row), found: { row, now } };
    if (state === 'completed') return { state };
    if (state === searched || searches === MOST_SEARCHES) return { state: 'unknown' };
    // That Redis knows why a job failed does not mean that its dead letter is still there.
    const found = await (state === 'failed' ? searchLetter(link, keys, id) : searchOf(link, keys).find(id));
    if (found) return { state: stateOf(found.row), found };
    searched = state;
  }
}

/** Of each connection. */
const searches = new WeakMap<CommandLink, SharedSearch<Found | undefined>>();

function searchOf(link: CommandLink, keys: QueueKeys): SharedSearch<Found | undefined> {
  let search = searches.get(link);
  if (!search) {
    search = new SharedSearch<Found | undefined>((ids) => searchAll(link, keys, ids, PLACES), undefined);
    searches.set(link, search);
  }
  return search;
}

async function searchAll(
  link: CommandLink,
  keys: QueueKeys,
  jobIds: ReadonlySet<string>,
  places: ReadonlySet<Place>,
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for await (const { seen } of sweep(link, keys, { jobIds }, places)) {
    for (const { row, now } of seen) if (row.kind !== 'completed') found.set(idOf(row), { row, now });
    if (found.size === jobIds.size) break;
  }
  return found;
}

async function searchLetter(link: CommandLink, keys: QueueKeys, id: string): Promise<Found | undefined> {
  return (await searchAll(link, keys, new Set([id]), ONLY_FAILED)).get(id);
}
