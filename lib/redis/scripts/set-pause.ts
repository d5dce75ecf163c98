import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface SetPauseOptions {
  paused: boolean;
  /** About how many events are kept; 0 = none are written. */
  eventsCap: number;
  /** Consumers to wake that the stream does not know any more. */
  consumers?: readonly string[] | undefined;
}

/** Pauses or resumes a queue. Resolves with false if it was so already. */
export async function setPause(
  runner: ScriptRunner,
  keys: QueueKeys,
  { paused, eventsCap, consumers = [] }: SetPauseOptions,
): Promise<boolean> {
  return (await runner.run('set-pause', keys, [paused ? '1' : '0', eventsCap, ...consumers])) === 1;
}
