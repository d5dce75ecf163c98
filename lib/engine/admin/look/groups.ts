import type { QueueKeys } from '../../../redis/keys.js';
import { listGroups } from '../../../redis/scripts/list-groups.js';
import type { GroupInfo, GroupStatus } from '../../../redis/scripts/list-groups.js';
import type { CommandLink } from '../../connection/command-link.js';

/** Groups that one call looks at: about 2 ms of Redis's time with their jobs, half of it without. */
const GROUPS_PER_CALL = 250;

/** The groups that have waiting jobs, from one index to another, both from 0. */
export async function readGroups(
  link: CommandLink,
  keys: QueueKeys,
  start: number,
  end: number,
): Promise<GroupInfo[]> {
  const groups: GroupInfo[] = [];
  let after: string | undefined;
  for (let at = 0; at <= end;) {
    const whole = at >= start;
    const take = Math.min(GROUPS_PER_CALL, (whole ? end + 1 : start) - at);
    const slice = await listGroups(link, keys, { after, take, whole });
    groups.push(...slice.groups);
    at += slice.count;
    after = slice.last;
    if (after === undefined) break;
  }
  return groups;
}

/** How many groups have waiting jobs. */
export async function countGroups(link: CommandLink, keys: QueueKeys): Promise<number> {
  let count = 0;
  let after: string | undefined;
  do {
    const slice = await listGroups(link, keys, { after, take: 2 * GROUPS_PER_CALL, whole: false });
    count += slice.count;
    after = slice.last;
  } while (after !== undefined);
  return count;
}

/** The groups that have waiting jobs and one status, from one index among them to another. Looks at no group behind the last one. */
export async function readGroupsByStatus(
  link: CommandLink,
  keys: QueueKeys,
  status: GroupStatus,
  start: number,
  end: number,
): Promise<GroupInfo[]> {
  const found: GroupInfo[] = [];
  let passed = 0;
  for await (const group of allGroups(link, keys)) {
    if (group.status !== status) continue;
    if (passed++ >= start) found.push(group);
    if (passed > end) break;
  }
  return found;
}

/** The groups that have waiting jobs, read step by step. */
export async function* allGroups(link: CommandLink, keys: QueueKeys): AsyncGenerator<GroupInfo, void> {
  let after: string | undefined;
  do {
    const slice = await listGroups(link, keys, { after, take: GROUPS_PER_CALL, whole: true });
    yield* slice.groups;
    after = slice.last;
  } while (after !== undefined);
}
