import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import type { DeclaredKind } from './set-policy.js';

/** What the workers of a queue may do, in all processes. */
export interface Policy {
  /** Since when the queue is paused, in unix ms by Redis's clock; undefined if it is not; 0 if that is not known. */
  pausedSince: number | undefined;
  /** Its workers fetch with lua/take.lua. */
  isGated: boolean;
  /** It has limits: how many jobs may be in flight, or may start. */
  isLimited: boolean;
  /** What a worker has declared, and Redis still knows. */
  declared: Record<DeclaredKind, boolean>;
  /** Fields that are no numbers, so no limits, and the first bytes of their values. */
  garbage: [field: string, value: string][];
}

export async function readPolicy(runner: ScriptRunner, keys: QueueKeys): Promise<Policy> {
  const reply = (await runner.run('read-policy', keys, [])) as string[];
  const [paused = '', gated = '', limited = '', limiter = '', group = '', ...pairs] = reply;
  const garbage: Policy['garbage'] = [];
  for (let i = 0; i < pairs.length; i += 2) garbage.push([pairs[i] as string, pairs[i + 1] as string]);
  return {
    pausedSince: paused === '' ? undefined : Number(paused),
    isGated: gated !== '',
    isLimited: limited !== '',
    declared: { limiter: limiter !== '', group: group !== '' },
    garbage,
  };
}
