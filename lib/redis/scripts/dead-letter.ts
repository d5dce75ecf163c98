import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';
import type { EndedJob } from './lib/event-batch.js';
import { endingArgs, unsettledOf } from './lib/fence.js';
import type { EndingBatch, Unsettled } from './lib/fence.js';
import { packDedups } from './lib/dedup.js';
import type { EndedDedup } from './lib/dedup.js';
import { boundArgs, packAttempts } from './lib/tracked.js';
import type { Bounds, TrackedAttempt } from './lib/tracked.js';

export interface DeadLetteredJob {
  readonly delivery: EndedJob & { readonly entryId: string; readonly uniqueMs: string | undefined };
  /** False: no handler ran in this attempt. Then there is no `failed` event, and the attempt does not count. */
  readonly ran: boolean;
  readonly reason: string;
  /** What went wrong, in words. */
  readonly detail: string;
  readonly stack: string | undefined;
}

export interface DeadLetterOptions extends EndingBatch, RepeatableCall {
  jobs: readonly DeadLetteredJob[];
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  /** About how many dead letters are kept; 0 = all. */
  dlqCap: number;
  /** For how long a result waiter can learn why the job failed, in ms. */
  rememberMs: number;
  /** A letter per job, or '' if none needs one: see lua/dead-letter.lua. */
  kept: string;
  /** The attempts of the tracked jobs among them. */
  attempts: readonly TrackedAttempt[];
  /** The jobs among them that have a deduplication id. */
  dedups: readonly EndedDedup[];
  /** How many dead letters stay. */
  bounds: Bounds;
}

export interface DeadLetterReply extends Unsettled {
  /** How many old dead letters the cap has dropped. */
  readonly evicted: number;
}

/** Moves jobs from the work stream to the dead letters. */
export async function deadLetter(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: DeadLetterOptions,
): Promise<DeadLetterReply> {
  const { jobs, eventsCap, dlqCap, rememberMs, gaps, call } = options;
  const args = endingArgs(options, jobs.length);
  args.push(eventsCap, dlqCap, rememberMs);
  for (const { delivery, ran, reason, detail, stack } of jobs) {
    const { entryId, jobId, name, attempt, durationUs, uniqueMs } = delivery;
    args.push(entryId, jobId, name, ran ? attempt : attempt - 1, ran ? durationUs : '');
    args.push(reason, detail, uniqueMs ?? '', stack ?? '');
  }
  args.push(options.kept, packAttempts(options.attempts), packDedups(options.dedups));
  args.push(...boundArgs(options.bounds), gaps);
  const reply = await runner.run('dead-letter', keys, args, { call });
  const [evicted, ...rest] = reply as [number, ...number[]];
  const { lost, cancelled } = unsettledOf(rest);
  return { evicted, lost, cancelled };
}
