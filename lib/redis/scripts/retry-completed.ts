import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

export type RetryCompletedOptions = RepeatableCall & {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
} & ({ ids: readonly string[] } | { until: number; most: number; skip: number });

/**
 * Runs completed jobs again that are kept: those with these ids, or the oldest that completed at or before `until`.
 * `looked` is 0 if none is left. `stayed`: another live job has their deduplication id; pass over them with `skip`.
 */
export async function retryCompleted(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: RetryCompletedOptions,
): Promise<{ looked: number; moved: number; stayed: number }> {
  const { eventsCap, call } = options;
  const args =
    'ids' in options
      ? ['', 0, 0, eventsCap, ...options.ids]
      : [options.until, options.most, options.skip, eventsCap];
  const reply = await runner.run('retry-completed', keys, args, { call });
  const [looked, moved, stayed] = reply as [number, number, number];
  return { looked, moved, stayed };
}
