import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface SetPauseOptions {
  paused: boolean;
  /** The pause ends by itself after so many ms, unless it is prolonged. Default: it does not. */
  leaseMs?: number | undefined;
  /** About how many events are kept; 0 = none are written. */
  eventsCap: number;
  /** Consumers to wake that the stream does not know any more. */
  consumers?: readonly string[] | undefined;
}

/**
 * Pauses or resumes a queue. Resolves with false if it was so already. A pause with a lease: false if the queue is paused for
 * good.
 */
export async function setPause(
  runner: ScriptRunner,
  keys: QueueKeys,
  { paused, eventsCap, leaseMs = 0, consumers = [] }: SetPauseOptions,
): Promise<boolean> {
  const kind = !paused ? '0' : leaseMs > 0 ? '2' : '1';
  return (await runner.run('set-pause', keys, [kind, eventsCap, leaseMs, ...consumers])) === 1;
}
