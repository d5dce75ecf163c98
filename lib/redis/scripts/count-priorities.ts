import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/**
 * Counts the waiting jobs of a group, or those without a group, by their priority; 0 = none. Resolves with the counts by
 * priority.
 */
export async function countPriorities(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group = '', priorities }: { group?: string; priorities: readonly number[] },
): Promise<Record<string, number>> {
  const counts = (await runner.run('count-priorities', keys, [group, ...priorities])) as number[];
  return Object.fromEntries(priorities.map((priority, index) => [priority, counts[index] ?? 0]));
}
