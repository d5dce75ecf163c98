import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';

export interface RemoveDedupOptions extends RepeatableCall {
  dedupId: string;
  /** Only if this job has the id. */
  jobId?: string | undefined;
}

/** Frees a deduplication id. Resolves with false if it was free, or another job has it. */
export async function removeDedup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { dedupId, jobId = '', call }: RemoveDedupOptions,
): Promise<boolean> {
  return (await runner.run('remove-dedup', keys, [dedupId, jobId], { call })) === 1;
}
