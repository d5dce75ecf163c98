import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

export interface BeginObliterateOptions extends RepeatableCall {
  /** Also if jobs are active. */
  force: boolean;
}

/** Deletes the jobs of a queue in one step. `done` is false if active jobs forbid it. Then nothing was deleted. */
export async function beginObliterate(
  runner: ScriptRunner,
  keys: QueueKeys,
  { force, call }: BeginObliterateOptions,
): Promise<{ active: number; done: boolean }> {
  const reply = await runner.run('begin-obliterate', keys, [force ? '1' : ''], { call });
  const [active, done] = reply as [number, number];
  return { active, done: done === 1 };
}
