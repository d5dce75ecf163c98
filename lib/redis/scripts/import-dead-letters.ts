import type { QueueKeys } from '../keys.js';
import type { ScriptArgument, ScriptRunner } from '../script-runner.js';

export interface ImportedLetter {
  /** The id that it had; '' if there is none to keep. */
  readonly id: string;
  /** Names and values, flat. */
  readonly fields: readonly Buffer[];
}

/** Adds dead letters that were exported. Resolves with their ids, in order. */
export async function importDeadLetters(
  runner: ScriptRunner,
  keys: QueueKeys,
  letters: readonly ImportedLetter[],
): Promise<string[]> {
  const args: ScriptArgument[] = [];
  for (const { id, fields } of letters) args.push(id, fields.length, ...fields);
  return (await runner.run('import-dead-letters', keys, args)) as string[];
}
