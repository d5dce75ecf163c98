import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** Deletes dead letters by their ids. Resolves with how many were still there. */
export async function dropDeadLetters(
  runner: ScriptRunner,
  keys: QueueKeys,
  ids: readonly string[],
): Promise<number> {
  return (await runner.run('drop-dead-letters', keys, ids)) as number;
}
