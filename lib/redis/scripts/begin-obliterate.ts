import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

export interface BeginObliterateOptions extends RepeatableCall {
  /** Also if jobs are active. */
  force: boolean;
  /** For how long the queue stays paused, unless that is prolonged. */
  leaseMs: number;
}

/**
 * Deletes the jobs and the policy of a queue in one step. `done` is false if active jobs forbid it. Then nothing was deleted. `consumers`: those
 * that the stream had, at most 1,000.
 */
export async function beginObliterate(
  runner: ScriptRunner,
  keys: QueueKeys,
  { force, leaseMs, call }: BeginObliterateOptions,
): Promise<{ active: number; done: boolean; consumers: string[] }> {
  const reply = await runner.run('begin-obliterate', keys, [force ? '1' : '', leaseMs], { call });
  const [active, done, ...consumers] = reply as [number, number, ...string[]];
  return { active, done: done === 1, consumers };
}
