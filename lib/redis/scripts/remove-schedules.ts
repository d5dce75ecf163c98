import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** Removes schedules. Resolves with which of them were there. */
export async function removeSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  scheduleKeys: readonly string[],
): Promise<boolean[]> {
  const removed = (await runner.run('remove-schedules', keys, scheduleKeys)) as number[];
  return removed.map((count) => count === 1);
}
