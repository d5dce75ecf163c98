import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ConfirmStartsOptions {
  consumerId: string;
  /** What the gate replied: `starts` of its news; or `unconfirmed` of what was reclaimed. Undefined: none of these. */
  starts?: string;
  /** All jobs have started that were delivered before and had got lost on the way; unix ms, by Redis's clock. */
  lostBefore?: number;
}

/** Says that jobs have started which were delivered to a worker. */
export async function confirmStarts(
  runner: ScriptRunner,
  keys: QueueKeys,
  { consumerId, starts = '', lostBefore }: ConfirmStartsOptions,
): Promise<void> {
  await runner.run('confirm-starts', keys, [consumerId, starts, lostBefore ?? '']);
}
