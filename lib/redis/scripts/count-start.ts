import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface CountStartOptions {
  group: string;
  consumerId: string;
  entryId: string;
  /** How often the job was started, this start included. */
  starts: number;
}

/** Counts the start of a job whose worker has died before. False if the lease is no longer the caller's. */
export async function countStart(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group, consumerId, entryId, starts }: CountStartOptions,
): Promise<boolean> {
  return (await runner.run('count-start', keys, [group, consumerId, entryId, starts])) === 1;
}
