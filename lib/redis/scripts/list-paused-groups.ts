import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ListPausedGroupsOptions {
  /** `cursor` of the step before; undefined = begin. */
  cursor: string | undefined;
  /** About how many groups to look at. */
  take: number;
}

export interface ListPausedGroupsReply {
  /** undefined at the end. */
  cursor: string | undefined;
  groups: { id: string; count: number }[];
}

/** Lists paused groups, whether they have waiting jobs or not, in no order. One may come twice. */
export async function listPausedGroups(
  runner: ScriptRunner,
  keys: QueueKeys,
  { cursor = '0', take }: ListPausedGroupsOptions,
): Promise<ListPausedGroupsReply> {
  const [next, ...rest] = (await runner.run('list-paused-groups', keys, [cursor, take])) as [
    string,
    ...(string | number)[],
  ];
  const groups: ListPausedGroupsReply['groups'] = [];
  for (let i = 0; i < rest.length; i += 2) groups.push({ id: String(rest[i]), count: Number(rest[i + 1]) });
  return { cursor: next === '0' ? undefined : next, groups };
}
