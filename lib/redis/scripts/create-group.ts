import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface CreateGroupOptions {
  /** The key of the stream. */
  stream: string;
  group: string;
}

/** Creates a consumer group, and its stream, if they are missing. */
export async function createGroup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { stream, group }: CreateGroupOptions,
): Promise<void> {
  await runner.run('create-group', keys, [group], { read: stream });
}
