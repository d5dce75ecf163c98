import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';
import { addColumn, endColumns } from './lib/event-batch.js';
import type { EndedJob, EventOptions } from './lib/event-batch.js';
import { endingArgs, packEntryIds, unsettledOf } from './lib/fence.js';
import type { EndingBatch, EntryId, Unsettled } from './lib/fence.js';

export interface CompletedJob extends EndedJob, EntryId {
  /** MessagePack of the return value, if it is stored. */
  readonly result: Buffer | undefined;
  /** The return value as JSON for the event, or ''. */
  readonly resultJson: string;
  /** For how many ms the id stays taken, if it is the caller's. */
  readonly uniqueMs: string | undefined;
}

export interface CompleteOptions extends EndingBatch, EventOptions, RepeatableCall {
  jobs: readonly CompletedJob[];
  resultTtlMs: number;
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
  for (let i = 0; i < jobs.length; i++) {
    const { jobId, result, uniqueMs } = jobs[i] as CompletedJob;
    if (result) results.push(i + 1, jobId, result);
    if (uniqueMs !== undefined) uniques.push(i + 1, jobId, uniqueMs);
  }
  const columns = eventsCap > 0 ? endColumns(jobs) : [];
  if (eventsCap > 0 && results.length > 0) {
    addColumn(columns, 'returnvalues', jobs, ({ resultJson }) => resultJson);
  }
  args.push(results.length / 3, uniques.length / 3, resultTtlMs, eventsCap, eventsBatchFrom);
  args.push(packEntryIds(jobs), columns.length);
  for (const arg of columns) args.push(arg);
  for (const arg of results) args.push(arg);
  for (const arg of uniques) args.push(arg);
  args.push(inFlight, gaps);
  return unsettledOf((await runner.run('complete', keys, args, { call })) as number[]);
}
