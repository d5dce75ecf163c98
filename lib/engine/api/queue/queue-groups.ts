import { countGroups, countGroupsByStatus, readGroups, readGroupsByStatus } from '../../admin/look/groups.js';
import { listGroupJobs } from '../../admin/look/lists.js';
import { checkIndex } from '../../config/check-arguments.js';
import { checkGroupId, checkGroupLimits, checkStatus, groupFields } from '../../config/options/group.js';
import type { GroupLimits } from '../../config/options/group.js';
import { checkLimitMs, checkMost } from '../../config/options/limits.js';
import type { RateLimit } from '../../config/options/limits.js';
import { checkPriorities } from '../../config/options/priority.js';
import type { Job } from '../../job/job.js';
import { countJobs } from '../../../redis/scripts/count-jobs.js';
import { countPriorities } from '../../../redis/scripts/count-priorities.js';
import type { GroupInfo, GroupStatus } from '../../../redis/scripts/list-groups.js';
import { readGroup } from '../../../redis/scripts/read-group.js';
import type { GroupReply } from '../../../redis/scripts/read-group.js';
import { setGroup } from '../../../redis/scripts/set-group.js';
import type { SetGroupOptions } from '../../../redis/scripts/set-group.js';
import { setPolicy } from '../../../redis/scripts/set-policy.js';
import { QueueLimits } from './queue-limits.js';

/** What the jobs of a listed group wait for. */
export type ListedStatus = Exclude<GroupStatus, 'empty'>;

/**
 * The methods of a queue for groups: docs/groups.md. Groups that have waiting jobs are listed, and paused ones: a group is nothing but
 * its jobs, its limits and its pause. These are stored in Redis, hold for all workers, and take effect within a second. A method that
 * changes something resolves with whether it did. Errors of all of them: for a wrong argument, one with the code CMQ-004 and the class
 * that docs/error-codes.md says; ConnectionError (CMQ-001); ShutdownError (CMQ-005).
 */
export abstract class QueueGroups<Data, Result, Name extends string> extends QueueLimits<Data, Result, Name> {
  /**
   * The groups that have waiting jobs: the shorter id first, ids of one length by their bytes. They are read step by step, so a
   * group that has its first job meanwhile may be missing.
   * @param start the first index, from 0. A negative index counts from the end: -1 is the last group. For that, all are counted
   * @param end the last index, with the same rule; default -1
   */
  async getGroups(start = 0, end = -1): Promise<GroupInfo[]> {
    checkIndex('getGroups: start', start);
    checkIndex('getGroups: end', end);
    return this.core.use((link, keys) => readGroups(link, keys, { start, end }));
  }

  /**
   * The groups of one status, in the order of {@link getGroups} and with its indexes. Of `paused`, all groups that are paused, also
   * those that have no waiting jobs. For another status, this looks at all groups before those that it returns, so ask for few at
   * a time where there are many.
   */
  async getGroupsByStatus(status: ListedStatus, start = 0, end = -1): Promise<GroupInfo[]> {
    checkStatus('getGroupsByStatus', status);
    checkIndex('getGroupsByStatus: start', start);
    checkIndex('getGroupsByStatus: end', end);
    return this.core.use((link, keys) => readGroupsByStatus(link, keys, status, { start, end }));
  }

  /** How many groups have each status. A paused group counts whether it has waiting jobs or not. */
  async getGroupsCountByStatus(): Promise<Record<ListedStatus, number>> {
    return this.core.use(countGroupsByStatus);
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

  /**
   * Counts the waiting jobs of a group by their priority in the group. 0 = none.
   * @param priorities at most 1,000
   * @throws RangeError (CMQ-004) for a priority that is not from 0 to 2,097,152
   */
  async getCountsPerPriorityForGroup(
    groupId: string,
    priorities: readonly number[],
  ): Promise<Record<string, number>> {
    checkGroupId('getCountsPerPriorityForGroup', groupId);
    checkPriorities('getCountsPerPriorityForGroup', priorities);
    return this.core.use((link, keys) => countPriorities(link, keys, { group: groupId, priorities }));
  }

  /** How many jobs of a group are in flight. */
  async getGroupActiveCount(groupId: string): Promise<number> {
    return (await this.#group('getGroupActiveCount', groupId)).active;
  }

  /** What the jobs of a group wait for; `empty` if it has no job that waits and is not paused. */
  async getGroupStatus(groupId: string): Promise<GroupStatus> {
    return (await this.#group('getGroupStatus', groupId)).status;
  }

  /**
   * Sets the defaults of all groups: what is missing has no limit. They replace what the workers have declared (`group`) until
   * that changes. A limit that is set while jobs run does not stop them.
   */
  async setGroupDefaults(limits: GroupLimits): Promise<boolean> {
    const fields = groupFields(checkGroupLimits('setGroupDefaults', limits));
    const removes = Object.values(fields).every((value) => value === undefined) ? 'group' : undefined;
    return this.core.use((link, keys) => setPolicy(link, keys, { removes, fields }));
  }

  /** The defaults of all groups; `{}` if there are none. */
  async getGroupDefaults(): Promise<GroupLimits> {
    const { groups } = await this.readLimits();
    const { concurrency, max, duration, isStrict } = groups;
    return {
      ...(concurrency !== undefined && { concurrency }),
      ...(max !== undefined && duration !== undefined && { limit: { max, duration } }),
      ...(isStrict && { strict: true }),
    };
  }

  /** Removes what {@link setGroupDefaults} has set: within a second, those that the workers declare (`group`) hold again. */
  async removeGroupDefaults(): Promise<boolean> {
    return this.setGroupDefaults({});
  }

  /** No job of the group starts until {@link resumeGroup}; jobs that run go on. Other groups are not affected. */
  async pauseGroup(groupId: string): Promise<boolean> {
    return this.#setGroup('pauseGroup', groupId, { paused: true });
  }

  async resumeGroup(groupId: string): Promise<boolean> {
    return this.#setGroup('resumeGroup', groupId, { paused: false });
  }

  /**
   * Sets how many jobs of this group may be in flight at once, instead of the default of all groups. In a strict queue, it stays 1.
   * @param concurrency a whole number from 1
   */
  async setGroupConcurrency(groupId: string, concurrency: number): Promise<boolean> {
    checkMost('setGroupConcurrency: the concurrency', concurrency);
    return this.#setGroup('setGroupConcurrency', groupId, { concurrency });
  }

  /** What {@link setGroupConcurrency} has set; null if the group has none of its own. */
  async getGroupConcurrency(groupId: string): Promise<number | null> {
    return (await this.#group('getGroupConcurrency', groupId)).own.concurrency ?? null;
  }

  /** The group has the default of all groups again. */
  async removeGroupConcurrency(groupId: string): Promise<boolean> {
    return this.#setGroup('removeGroupConcurrency', groupId, { concurrency: null });
  }

  /**
   * Sets how many jobs of this group may start in any span of time of this length, instead of the default of all groups.
   * @param max a whole number from 1
   * @param duration in ms, from 1 to 2,592,000,000 (30 days)
   */
  async setGroupRateLimit(groupId: string, max: number, duration: number): Promise<boolean> {
    checkMost('setGroupRateLimit: max', max);
    checkLimitMs('setGroupRateLimit: the duration', duration);
    return this.#setGroup('setGroupRateLimit', groupId, { max, duration });
  }

  /** What {@link setGroupRateLimit} has set; null if the group has none of its own. */
  async getGroupRateLimit(groupId: string): Promise<RateLimit | null> {
    const { max, duration } = (await this.#group('getGroupRateLimit', groupId)).own;
    return max === undefined || duration === undefined ? null : { max, duration };
  }

  /** The group has the default of all groups again. */
  async removeGroupRateLimit(groupId: string): Promise<boolean> {
    return this.#setGroup('removeGroupRateLimit', groupId, { max: null, duration: null });
  }

  /**
   * For how many ms no job of the group may start: because of its rate limit, or of `worker.rateLimitGroup`. With `maxJobs`, the
   * window counts as full with so many starts: 0 if it has fewer. Without it: until all starts have left the window. -2 if nothing has
   * started, or there is no rate limit.
   */
  async getGroupRateLimitTtl(groupId: string, maxJobs?: number): Promise<number> {
    if (maxJobs !== undefined) checkMost('getGroupRateLimitTtl: maxJobs', maxJobs);
    const { limitedMs, starts, freesMs, endsMs } = await this.#group('getGroupRateLimitTtl', groupId);
    if (limitedMs > 0) return Math.max(limitedMs, endsMs);
    if (starts === 0) return -2;
    if (maxJobs === undefined) return endsMs;
    return starts >= maxJobs ? freesMs : 0;
  }

  async #setGroup(
    method: string,
    group: string,
    change: Omit<SetGroupOptions, 'group' | 'call'>,
  ): Promise<boolean> {
    checkGroupId(method, group);
    return this.core.use((link, keys) => setGroup(link, keys, { group, ...change }));
  }

  async #group(method: string, group: string): Promise<GroupReply> {
    checkGroupId(method, group);
    return this.core.use((link, keys) => readGroup(link, keys, { group }));
  }
}
