import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface CreateGroupOptions {
  /** The key of the stream. */
  stream: string;
  group: string;
  /** Created too. By itself, it would come into being with its first entry. */
  consumer?: string | undefined;
}

/** Creates a consumer group, its stream and the consumer, if they are missing. */
export async function createGroup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { stream, group, consumer = '' }: CreateGroupOptions,
): Promise<void> {
  await runner.run('create-group', keys, [group, consumer], { read: stream });
}
