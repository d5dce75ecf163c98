import type { QueueKeys } from '../../redis/keys.js';
import { cancel } from '../../redis/scripts/cancel.js';
import type { CancelScope, CancelState, CancelTarget } from '../../redis/scripts/cancel.js';
import type { CommandLink } from '../connection/command-link.js';
import { MAX_CALL_BYTES } from '../connection/read-size.js';
import { SEARCH_ORDER, findDelayed } from './find-jobs.js';
import { SharedSearch } from './shared-search.js';

/**
 * What `Queue.cancel` did with a job. `removed`: the job had not started, and never runs. `signalled`: the job is in
 * flight, and its worker was told. `gone`: there is no live job of this id.
 */
export type CancelOutcome = 'removed' | 'signalled' | 'gone';

type Find = (link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>) => Promise<CancelTarget[]>;

/** Where to search for jobs that have no marker, in this order. */
const SEARCHES: Readonly<Record<CancelScope, readonly Find[]>> = {
  delayed: [findDelayed],
  running: SEARCH_ORDER,
};

/** Removes jobs that are delayed or wait for a retry. True for each job that was there: it never runs. */
export async function cancelDelayed(
  link: CommandLink,
  keys: QueueKeys,
  ids: readonly string[],
  eventsCap: number,
): Promise<boolean[]> {
  const states = await endJobs({ link, keys, scope: 'delayed', eventsCap }, ids);
  return states.map((state) => state === 'removed');
}

/** Removes a job that has not started, and tells the worker of a job that is in flight. */
export async function cancelJob(
  link: CommandLink,
  keys: QueueKeys,
  id: string,
  eventsCap: number,
): Promise<CancelOutcome> {
  const [state] = await endJobs({ link, keys, scope: 'running', eventsCap }, [id]);
  if (state === 'removed') return 'removed';
  return state === 'in-flight' ? 'signalled' : 'gone';
}

/** What all calls of one cancellation share. */
interface Cancelling {
  readonly link: CommandLink;
  readonly keys: QueueKeys;
  readonly scope: CancelScope;
  /** 0 = no events. */
  readonly eventsCap: number;
}

/** An id of the caller's has a marker that says where the job is. Other ids are searched for. */
async function endJobs(cancelling: Cancelling, ids: readonly string[]): Promise<CancelState[]> {
  const jobs = ids.map((id) => ({ id }));
  const states = await callCancel(cancelling, jobs);
  const search = searchOf(cancelling);
  const found = states.map(async (state, index) =>
    state === 'unknown' ? search.find(ids[index] as string) : state,
  );
  return Promise.all(found);
}

const MAX_CALL_JOBS = 1_000;

async function callCancel(
  { link, keys, scope, eventsCap }: Cancelling,
  jobs: readonly CancelTarget[],
): Promise<CancelState[]> {
  const states: CancelState[] = [];
  while (states.length < jobs.length) {
    const batch: CancelTarget[] = [];
    let bytes = 0;
    for (const job of jobs.slice(states.length, states.length + MAX_CALL_JOBS)) {
      const size = job.member?.length ?? 0;
      if (bytes > 0 && bytes + size > MAX_CALL_BYTES) break;
      bytes += job.id.length + size;
      batch.push(job);
    }
    states.push(...(await cancel(link, keys, { scope, eventsCap, jobs: batch })));
  }
  return states;
}

/** Of each connection, by scope. */
const searches = new WeakMap<CommandLink, Map<CancelScope, SharedSearch<CancelState>>>();

function searchOf(cancelling: Cancelling): SharedSearch<CancelState> {
  const { link, scope } = cancelling;
  let ofLink = searches.get(link);
  if (!ofLink) searches.set(link, (ofLink = new Map<CancelScope, SharedSearch<CancelState>>()));
  let search = ofLink.get(scope);
  if (!search) {
    search = new SharedSearch<CancelState>((ids) => searchAndEnd(cancelling, ids), 'unknown');
    ofLink.set(scope, search);
  }
  return search;
}

async function searchAndEnd(
  cancelling: Cancelling,
  ids: ReadonlySet<string>,
): Promise<Map<string, CancelState>> {
  const ended = new Map<string, CancelState>();
  const missing = new Set(ids);
  for (const find of SEARCHES[cancelling.scope]) {
    if (missing.size === 0) break;
    const found = await find(cancelling.link, cancelling.keys, missing);
    const states = await callCancel(cancelling, found);
    found.forEach(({ id }, index) => {
      const state = states[index] ?? 'unknown';
      if (state === 'unknown') return;
      ended.set(id, state);
      missing.delete(id);
    });
  }
  return ended;
}
