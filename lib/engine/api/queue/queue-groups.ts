import { countGroups, readGroups } from '../../admin/look/groups.js';
import { listGroupJobs } from '../../admin/look/lists.js';
import { checkIndex } from '../../config/check-arguments.js';
import { checkGroupId, checkStatus } from '../../config/options/group.js';
import type { Job } from '../../job/job.js';
import { countJobs } from '../../../redis/scripts/count-jobs.js';
import type { GroupInfo, GroupStatus } from '../../../redis/scripts/list-groups.js';
import { readGroup } from '../../../redis/scripts/read-group.js';
import type { GroupReply } from '../../../redis/scripts/read-group.js';
import { QueueLimits } from './queue-limits.js';

/** What the jobs of a listed group wait for. */
export type ListedStatus = Exclude<GroupStatus, 'empty'>;

/**
 * The methods of a queue that look at groups: docs/groups.md. They change nothing. Only groups that have waiting jobs are
 * listed: a group is nothing but its jobs. Errors of all of them: ConfigError (CMQ-004) for a wrong argument, ConnectionError
 * (CMQ-001), ShutdownError (CMQ-005).
 */
export abstract class QueueGroups<Data, Result, Name extends string> extends QueueLimits<Data, Result, Name> {
  /**
   * The groups that have waiting jobs: the shorter id first, ids of one length by their bytes. They are read step by step, so a
   * group that has its first job meanwhile may be missing.
   * @param start the first index, from 0
   * @param end the last index; default -1, the last group. Other negative indexes are refused
   */
  async getGroups(start = 0, end = -1): Promise<GroupInfo[]> {
    checkIndex('getGroups: start', start, 0);
    checkIndex('getGroups: end', end, -1);
    return this.core.use((link, keys) => readGroups(link, keys, start, end === -1 ? Infinity : end));
  }

  /** The groups of one status, as {@link getGroups} lists them: it looks at all groups before those that it returns. */
  async getGroupsByStatus(status: ListedStatus, start = 0, end = -1): Promise<GroupInfo[]> {
    checkStatus('getGroupsByStatus', status);
    checkIndex('getGroupsByStatus: start', start, 0);
    checkIndex('getGroupsByStatus: end', end, -1);
    const groups = await this.core.use((link, keys) => readGroups(link, keys, 0, Infinity));
    const found = groups.filter((group) => group.status === status);
    return found.slice(start, end === -1 ? undefined : end + 1);
  }

  /** How many of the groups that have waiting jobs are of each status. */
  async getGroupsCountByStatus(): Promise<Record<ListedStatus, number>> {
    const counts = { waiting: 0, limited: 0, maxed: 0, paused: 0 };
    const groups = await this.core.use((link, keys) => readGroups(link, keys, 0, Infinity));
    for (const { status } of groups) if (status !== 'empty') counts[status] += 1;
    return counts;
  }

  /** How many groups have waiting jobs. A million take a few seconds, in steps of 2 ms at most. */
  async getGroupsCount(): Promise<number> {
    return this.core.use(countGroups);
  }

  /** How many jobs wait in all groups. */
  async getGroupsJobsCount(): Promise<number> {
    return (await this.core.use((link, keys) => countJobs(link, keys))).grouped;
  }

  /** The waiting jobs of a group: the one that runs next comes first. Indexes as of {@link getJobs}. */
  async getGroupJobs(groupId: string, start = 0, end = -1): Promise<Job<Data, Result, Name>[]> {
    checkGroupId('getGroupJobs', groupId);
    checkIndex('getGroupJobs: start', start);
    checkIndex('getGroupJobs: end', end);
    const jobs = await this.core.use((link, keys) =>
      listGroupJobs(this, link, keys, groupId, { start, end }),
    );
    return jobs as Job<Data, Result, Name>[];
  }

  /** How many jobs of a group wait. */
  async getGroupJobsCount(groupId: string): Promise<number> {
    return (await this.#group('getGroupJobsCount', groupId)).jobs;
  }

  /** How many jobs of a group are in flight. */
  async getGroupActiveCount(groupId: string): Promise<number> {
    return (await this.#group('getGroupActiveCount', groupId)).active;
  }

  /** What the jobs of a group wait for; `empty` if it has no job that waits and is not paused. */
  async getGroupStatus(groupId: string): Promise<GroupStatus> {
    return (await this.#group('getGroupStatus', groupId)).status;
  }

  async #group(method: string, group: string): Promise<GroupReply> {
    checkGroupId(method, group);
    return this.core.use((link, keys) => readGroup(link, keys, { group }));
  }
}
