import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** `lost`: it is not there, and nobody removed it. `gone`: somebody removed it, or it is over. */
export type ScheduleState =
  | { state: 'present'; /** Unix ms. */ next: number; /** How often it has fired. */ fired: number }
  | { state: 'lost' }
  | { state: 'gone' };

/** Looks whether schedules are there. */
export async function checkSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  scheduleKeys: readonly string[],
): Promise<ScheduleState[]> {
  const reply = await runner.run('check-schedules', keys, scheduleKeys);
  return (reply as [state: 1 | 0 | -1, next: string, fired: string][]).map(([state, next, fired]) => {
    if (state === 1) return { state: 'present', next: Number(next), fired: Number(fired) };
    return { state: state === 0 ? 'lost' : 'gone' };
  });
}
