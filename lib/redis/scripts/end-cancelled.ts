import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';
import type { EndedJob } from './lib/event-batch.js';
import { endingArgs, unsettledOf } from './lib/fence.js';
import type { EndingBatch, Unsettled } from './lib/fence.js';

export interface CancelledJob {
  readonly delivery: EndedJob & { readonly entryId: string; readonly uniqueMs: string | undefined };
  /** False: no handler ran in this attempt. */
  readonly ran: boolean;
}

export interface EndCancelledOptions extends EndingBatch, RepeatableCall {
  jobs: readonly CancelledJob[];
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  /** For how long a result waiter can learn that the job was cancelled, in ms. */
  rememberMs: number;
}

/** Ends jobs that were cancelled while the worker had them in flight. `cancelled` of the reply is always empty. */
export async function endCancelled(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: EndCancelledOptions,
): Promise<Unsettled> {
  const { jobs, eventsCap, rememberMs, gaps, call } = options;
  const args = endingArgs(options, jobs.length);
  args.push(eventsCap, rememberMs);
  for (const { delivery, ran } of jobs) {
    const { entryId, jobId, name, attempt, durationUs, uniqueMs } = delivery;
    args.push(entryId, jobId, name, ran ? attempt : attempt - 1, durationUs);
    args.push(uniqueMs === undefined ? '' : '1');
  }
  args.push(gaps);
  return unsettledOf((await runner.run('end-cancelled', keys, args, { call })) as number[]);
}
