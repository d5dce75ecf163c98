import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface FindDelayedOptions {
  /** What the call before replied; undefined = begin. */
  cursor: string | undefined;
  /** About how many members to look at. */
  members: number;
  jobIds: Iterable<string>;
}

export interface FindDelayedReply {
  /** Where to go on; undefined at the end. */
  cursor: string | undefined;
  found: { id: string; member: Buffer }[];
}

/** Looks for jobs in a slice of the delayed set. */
export async function findDelayed(
  runner: ScriptRunner,
  keys: QueueKeys,
  { cursor = '0', members, jobIds }: FindDelayedOptions,
): Promise<FindDelayedReply> {
  const reply = await runner.run('find-delayed', keys, [cursor, members, ...jobIds], { buffers: true });
  const [next, ...pairs] = reply as [Buffer, ...[id: Buffer, member: Buffer][]];
  const at = next.toString();
  return {
    cursor: at === '0' ? undefined : at,
    found: pairs.map(([id, member]) => ({ id: id.toString(), member })),
  };
}
