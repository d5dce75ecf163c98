import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface CreateGroupOptions {
  /** The key of the stream. */
  stream: string;
  group: string;
  /** Created too. By itself, it would come into being with its first entry. */
  consumer?: string | undefined;
  /** Other streams that are read together with it: keys of the same queue. They get the group too, in the same step. */
  others?: readonly string[];
}

/** Creates a consumer group, its stream and the consumer, if they are missing. */
export async function createGroup(
  runner: ScriptRunner,
  keys: QueueKeys,
  { stream, group, consumer = '', others = [] }: CreateGroupOptions,
): Promise<void> {
  await runner.run('create-group', keys, [group, consumer, ...others], { read: stream });
}
