import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';

/** What to change of one group. Fields that are missing stay as they are; null: it has no value of its own any more. */
export interface SetGroupOptions extends RepeatableCall {
  group: string;
  /** How many of its jobs may be in flight. */
  concurrency?: number | null;
  /** How many of its jobs may start in `duration` ms. */
  max?: number | null;
  duration?: number | null;
  paused?: boolean;
  /** None of its jobs may start for so many ms. */
  limitedMs?: number;
}

/** Changes what is special about one group, and tells the workers. Resolves with whether this changed something. */
export async function setGroup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group, concurrency, max, duration, paused, limitedMs, call }: SetGroupOptions,
): Promise<boolean> {
  const args: ScriptArgument[] = [group];
  for (const [field, value] of Object.entries({ concurrency, max, duration, limited: limitedMs }))
    if (value !== undefined) args.push(field, value ?? '');
  if (paused !== undefined) args.push('paused', paused ? '1' : '');
  return (await runner.run('set-group', keys, args, { call })) === 1;
}
