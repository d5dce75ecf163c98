import { ConfigError, ConfigTypeError } from '../../base/errors.js';
import { readProperty } from '../../base/safe-access.js';
import { checkTextBy } from '../check-arguments.js';
import { checkOptions, nested } from '../check-options.js';
import type { Schema } from '../check-options.js';
import { boolean, oneOf, show, text, whole } from '../checks.js';
import type { Check } from '../checks.js';
import { rateLimitSchema } from './limits.js';
import type { RateLimit } from './limits.js';
import { MOST_PRIORITY } from './priority.js';

/** The group of a job. The groups of a queue take turns: docs/groups.md. */
export interface JobGroup {
  /** For example the id of a tenant. Groups need not be declared. At most 256 bytes. */
  id: string;
  /**
   * 1 (runs first) to 2,097,152, among the jobs of the group; 0 = none: such jobs run before those that have one. It says nothing
   * about other groups. Default 0.
   */
  priority?: number;
  /**
   * Adds the job only if fewer jobs than this wait in its group, else the add fails with GroupFullError (CMQ-112). Jobs that run or
   * are delayed do not count, and a delayed job is never refused. Not for a schedule. Default: any number.
   */
  maxSize?: number;
}

/** The defaults of all groups of a queue. What is missing has no limit. */
export interface GroupLimits {
  /** How many jobs of each group may be in flight, in all workers together: a whole number from 1. Default: any number. */
  concurrency?: number;
  /** How many jobs of each group may start in any span of time of this length, in all workers together. Default: any number. */
  limit?: RateLimit;
  /**
   * Each group runs one job after the other, also if a job fails: until its retry has ended, no other job of the group starts.
   * Default false.
   */
  strict?: boolean;
}

export const MAX_GROUP_ID_BYTES = 256;
const MOST_SIZE = 0xffffffff;

const groupId: Check = (value) => {
  const wrong = text(value);
  if (wrong !== undefined) return wrong;
  const bytes = Buffer.byteLength(value as string);
  if (bytes <= MAX_GROUP_ID_BYTES) return undefined;
  return `must have at most ${String(MAX_GROUP_ID_BYTES)} bytes, and has ${String(bytes)}`;
};

const jobGroupSchema: Schema<JobGroup> = {
  id: groupId,
  priority: whole(0, MOST_PRIORITY),
  maxSize: whole(1, MOST_SIZE),
};

const jobGroupObject = nested('job options: "group"', jobGroupSchema, ['id']);

const groupLimitsSchema: Schema<GroupLimits> = {
  concurrency: whole(1),
  limit: nested('the limit of groups', rateLimitSchema, ['max', 'duration']),
  strict: boolean,
};

const groupLimitsObject = nested('group', groupLimitsSchema);

/** The option of a worker: the name of its consumer group, or the defaults of the groups of jobs. */
export const workerGroup: Check = Object.assign(
  (value: unknown) => {
    if (typeof value === 'string') return text(value);
    return (
      groupLimitsObject(value) &&
      'must be limits of groups such as { concurrency: 1 }, or the name of a consumer group'
    );
  },
  { read: (value: unknown) => (typeof value === 'string' ? value : groupLimitsObject.read?.(value)) },
);

/** The consumer group that the option of a worker names. */
export function consumerGroupOf(group: string | GroupLimits | undefined): string {
  return typeof group === 'string' ? group : 'default';
}

/** @throws ConfigError (CMQ-004) */
export function checkGroupLimits(method: string, limits: GroupLimits): GroupLimits {
  return checkOptions(method, groupLimitsSchema, limits);
}

/** The fields of the policy that say the defaults of groups, as lib/redis/scripts/set-policy.ts takes them. */
export function groupFields({ concurrency, limit, strict }: GroupLimits): {
  groupConcurrency: number | undefined;
  groupMax: number | undefined;
  groupDuration: number | undefined;
  groupStrict: 1 | undefined;
} {
  return {
    groupConcurrency: concurrency,
    groupMax: limit?.max,
    groupDuration: limit?.duration,
    groupStrict: strict === true ? 1 : undefined,
  };
}

/** The job option. */
export const jobGroup: Check = Object.assign(
  (value: unknown) => jobGroupObject(value) && `must be an object such as { id: 'a' }`,
  { read: (value: unknown) => jobGroupObject.read?.(value) },
);

/** @throws ConfigTypeError (a TypeError, CMQ-004) for a blank id or none; ConfigError (CMQ-004) for one that is too long or cut */
export function checkGroupId(method: string, value: unknown): asserts value is string {
  checkTextBy(groupId, `${method}: the group id`, value);
}

/**
 * The group of a job of this queue.
 * @throws ConfigTypeError (a TypeError, CMQ-004) unless the value is such a job
 */
export function groupOfJob(method: string, queue: string, job: unknown): string {
  const group = readProperty(job, 'groupId');
  if (readProperty(job, 'queueName') === queue && group !== undefined) {
    checkGroupId(method, group);
    return group;
  }
  throw new ConfigTypeError(
    `${method}: the job must be a job of queue "${queue}" that is in a group, such as the one that the handler got.`,
  );
}

const STATUSES = oneOf('waiting', 'limited', 'maxed', 'paused');

/** @throws ConfigError (CMQ-004) unless a group that has waiting jobs can have this status */
export function checkStatus(method: string, value: unknown): void {
  const wrong = STATUSES(value);
  if (wrong !== undefined) throw new ConfigError(`${method}: the status ${wrong}, not ${show(value)}.`);
}

/**
 * Checks the option against the other options of the job.
 * @throws ConfigError (CMQ-004)
 */
export function checkJobGroup({ priority, lifo }: { priority?: number; lifo?: boolean }): void {
  if (priority) {
    throw new ConfigError(
      'job options: a job in a group has its priority inside the group: write group: { id, priority } instead of "priority".',
    );
  }
  if (lifo === true) {
    throw new ConfigError(
      'job options: set either "group" or "lifo". A job in a group waits for the turn of its group.',
    );
  }
}
