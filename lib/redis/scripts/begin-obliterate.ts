import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

export interface BeginObliterateOptions extends RepeatableCall {
  /** Also if jobs are active. */
  force: boolean;
}

/**
 * Deletes the jobs of a queue in one step. `done` is false if active jobs forbid it. Then nothing was deleted. `consumers`: those
 * that the stream had, at most 1,000.
 */
export async function beginObliterate(
  runner: ScriptRunner,
  keys: QueueKeys,
  { force, call }: BeginObliterateOptions,
): Promise<{ active: number; done: boolean; consumers: string[] }> {
  const reply = await runner.run('begin-obliterate', keys, [force ? '1' : ''], { call });
  const [active, done, ...consumers] = reply as [number, number, ...string[]];
  return { active, done: done === 1, consumers };
}
