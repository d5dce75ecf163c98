import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface SetPauseOptions {
  paused: boolean;
  /** About how many events are kept; 0 = none are written. */
  eventsCap: number;
}

/** Pauses or resumes a queue. Resolves with false if it was so already. */
export async function setPause(
  runner: ScriptRunner,
  keys: QueueKeys,
  { paused, eventsCap }: SetPauseOptions,
): Promise<boolean> {
  return (await runner.run('set-pause', keys, [paused ? '1' : '0', eventsCap])) === 1;
}
