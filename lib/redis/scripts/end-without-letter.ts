import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';
import { packDedups } from './lib/dedup.js';
import type { EndedDedup } from './lib/dedup.js';
import type { EndedJob } from './lib/event-batch.js';
import { endingArgs, unsettledOf } from './lib/fence.js';
import type { EndingBatch, Unsettled } from './lib/fence.js';

export interface JobWithoutLetter {
  readonly delivery: EndedJob & { readonly entryId: string; readonly uniqueMs: string | undefined };
  /** False: no handler ran in this attempt. */
  readonly ran: boolean;
  /** What went wrong, in words; '' where the reason says it all. */
  readonly detail: string;
}

export interface EndWithoutLetterOptions extends EndingBatch, RepeatableCall {
  jobs: readonly JobWithoutLetter[];
  /** Why all of them end. */
  reason: 'cancelled' | 'expired';
  /** The jobs among them that have a deduplication id. */
  dedups: readonly EndedDedup[];
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  /** For how long a result waiter can learn why the job failed, in ms. */
  rememberMs: number;
}

/** Ends jobs that fail for good and do not become dead letters. Of cancelled jobs, `cancelled` of the reply is empty. */
export async function endWithoutLetter(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: EndWithoutLetterOptions,
): Promise<Unsettled> {
  const { jobs, reason, eventsCap, rememberMs, gaps, call } = options;
  const args = endingArgs(options, jobs.length);
  args.push(eventsCap, rememberMs, reason);
  for (const { delivery, ran, detail } of jobs) {
    const { entryId, jobId, name, attempt, durationUs, uniqueMs } = delivery;
    args.push(entryId, jobId, name, ran ? attempt : attempt - 1, durationUs);
    args.push(uniqueMs === undefined ? '' : '1', detail);
  }
  args.push(packDedups(options.dedups), gaps);
  return unsettledOf((await runner.run('end-without-letter', keys, args, { call })) as number[]);
}
