import type { QueueKeys } from '../../redis/keys.js';
import { beginSweep } from '../../redis/scripts/begin-sweep.js';
import { promoteJobs as promoteStep } from '../../redis/scripts/promote-jobs.js';
import { retryCompleted } from '../../redis/scripts/retry-completed.js';
import type { EventsSettings } from '../config/events-settings.js';
import type { PromoteJobsOptions, RetryJobsOptions } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import { replayDlq } from './dlq.js';
import { Operation, STEP_JOBS } from './operation.js';

// Moves many jobs to the work stream, step by step.

/** Promotes as many delayed jobs as there are now, earliest first. Jobs that fail meanwhile may wait for their retry again. */
export async function promoteJobs(
  link: CommandLink,
  keys: QueueKeys,
  { count = STEP_JOBS, ...options }: PromoteJobsOptions,
  events: EventsSettings,
): Promise<void> {
  let { delayed: left } = await beginSweep(link, keys);
  const operation = new Operation(options, left);
  while (left > 0) {
    operation.begin();
    const { promoted } = await promoteStep(link, keys, { ...events, most: Math.min(count, left) });
    if (promoted === 0) return;
    left -= promoted;
    await operation.advance(promoted);
  }
}

/** Runs all jobs again that have failed, or that have completed and are kept, oldest first. */
export async function retryJobs(
  link: CommandLink,
  keys: QueueKeys,
  { count = STEP_JOBS, state = 'failed', timestamp, ...options }: RetryJobsOptions,
  eventsCap: number,
): Promise<void> {
  const start = await beginSweep(link, keys);
  const until = timestamp ?? start.now;
  const operation = new Operation(options, start[state]);
  if (state === 'failed') {
    const selection = { until: until + 1 };
    await replayDlq(link, keys, selection, { limit: Infinity, perStep: count, eventsCap }, operation);
    return;
  }
  for (let isOver = false, skip = 0; !isOver;) {
    operation.begin();
    const reply = await retryCompleted(link, keys, { until, most: count, skip, eventsCap });
    await operation.advance(reply.moved);
    skip += reply.stayed;
    isOver = reply.looked === 0;
  }
}
