import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

const OUTCOMES = ['unknown', 'unchanged', 'changed'] as const;

/** `unknown`: there is no such schedule. `unchanged`: it was paused already. */
export async function pauseSchedule(
  runner: ScriptRunner,
  keys: QueueKeys,
  key: string,
): Promise<(typeof OUTCOMES)[number]> {
  const [outcome] = (await runner.run('pause-schedule', keys, [key])) as [0 | 1 | 2];
  return OUTCOMES[outcome];
}
