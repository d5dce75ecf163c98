import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';

/**
 * `delayed`: cancel only what is in the delayed set. `running`: also what waits in the work stream, and tell the worker of a job
 * that is in flight.
 */
export type CancelScope = 'delayed' | 'running';

/**
 * `gone`: there is no live job of this id. `removed`: the job never runs. `in-flight`: a worker has it, and was told if
 * the scope says so. `unknown`: Redis has no record of where the job is, so the caller has to search.
 */
export type CancelState = (typeof STATES)[number];

const STATES = ['gone', 'removed', 'in-flight', 'unknown'] as const;

/** A job to cancel, and where it is, if the caller knows. */
export interface CancelTarget {
  readonly id: string;
  /** Its member in the delayed set or in the room. */
  readonly member?: Buffer;
  /** Its entry in the work stream. */
  readonly entryId?: string;
}

export interface CancelOptions extends RepeatableCall {
  scope: CancelScope;
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  jobs: readonly CancelTarget[];
}

/** Cancels jobs by id. Resolves with what became of each. */
export async function cancel(
  runner: ScriptRunner,
  keys: QueueKeys,
  { scope, eventsCap, jobs, call }: CancelOptions,
): Promise<CancelState[]> {
  const args: ScriptArgument[] = [scope, eventsCap];
  for (const { id, member = '', entryId = '' } of jobs) args.push(id, member, entryId);
  const states = (await runner.run('cancel', keys, args, { call })) as (0 | 1 | 2 | 3)[];
  return states.map((state) => STATES[state]);
}
