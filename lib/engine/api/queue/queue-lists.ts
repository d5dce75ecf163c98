import { checkListedTypes, COUNTED_TYPES } from '../../admin/look/job-types.js';
import { listJobs } from '../../admin/look/lists.js';
import { checkIndex } from '../../config/check-arguments.js';
import type { Job, JobType } from '../../job/job.js';
import { QueueDeadLetters } from './queue-dead-letters.js';

/**
 * The methods of a queue that list jobs. They change nothing. Indexes count from 0, and negative ones from the end. A list is
 * read in calls that hold Redis for 2 ms at most: the jobs may move between two of them. Bytes that cannot be decoded are in
 * the lists too: as jobs without data, and with the id '' if they have none.
 */
export abstract class QueueLists<Data, Result, Name extends string> extends QueueDeadLetters<
  Data,
  Result,
  Name
> {
  /**
   * Lists the jobs of each type: first those of the first type, and so on. The range is a part of each of them.
   *
   * A call reads what is before `start`, except for delayed and completed jobs: half a second for each 500,000 jobs. To read
   * far into the dead letters, use {@link getDlq}.
   * @param types default: all
   * @param end the last index; default -1, the last job
   * @param asc the oldest first; of delayed jobs, those that are due first. Default: false
   * @throws ConfigError (CMQ-004) for an unknown type; RangeError (CMQ-004) for an index that is not a whole number
   */
  async getJobs(
    types: JobType | readonly JobType[] = COUNTED_TYPES,
    start = 0,
    end = -1,
    asc = false,
  ): Promise<Job<Data, Result, Name>[]> {
    const list: readonly unknown[] = Array.isArray(types) ? types : [types];
    checkListedTypes('getJobs', list);
    checkIndex('getJobs: start', start);
    checkIndex('getJobs: end', end);
    const range = { start, end, asc };
    const jobs = await this.core.use((link, keys) => listJobs(this, link, keys, list, range));
    return jobs as Job<Data, Result, Name>[];
  }

  /** Jobs that wait for a worker, also those of a paused queue: the one that runs next comes first. */
  getWaiting(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('waiting', start, end, true);
  }

  /** Jobs that a worker has fetched: the oldest entry of the work stream first. `processedBy` is the consumer of the worker. */
  getActive(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('active', start, end, true);
  }

  /** Delayed jobs, retries among them: the one that is due next comes first. `delay` is in ms from now. */
  getDelayed(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('delayed', start, end, true);
  }

  /** The jobs of the dead letters: the one that failed last comes first. */
  getFailed(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('failed', start, end, false);
  }

  /** Completed jobs that are kept (`trackJobs`): the one that completed last comes first. */
  getCompleted(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('completed', start, end, false);
  }

  /** Always empty: no job has a priority. */
  getPrioritized(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('prioritized', start, end, true);
  }

  /** Always empty: no job has children. */
  getWaitingChildren(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('waiting-children', start, end, true);
  }
}
