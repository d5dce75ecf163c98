import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';

export interface Firing {
  readonly key: string;
  /** As it was read: a schedule that has moved on since then is left alone. */
  readonly slot: string;
  readonly revision: string;
  /** The slots to fire now, in unix ms. */
  readonly fires: readonly number[];
  /** The slot after them, in unix ms; undefined = the schedule is over. */
  readonly next: number | undefined;
  /** How many missed slots are still to be made up for. */
  readonly owed: number | undefined;
}

export interface FireSchedulesOptions extends RepeatableCall {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  firings: readonly Firing[];
}

/** Adds the jobs of schedules that are due. Resolves with how many jobs each of them has added. */
export async function fireSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  { eventsCap, firings, call }: FireSchedulesOptions,
): Promise<(number | 'outdated')[]> {
  const args: ScriptArgument[] = [eventsCap];
  for (const { key, slot, revision, next = '', owed = '', fires } of firings) {
    args.push(key, slot, revision, next, owed, fires.length, ...fires);
  }
  const added = (await runner.run('fire-schedules', keys, args, { call })) as number[];
  return added.map((count) => (count < 0 ? 'outdated' : count));
}
