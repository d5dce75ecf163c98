import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';
import { addColumn, endColumns } from './lib/event-batch.js';
import type { EndedJob, EventOptions } from './lib/event-batch.js';
import { endingArgs, packEntryIds, unsettledOf } from './lib/fence.js';
import type { EndingBatch, EntryId, Unsettled } from './lib/fence.js';
import { packDedups } from './lib/dedup.js';
import type { EndedDedup } from './lib/dedup.js';
import { boundArgs, packCompletions } from './lib/tracked.js';
import type { Bounds, TrackedCompletion } from './lib/tracked.js';

export interface CompletedJob extends EndedJob, EntryId {
  /** MessagePack of the return value, if it is stored. */
  readonly result: Buffer | undefined;
  /** The return value as JSON for the event, or ''. */
  readonly resultJson: string;
  /** For how many ms the id stays taken, if it is the caller's. */
  readonly uniqueMs: string | undefined;
  readonly isTracked: boolean;
}

export interface CompleteOptions extends EndingBatch, EventOptions, RepeatableCall {
  jobs: readonly CompletedJob[];
  /** Whether results have keys of their own. */
  storesResults: boolean;
  resultTtlMs: number;
  /** The tracked jobs among them; who ran them; and how many completed jobs stay. */
  tracked: readonly TrackedCompletion[];
  worker: string;
  bounds: Bounds;
  /** The jobs among them that have a deduplication id. */
  dedups: readonly EndedDedup[];
  /** How many entries the worker believes to be pending for it. It only decides how the script checks the fence. */
  inFlight: number;
}

/** Completes jobs. `cancelled` of the reply is always empty: a job whose handler completes counts as completed, even if it was cancelled. */
export async function complete(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: CompleteOptions,
): Promise<Unsettled> {
  const { jobs, resultTtlMs, eventsCap, eventsBatchFrom, inFlight, gaps, call } = options;
  const args = endingArgs(options, jobs.length);
  const results: ScriptArgument[] = [];
  const uniques: ScriptArgument[] = [];
  let anyResult = false;
  for (let i = 0; i < jobs.length; i++) {
    const { jobId, result, uniqueMs, isTracked } = jobs[i] as CompletedJob;
    if (result) {
      anyResult = true;
      if (options.storesResults) results.push(i + 1, jobId, result);
    }
    // The frame of a tracked job says that its id is free.
    if (uniqueMs !== undefined && !(isTracked && uniqueMs === '0')) uniques.push(i + 1, jobId, uniqueMs);
  }
  const columns = eventsCap > 0 ? endColumns(jobs) : [];
  if (eventsCap > 0 && anyResult) {
    addColumn(columns, 'returnvalues', jobs, ({ resultJson }) => resultJson);
  }
  args.push(results.length / 3, uniques.length / 3, resultTtlMs, eventsCap, eventsBatchFrom);
  args.push(packEntryIds(jobs), columns.length);
  for (const arg of columns) args.push(arg);
  for (const arg of results) args.push(arg);
  for (const arg of uniques) args.push(arg);
  args.push(options.tracked.length > 0 ? packCompletions(options.tracked, options.worker) : '');
  args.push(packDedups(options.dedups), ...boundArgs(options.bounds), inFlight, gaps);
  return unsettledOf((await runner.run('complete', keys, args, { call })) as number[]);
}
