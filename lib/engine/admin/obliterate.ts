import { setTimeout as delay } from 'node:timers/promises';
import type { QueueKeys } from '../../redis/keys.js';
import { beginObliterate } from '../../redis/scripts/begin-obliterate.js';
import { removeSchedules } from '../../redis/scripts/remove-schedules.js';
import { setPause } from '../../redis/scripts/set-pause.js';
import { sweepKeys } from '../../redis/scripts/sweep-keys.js';
import { Timer } from '../../redis/timer.js';
import { JobsActiveError } from '../base/errors.js';
import type { ObliterateOptions } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import { Operation, STEP_JOBS } from './operation.js';

/** How long jobs that a worker has fetched may take to go back: a worker learns of a pause within a second. */
const RELEASE_MS = 1_200;
/** How often this looks whether they have. */
const LOOK_MS = 50;
/**
 * For how long the queue stays paused if this process dies meanwhile, or Redis does not answer it. The pause is prolonged
 * while this runs.
 */
export const PAUSE_LEASE_MS = 10_000;

/**
 * Deletes everything that a queue has in Redis. The queue is paused meanwhile. First, one step deletes all jobs and the policy;
 * then the keys of single jobs are deleted step by step. What is added or set after the first step stays.
 * @throws JobsActiveError (CMQ-108) without `force`; then nothing was deleted, and the queue is paused only if it was before
 */
export async function obliterate(
  link: CommandLink,
  keys: QueueKeys,
  { force = false, count = 500, ...options }: ObliterateOptions,
  eventsCap: number,
): Promise<void> {
  const operation = new Operation(options);
  const pause = (): Promise<boolean> =>
    setPause(link, keys, { to: 'paused', leaseMs: PAUSE_LEASE_MS, eventsCap });
  const stop = every(PAUSE_LEASE_MS / 3, pause);
  let consumers: string[] | undefined;
  let isEnded: boolean;
  try {
    await pause();
    consumers = await deleteJobs(link, keys, force, operation);
    await deleteSchedules(link, keys, operation);
    let cursor: string | undefined;
    do {
      operation.begin();
      const step = await sweepKeys(link, keys, { cursor, count });
      await operation.advance(step.deleted);
      cursor = step.cursor;
    } while (cursor !== undefined);
  } finally {
    stop();
    // A pause of the user stays, also one that began meanwhile. One that began before the jobs were deleted went with them.
    isEnded = await setPause(link, keys, { to: 'end-lease', eventsCap, consumers });
  }
  // Those who listen have the event now: Redis replies to reads that wait before it carries out another call.
  if (isEnded && eventsCap > 0) await setPause(link, keys, { to: 'forget-end', eventsCap });
}

/** Prolongs the pause until it is stopped. If Redis does not answer, the operation fails of itself. */
function every(ms: number, prolong: () => Promise<unknown>): () => void {
  let timer: Timer;
  const plan = (): void => {
    timer = new Timer(ms, () => {
      prolong().catch(() => undefined);
      plan();
    }).unref();
  };
  plan();
  return () => {
    timer.clear();
  };
}

/** Resolves with the consumers that the deleted stream had. */
async function deleteJobs(
  link: CommandLink,
  keys: QueueKeys,
  force: boolean,
  operation: Operation,
): Promise<string[]> {
  const deadline = performance.now() + RELEASE_MS;
  for (;;) {
    operation.begin();
    const { active, done, consumers } = await beginObliterate(link, keys, {
      force,
      leaseMs: PAUSE_LEASE_MS,
    });
    if (done) return consumers;
    if (performance.now() >= deadline) throw new JobsActiveError(keys.queue, active);
    await delay(LOOK_MS);
  }
}

/** Removes the schedules by name, so that the processes that declared them do not report a loss of data. */
async function deleteSchedules(link: CommandLink, keys: QueueKeys, operation: Operation): Promise<void> {
  // Processes may declare schedules meanwhile, so without a limit this might never end.
  for (let left = Number(await link.call('ZCARD', [keys.repeat])); left > 0;) {
    operation.begin();
    const page = (await link.call('ZRANGE', [keys.repeat, 0, Math.min(STEP_JOBS, left) - 1])) as string[];
    if (page.length === 0) return;
    const removed = await removeSchedules(link, keys, page);
    await operation.advance(removed.filter(Boolean).length);
    left -= page.length;
  }
}
