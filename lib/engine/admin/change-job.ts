import type { QueueKeys } from '../../redis/keys.js';
import { changeJob as runChange } from '../../redis/scripts/change-job.js';
import { findDedup } from '../../redis/scripts/find-dedup.js';
import { retryCompleted } from '../../redis/scripts/retry-completed.js';
import type { ChangeJobReply, ChangedState, JobChange } from '../../redis/scripts/change-job.js';
import { JobNotFoundError, JobStateError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobRef, RetriedJobRef } from '../job/job-actions.js';
import { dropLetters, replayDlq } from './dlq.js';
import { findPlace } from './find-place.js';

// Changes one job. An id of the caller's has a marker that says where the job is, and a job that was read from the queue knows
// its place. Any other job is searched for. The script verifies the place and the state, and changes the job in the same step.

/** A job that moves between its search and the change is searched for again. */
const MOST_SEARCHES = 3;

/** What the job's state has to be, for the message of the error. */
const NEEDS: Readonly<Record<JobChange['change'] | 'failed' | 'completed', string>> = {
  locate: '',
  remove: 'Queue.cancel(id) ends a job that runs.',
  promote: 'Only a delayed job can be promoted.',
  delay: 'Only a delayed job has a delay to change.',
  move: 'Only a waiting or delayed job can be moved. In its handler, a job moves itself.',
  priority: 'Only a job that waits or is delayed can get another priority.',
  data: 'Only a job that waits, is delayed or has failed can get other data.',
  failed:
    'Only a job that has failed can be retried. One that has completed and is kept can, if you ask for a completed one.',
  completed:
    'You asked for a job that has completed and is kept. One that has failed can be retried, too: ask for a failed one.',
};

/** The state allows the change, and the job cannot have it. */
const NO_PLACE = 'The job has no place for it: another program wrote its bytes, or they are damaged.';
const ALLOWED: Readonly<Partial<Record<JobChange['change'], readonly ChangedState[]>>> = {
  data: ['waiting', 'prioritized', 'delayed', 'failed'],
  priority: ['waiting', 'prioritized', 'delayed'],
};
/** The state allows the change, and the job was somewhere else each time. */
const HAS_MOVED = 'Others changed it at the same time. Try again.';

const METHODS: Readonly<Record<JobChange['change'], string>> = {
  locate: 'locate',
  remove: 'remove',
  promote: 'promote',
  delay: 'changeDelay',
  move: 'moveToDelayed',
  priority: 'changePriority',
  data: 'updateData',
};

/**
 * Promotes, delays, moves or updates a job.
 * @throws JobNotFoundError (CMQ-106), JobStateError (CMQ-107)
 */
export async function changeJob(
  link: CommandLink,
  keys: QueueKeys,
  job: JobRef,
  change: JobChange,
  eventsCap: number,
): Promise<void> {
  const { state, done } = await locateAndChange(link, keys, job, change, eventsCap);
  if (done) return;
  const needs = ALLOWED[change.change]?.includes(state) ? NO_PLACE : NEEDS[change.change];
  throw refused(keys, job.id, METHODS[change.change], state, needs);
}

/**
 * Removes a job that is not active: it waits, is delayed, has failed, or is kept after its completion.
 * @throws JobNotFoundError (CMQ-106), JobStateError (CMQ-107)
 */
export async function removeJob(
  link: CommandLink,
  keys: QueueKeys,
  job: JobRef,
  eventsCap: number,
): Promise<void> {
  const state = await tryToRemove(link, keys, job, eventsCap);
  if (state === 'removed') return;
  throw refused(keys, job.id, 'remove', state, state === 'failed' ? HAS_MOVED : NEEDS.remove);
}

/** The same, without an error: `removed`, or the state that does not allow it. */
export async function tryToRemove(
  link: CommandLink,
  keys: QueueKeys,
  job: JobRef,
  eventsCap: number,
): Promise<ChangedState | 'removed'> {
  for (let tries = 0; ; tries++) {
    const { state, done, dlqId } = await locateAndChange(link, keys, job, { change: 'remove' }, eventsCap);
    if (done) return 'removed';
    if (dlqId === undefined || tries === MOST_SEARCHES) return state;
    if (await removeLetter(link, keys, dlqId, eventsCap)) return 'removed';
  }
}

/** Whether the dead letter was there. */
export async function removeLetter(
  link: CommandLink,
  keys: QueueKeys,
  dlqId: string,
  eventsCap: number,
): Promise<boolean> {
  const options = { limit: 1, event: 'removed', eventsCap } as const;
  for await (const dropped of dropLetters(link, keys, { ids: [dlqId] }, options)) {
    if (dropped.length > 0) return true;
  }
  return false;
}

/**
 * Moves a dead letter, or a kept job that has completed, to the work stream, with all attempts available again.
 * @throws JobNotFoundError (CMQ-106), JobStateError (CMQ-107)
 */
export async function retryJob(
  link: CommandLink,
  keys: QueueKeys,
  job: RetriedJobRef,
  from: 'failed' | 'completed',
  eventsCap: number,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    const { state, dlqId } = await locateAndChange(link, keys, job, { change: 'locate' }, eventsCap);
    if (state !== from) throw refused(keys, job.id, 'retry', state, NEEDS[from]);
    if (tries === MOST_SEARCHES)
      throw refused(keys, job.id, 'retry', state, await whyItStays(link, keys, job));
    const options = { limit: 1, eventsCap };
    const moved =
      dlqId === undefined
        ? await retryCompleted(link, keys, { ids: [job.id], eventsCap })
        : { moved: await replayDlq(link, keys, { ids: [dlqId] }, options) };
    if (moved.moved > 0) return;
  }
}

/** Why a job in the right state was not retried. */
async function whyItStays(
  link: CommandLink,
  keys: QueueKeys,
  { id, dedupId }: RetriedJobRef,
): Promise<string> {
  const holder = dedupId === undefined ? undefined : await findDedup(link, keys, dedupId);
  if (dedupId === undefined || holder === undefined || holder === id) return HAS_MOVED;
  return (
    `Job ${printable(holder)} has its deduplication id "${printable(dedupId)}". Wait until that job has ended, remove it, or free ` +
    'the id with queue.removeDeduplicationKey(id). Then try again.'
  );
}

async function locateAndChange(
  link: CommandLink,
  keys: QueueKeys,
  job: JobRef,
  change: JobChange,
  eventsCap: number,
): Promise<ChangeJobReply> {
  const { id } = job;
  let reply = await runChange(link, keys, { ...job, change, eventsCap });
  for (let searches = 0; reply.state === 'unknown' && searches < MOST_SEARCHES; searches++) {
    const place = await findPlace(link, keys, id);
    if (!place) break;
    reply = await runChange(link, keys, { id, ...place, change, eventsCap });
  }
  return reply;
}

function refused(keys: QueueKeys, id: string, method: string, state: ChangedState, needs: string): Error {
  if (state === 'unknown') return new JobNotFoundError(id, keys.queue, method);
  return new JobStateError(id, keys.queue, state, method, needs);
}
