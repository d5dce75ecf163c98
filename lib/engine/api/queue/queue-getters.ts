import { getJobLogs } from '../../admin/job-logs.js';
import type { JobLogs } from '../../admin/job-logs.js';
import { getWorkers } from '../../admin/workers.js';
import type { WorkerInfo } from '../../admin/workers.js';
import { findDedup } from '../../../redis/scripts/find-dedup.js';
import { checkIndex, checkJobId } from '../../config/check-arguments.js';
import { checkDedupId } from '../../config/options/deduplication.js';
import { QueueLists } from './queue-lists.js';

/** The methods of a queue that look and change nothing. */
export abstract class QueueGetters<Data, Result, Name extends string> extends QueueLists<Data, Result, Name> {
  /**
   * The workers of the queue in all processes, of all consumer groups, in no order; at most 1,000. A worker that was killed
   * is listed until its report expires, which is one lease (at most 30 s) after the last one. A worker without a report (a
   * third-party one) is listed while Redis has heard from it within its lease, or within 30 s if its name does not say one.
   */
  async getWorkers(): Promise<WorkerInfo[]> {
    return this.core.use(getWorkers);
  }

  /** How many workers {@link getWorkers} lists. */
  async getWorkersCount(): Promise<number> {
    return (await this.getWorkers()).length;
  }

  /**
   * The id of the job that has a deduplication id; null if the id is free. With a `ttl`, a job may have the id after its end.
   * @throws TypeError (CMQ-004) for an id that is blank or too long
   */
  async getDeduplicationJobId(id: string): Promise<string | null> {
    checkDedupId('getDeduplicationJobId: the id', id);
    return (await this.core.use((link, keys) => findDedup(link, keys, id))) ?? null;
  }

  /** The stored return value of a job; undefined if nothing is stored. */
  async getJobResult(jobId: string): Promise<Result | undefined> {
    checkJobId(jobId);
    return (await this.core.use(() => this.core.results.get(jobId))) as Result | undefined;
  }

  /**
   * Rows of the log of a tracked job. Other jobs have none.
   * @param start the first row, from 0; negative: from the end, -1 is the last row
   * @param end the last row, in the same way. Default: all
   * @param asc false: newest first, and positions count from the newest row. Default true
   */
  async getJobLogs(jobId: string, start = 0, end = -1, asc = true): Promise<JobLogs> {
    checkJobId(jobId);
    checkIndex('getJobLogs: start', start);
    checkIndex('getJobLogs: end', end);
    return this.core.use((link, keys) => getJobLogs(link, keys, jobId, start, end, asc));
  }
}
