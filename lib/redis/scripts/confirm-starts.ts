import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ConfirmStartsOptions {
  consumerId: string;
  /** What the gate replied: `starts` of its news. Undefined: none of these. */
  starts?: string;
  /** The jobs have started whose delivery was lost before so many ms. */
  lostMs?: number;
}

/** Says that the jobs have started which the gate delivered. */
export async function confirmStarts(
  runner: ScriptRunner,
  keys: QueueKeys,
  { consumerId, starts = '', lostMs }: ConfirmStartsOptions,
): Promise<void> {
  await runner.run('confirm-starts', keys, [
    consumerId,
    starts,
    lostMs === undefined ? '' : Math.ceil(lostMs),
  ]);
}
