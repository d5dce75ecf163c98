import type { QueueKeys } from '../../../redis/keys.js';
import { listGroups } from '../../../redis/scripts/list-groups.js';
import type { GroupInfo, GroupStatus } from '../../../redis/scripts/list-groups.js';
import { listPausedGroups } from '../../../redis/scripts/list-paused-groups.js';
import type { CommandLink } from '../../connection/command-link.js';
import { partOf } from './lists.js';

/** Groups that one call looks at: about 2 ms of Redis's time with their jobs, half of it without. */
const GROUPS_PER_CALL = 250;

/** A part of a list of groups. A negative index counts from the end: -1 is the last one. */
interface GroupRange {
  start: number;
  /** The last index. */
  end: number;
}

/** A part of the groups that have waiting jobs. */
export async function readGroups(
  link: CommandLink,
  keys: QueueKeys,
  range: GroupRange,
): Promise<GroupInfo[]> {
  const part = await partOf({ ...range, asc: true }, () => countGroups(link, keys));
  if (!part) return [];
  const end = part.skip + part.take;
  const groups: GroupInfo[] = [];
  let after: string | undefined;
  for (let at = 0; at < end;) {
    const whole = at >= part.skip;
    const take = Math.min(GROUPS_PER_CALL, (whole ? end : part.skip) - at);
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

/** A part of the groups of one status. If indexes are not negative, no group behind the last one is looked at. */
export async function readGroupsByStatus(
  link: CommandLink,
  keys: QueueKeys,
  status: GroupStatus,
  { start, end }: GroupRange,
): Promise<GroupInfo[]> {
  if (status === 'paused') return sliceOf(await pausedGroups(link, keys), { start, end });
  const last = start < 0 || end < 0 ? Infinity : end;
  const found: GroupInfo[] = [];
  for await (const group of allGroups(link, keys)) {
    if (found.length > last) break;
    if (group.status === status) found.push(group);
  }
  return sliceOf(found, { start, end });
}

function sliceOf(groups: readonly GroupInfo[], { start, end }: GroupRange): GroupInfo[] {
  return groups.slice(start, end === -1 ? undefined : end + 1);
}

/** All paused groups, also those that have no waiting jobs, in the order of the other lists. */
async function pausedGroups(link: CommandLink, keys: QueueKeys): Promise<GroupInfo[]> {
  const found = new Map<string, { info: GroupInfo; bytes: Buffer }>();
  let cursor: string | undefined;
  do {
    const slice = await listPausedGroups(link, keys, { cursor, take: GROUPS_PER_CALL });
    for (const { id, count } of slice.groups) {
      found.set(id, { info: { id, status: 'paused', count }, bytes: Buffer.from(id) });
    }
    cursor = slice.cursor;
  } while (cursor !== undefined);
  return [...found.values()]
    .sort(({ bytes: a }, { bytes: b }) => a.length - b.length || Buffer.compare(a, b))
    .map(({ info }) => info);
}

/** How many groups are of each status: paused ones whether they have waiting jobs or not, others if they have. */
export async function countGroupsByStatus(
  link: CommandLink,
  keys: QueueKeys,
): Promise<Record<Exclude<GroupStatus, 'empty'>, number>> {
  const counts = { waiting: 0, limited: 0, maxed: 0, paused: 0 };
  for await (const { status } of allGroups(link, keys)) if (status !== 'empty') counts[status] += 1;
  counts.paused = (await pausedGroups(link, keys)).length;
  return counts;
}

/** The groups that have waiting jobs, read step by step. */
async function* allGroups(link: CommandLink, keys: QueueKeys): AsyncGenerator<GroupInfo, void> {
  let after: string | undefined;
  do {
    const slice = await listGroups(link, keys, { after, take: GROUPS_PER_CALL, whole: true });
    yield* slice.groups;
    after = slice.last;
  } while (after !== undefined);
}
