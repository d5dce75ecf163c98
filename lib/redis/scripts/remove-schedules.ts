import type { QueueKeys } from '../keys.js';
import type { ScheduleClaim } from './claim-schedules.js';
import type { ScriptRunner } from '../script-runner.js';

/** `superseded`: a newer deployment of the owner has claimed its schedules, and nothing was removed. */
export type RemoveScheduleOutcome = 'removed' | 'absent' | 'superseded';

const OUTCOMES = { 1: 'removed', 0: 'absent', [-1]: 'superseded' } as const;

/**
 * Removes schedules.
 * @param claim remove them only if no newer deployment of the owner has claimed its schedules
 */
export async function removeSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  scheduleKeys: readonly string[],
  claim?: ScheduleClaim,
): Promise<RemoveScheduleOutcome[]> {
  const args = [claim?.owner ?? '', claim?.generation ?? '', ...scheduleKeys];
  const removed = (await runner.run('remove-schedules', keys, args)) as (1 | 0 | -1)[];
  return removed.map((outcome) => OUTCOMES[outcome]);
}
