import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface SweepKeysOptions {
  /** What the call before replied; undefined = begin. */
  cursor: string | undefined;
  /** About how many keys of the server to look at. */
  count: number;
}

/** Deletes the keys of single jobs that are not there any more. `cursor` is undefined at the end. */
export async function sweepKeys(
  runner: ScriptRunner,
  keys: QueueKeys,
  { cursor = '0', count }: SweepKeysOptions,
): Promise<{ cursor: string | undefined; deleted: number }> {
  const [next, deleted] = (await runner.run('sweep-keys', keys, [cursor, count])) as [string, number];
  return { cursor: next === '0' ? undefined : next, deleted };
}
