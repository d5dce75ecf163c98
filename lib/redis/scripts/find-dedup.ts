import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** Resolves with the id of the job that has a deduplication id; undefined if the id is free. */
export async function findDedup(
  runner: ScriptRunner,
  keys: QueueKeys,
  dedupId: string,
): Promise<string | undefined> {
  const job = (await runner.run('find-dedup', keys, [dedupId])) as string;
  return job === '' ? undefined : job;
}
