import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface SetPauseOptions {
  /**
   * `end-lease` ends a pause that would end by itself, and no other. `forget-end` deletes the event of that, if the queue has had no
   * other since.
   */
  to: 'paused' | 'running' | 'end-lease' | 'forget-end';
  /** The pause ends by itself after so many ms, unless it is prolonged. Default: it does not. */
  leaseMs?: number | undefined;
  /** About how many events are kept; 0 = none are written. */
  eventsCap: number;
  /** Consumers to wake that the stream does not know any more. */
  consumers?: readonly string[] | undefined;
}

const CODES = { paused: '1', running: '0', 'end-lease': '3', 'forget-end': '4' } as const;

/**
 * Pauses or resumes a queue. Resolves with whether that changed anything. A pause with a lease: false if the queue is paused for
 * good.
 */
export async function setPause(
  runner: ScriptRunner,
  keys: QueueKeys,
  { to, eventsCap, leaseMs = 0, consumers = [] }: SetPauseOptions,
): Promise<boolean> {
  const what = to === 'paused' && leaseMs > 0 ? '2' : CODES[to];
  return (await runner.run('set-pause', keys, [what, eventsCap, leaseMs, ...consumers])) === 1;
}
