import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface RemoveConsumersOptions {
  group: string;
  /** Remove this one, however short its silence. */
  consumerId?: string | undefined;
  /** Remove others that have been silent for so many ms. */
  idleMs: number;
}

/** Removes consumers that have nothing pending in the work stream. Resolves with how many. */
export async function removeConsumers(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group, consumerId = '', idleMs }: RemoveConsumersOptions,
): Promise<number> {
  return (await runner.run('remove-consumers', keys, [group, consumerId, idleMs])) as number;
}
