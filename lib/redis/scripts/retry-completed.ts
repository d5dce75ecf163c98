import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

export type RetryCompletedOptions = RepeatableCall & {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
} & ({ ids: readonly string[] } | { until: number; most: number });

/**
 * Runs completed jobs again that are kept: those with these ids, or the oldest that completed at or before `until`.
 * `looked` is 0 if none is left.
 */
export async function retryCompleted(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: RetryCompletedOptions,
): Promise<{ looked: number; moved: number }> {
  const { eventsCap, call } = options;
  const args =
    'ids' in options ? ['', 0, eventsCap, ...options.ids] : [options.until, options.most, eventsCap];
  const [looked, moved] = (await runner.run('retry-completed', keys, args, { call })) as [number, number];
  return { looked, moved };
}
