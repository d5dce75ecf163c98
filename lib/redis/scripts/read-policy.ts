import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** What the workers of a queue may do, in all processes. */
export interface Policy {
  /** Since when the queue is paused, in unix ms by Redis's clock; undefined if it is not. */
  pausedSince: number | undefined;
  /** Its workers fetch with lua/take.lua. */
  isGated: boolean;
  /** It has limits: how many jobs may be in flight, or may start. */
  isLimited: boolean;
}

export async function readPolicy(runner: ScriptRunner, keys: QueueKeys): Promise<Policy> {
  const [paused = '', gated = '', limited = ''] = (await runner.run('read-policy', keys, [])) as string[];
  return {
    pausedSince: paused === '' ? undefined : Number(paused),
    isGated: gated !== '',
    isLimited: limited !== '',
  };
}
