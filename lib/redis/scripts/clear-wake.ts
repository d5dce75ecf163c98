import type { QueueKeys } from '../keys.js';
import type { ScriptArgument, ScriptRunner } from '../script-runner.js';

export interface HeardWake {
  /** The id of the wake entry. */
  readonly wakeId: Buffer;
  /** The entry of a cancelled job that the worker does not have in flight; undefined if it has it, or there is none. */
  readonly unknownEntryId: string | undefined;
}

export interface ClearWakeOptions {
  group: string;
  /** The key of the worker's wake stream. */
  wake: string;
  heard: readonly HeardWake[];
  /** Write an entry that ends the worker's read of the stream. */
  endRead?: boolean;
}

/** Removes entries that the worker has read from its wake stream. */
export async function clearWake(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group, wake, heard, endRead = false }: ClearWakeOptions,
): Promise<void> {
  const args: ScriptArgument[] = [group, endRead ? '1' : ''];
  for (const { wakeId, unknownEntryId } of heard) args.push(wakeId, unknownEntryId ?? '');
  await runner.run('clear-wake', keys, args, { wake });
}
