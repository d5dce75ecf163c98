import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/**
 * What the jobs of a group wait for. `waiting`: for its turn. `limited`: for its rate limit. `maxed`: for the end of one of its
 * jobs. `paused`: for resumeGroup. `empty`: no job of the group waits.
 */
export type GroupStatus = 'waiting' | 'limited' | 'maxed' | 'paused' | 'empty';

/** A group that has waiting jobs, or is paused. */
export interface GroupInfo {
  id: string;
  /** How many of its jobs wait. */
  count: number;
  status: GroupStatus;
}

export interface ListGroupsOptions {
  /** The group behind which the slice begins; undefined = begin. */
  after: string | undefined;
  /** The most groups of the slice. */
  take: number;
  /** Whether the reply has the groups, or only their number. */
  whole: boolean;
}

export interface ListGroupsReply {
  /** The group that was looked at last; undefined at the end. */
  last: string | undefined;
  count: number;
  /** Empty unless they were asked for. */
  groups: GroupInfo[];
}

/** Lists groups that have waiting jobs, in the order of the length of their ids, then of their bytes. */
export async function listGroups(
  runner: ScriptRunner,
  keys: QueueKeys,
  { after = '', take, whole }: ListGroupsOptions,
): Promise<ListGroupsReply> {
  const reply = await runner.run('list-groups', keys, [after, take, whole ? '1' : '']);
  const [last, count, ...rest] = reply as [string, number, ...(string | number)[]];
  const groups: GroupInfo[] = [];
  for (let i = 0; i < rest.length; i += 3) {
    const [id, waiting, status] = rest.slice(i, i + 3) as [string, number, string];
    groups.push({ id, status: toGroupStatus(status), count: waiting });
  }
  return { last: last === '' ? undefined : last, count, groups };
}

export function toGroupStatus(status: string): GroupStatus {
  return status === '' ? 'empty' : (status as GroupStatus);
}
