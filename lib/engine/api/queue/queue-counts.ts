import { countJobs } from '../../../redis/scripts/count-jobs.js';
import type { JobTotals } from '../../../redis/scripts/count-jobs.js';
import { countPriorities } from '../../../redis/scripts/count-priorities.js';
import { readBacklog } from '../../../redis/scripts/read-backlog.js';
import type { Backlog } from '../../../redis/scripts/read-backlog.js';
import { countByTypes, countDelayed, getJobCounts } from '../../admin/look/counts.js';
import { getMetrics } from '../../admin/look/metrics.js';
import type { Metrics } from '../../admin/look/metrics.js';
import { readQueueNumbers } from '../../admin/look/queue-numbers.js';
import type { QueueNumbers } from '../../admin/look/queue-numbers.js';
import { checkGlobalLabels, toPrometheus } from '../../admin/look/to-prometheus.js';
import { checkCountedTypes } from '../../admin/look/job-types.js';
import type { JobCounts } from '../../admin/look/job-types.js';
import { ConfigError } from '../../base/errors.js';
import { checkIndex, checkText, checkWhole } from '../../config/check-arguments.js';
import { show } from '../../config/checks.js';
import { checkPriorities } from '../../config/options/priority.js';
import type { JobType } from '../../job/job.js';
import { QueueSchedules } from './queue-schedules.js';

/**
 * The methods of a queue that count. Each is one call, and its cost does not depend on the length of the queue. Errors of
 * all of them: ConnectionError (CMQ-001), ShutdownError (CMQ-005).
 */
export abstract class QueueCounts<Data, Result, Name extends string> extends QueueSchedules<
  Data,
  Result,
  Name
> {
  /** How many jobs wait, run and are late, as one consumer group sees them. */
  async getBacklog(group = 'default'): Promise<Backlog> {
    checkText('getBacklog: the group', group);
    return this.core.use((link, keys) => readBacklog(link, keys, { group }));
  }

  /**
   * Counts the jobs of each type at one instant. The waiting jobs of a paused queue are `paused`: who asks for `waiting` gets
   * both. `failed` are the dead letters. `completed` are the jobs that a queue with `trackJobs` keeps.
   * @param types default: all but `wait` (which is `waiting`) and `repeat` (the schedules)
   * @throws ConfigError (CMQ-004) for an unknown type; names the nearest one
   */
  getJobCounts(): Promise<JobCounts>;
  getJobCounts(...types: JobType[]): Promise<Record<string, number>>;
  async getJobCounts(...types: JobType[]): Promise<Record<string, number>> {
    checkCountedTypes('getJobCounts', types);
    return this.core.use((link, keys) => getJobCounts(link, keys, types));
  }

  /** The number of jobs of any of these types. Default types and errors as {@link getJobCounts}. */
  async getJobCountByTypes(...types: JobType[]): Promise<number> {
    checkCountedTypes('getJobCountByTypes', types);
    return this.#count(types);
  }

  /** The number of jobs that have not started: they wait (also in a paused queue) or are delayed. */
  async count(): Promise<number> {
    return this.#count(['waiting', 'delayed', 'prioritized', 'waiting-children']);
  }

  /** Jobs that wait for a worker, also those of a paused queue. */
  async getWaitingCount(): Promise<number> {
    return this.#count(['waiting']);
  }

  /** Jobs that a worker has fetched. */
  async getActiveCount(): Promise<number> {
    return this.#count(['active']);
  }

  /**
   * Jobs in the delayed set, retries among them.
   * @param timestamp unix ms: only jobs that are due before it
   */
  async getDelayedCount(timestamp?: number): Promise<number> {
    if (timestamp !== undefined) checkWhole('getDelayedCount: the timestamp', timestamp);
    return this.core.use((link, keys) => countDelayed(link, keys, timestamp));
  }

  /** Dead letters. */
  async getFailedCount(): Promise<number> {
    return this.#count(['failed']);
  }

  /** Completed jobs that are kept (`trackJobs`). */
  async getCompletedCount(): Promise<number> {
    return this.#count(['completed']);
  }

  /**
   * Counts the waiting jobs without a group by their priority. 0 = none: the jobs that run before all with a priority.
   * @throws RangeError (CMQ-004) for a priority that is not from 0 to 2,097,152
   */
  async getCountsPerPriority(priorities: readonly number[]): Promise<Record<string, number>> {
    checkPriorities('getCountsPerPriority', priorities);
    return this.core.use((link, keys) => countPriorities(link, keys, { priorities }));
  }

  /** Jobs that wait and have a priority, and no group. */
  async getPrioritizedCount(): Promise<number> {
    return this.#count(['prioritized']);
  }

  /** Always 0: no job has children. */
  async getWaitingChildrenCount(): Promise<number> {
    return this.#count(['waiting-children']);
  }

  /**
   * How many jobs have completed or become dead letters in each minute, as workers with `metrics: { maxDataPoints }` count them.
   * @param start the first minute of `data`: 0 = the one before the newest minute that has a count; negative: from the end
   * @param end the last one. Default: all
   * @throws ConfigError (CMQ-004) for another type; RangeError (CMQ-004) for an index that is not a whole number
   */
  async getMetrics(type: 'completed' | 'failed', start = 0, end = -1): Promise<Metrics> {
    if ((type as unknown) !== 'completed' && (type as unknown) !== 'failed') {
      throw new ConfigError(`getMetrics: the type must be 'completed' or 'failed', not ${show(type)}.`);
    }
    checkIndex('getMetrics: start', start);
    checkIndex('getMetrics: end', end);
    return this.core.use((link, keys) => getMetrics(link, keys, type, start, end));
  }

  /**
   * The numbers of the queue in the text format of Prometheus, from Redis in one round trip: `bullmq_job_count`, with the types of
   * {@link getJobCounts} as the label `state`; `bullmq_job_completed_total` and `bullmq_job_failed_total`, once workers with
   * `metrics: { maxDataPoints }` have counted; and the gauges of the queue that `ChasquiTelemetry` has, by the same names. For
   * several queues, use the function `exportPrometheusMetrics(queues)`.
   * @param globalVariables labels that every sample gets
   * @throws ConfigError (CMQ-004) for a label that Prometheus does not accept, or that the export sets itself
   */
  async exportPrometheusMetrics(globalVariables: Record<string, string> = {}): Promise<string> {
    checkGlobalLabels(globalVariables);
    return toPrometheus([{ name: this.name, numbers: await this.readNumbers() }], globalVariables);
  }

  /** @internal What `exportPrometheusMetrics` shows. */
  readNumbers(): Promise<QueueNumbers> {
    return this.core.use((link, keys) => readQueueNumbers(link, keys, 'default'));
  }

  /** @internal All counts and whether the queue is paused, for the dashboard. */
  readTotals(): Promise<JobTotals> {
    return this.core.use((link, keys) => countJobs(link, keys));
  }

  #count(types: readonly JobType[]): Promise<number> {
    return this.core.use((link, keys) => countByTypes(link, keys, types));
  }
}
