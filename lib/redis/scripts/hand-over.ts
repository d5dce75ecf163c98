import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { fenceArgs } from './lib/fence.js';
import type { FencedBatch } from './lib/fence.js';

export interface HandOverOptions extends FencedBatch {
  entryIds: readonly string[];
  /** Hand over only if another worker of the group has read within so many ms. */
  othersMs: number;
}

/** Leaves reclaimed entries to other workers. False if there is no other worker, and nothing was changed. */
export async function handOver(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: HandOverOptions,
): Promise<boolean> {
  const args = fenceArgs(options);
  args.push(options.othersMs);
  for (const entryId of options.entryIds) args.push(entryId);
  return (await runner.run('hand-over', keys, args)) === 1;
}
