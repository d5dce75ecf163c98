import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ConfirmStartsOptions {
  consumerId: string;
  /** What the gate replied: `starts` of its news. */
  starts: string;
}

/** Says that the jobs have started which the gate delivered. */
export async function confirmStarts(
  runner: ScriptRunner,
  keys: QueueKeys,
  { consumerId, starts }: ConfirmStartsOptions,
): Promise<void> {
  await runner.run('confirm-starts', keys, [consumerId, starts]);
}
