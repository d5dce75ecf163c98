import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/**
 * Counts the waiting jobs of a group, or those without a group, by their priority; 0 = none. The counts are in the order of the
 * priorities.
 */
export async function countPriorities(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group = '', priorities }: { group?: string; priorities: readonly number[] },
): Promise<number[]> {
  return (await runner.run('count-priorities', keys, [group, ...priorities])) as number[];
}
