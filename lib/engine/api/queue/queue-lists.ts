import { findJobs } from '../../admin/look/find-jobs.js';
import type { JobPlace } from '../../job/job-actions.js';
import { getJob, getJobState } from '../../admin/look/get-job.js';
import { findJobsSchema, jobQuerySchema } from '../../admin/look/job-query.js';
import type { FindJobsOptions, JobQuery } from '../../admin/look/job-query.js';
import { checkListedTypes, COUNTED_TYPES } from '../../admin/look/job-types.js';
import { readPage } from '../../admin/look/list-page.js';
import type { ListPage, PageRange, StreamList } from '../../admin/look/list-page.js';
import { listJobs } from '../../admin/look/lists.js';
import { readUnreadable, removeUnreadable } from '../../admin/unreadable.js';
import type { UnreadableRef } from '../../admin/unreadable.js';
import { checkIndex, checkJobId } from '../../config/check-arguments.js';
import { checkOptions } from '../../config/check-options.js';
import type { Job, JobState, JobType } from '../../job/job.js';
import type { ChangedState } from '../../../redis/scripts/change-job.js';
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
   * A call reads what is before `start`, except for delayed and completed jobs: which takes seconds for 500,000 jobs. To read
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

  /** @internal A page of a list that may be long, for the dashboard. */
  readPage(list: StreamList, range: PageRange): Promise<ListPage> {
    return this.core.use((link, keys) => readPage(this, link, keys, list, range));
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

  /** Jobs that wait and have a priority, and no group: the one that runs next comes first. */
  getPrioritized(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('prioritized', start, end, true);
  }

  /** Always empty: no job has children. */
  getWaitingChildren(start?: number, end?: number): Promise<Job<Data, Result, Name>[]> {
    return this.getJobs('waiting-children', start, end, true);
  }

  /**
   * The job of an id, in whatever state it is. Undefined if there is none, or nothing of it is kept. An id of your own
   * (`jobId`), and every id of a queue with `trackJobs`, is found at once. Any other id is searched for in the work stream, in the
   * delayed set and among the dead letters, near the time in the id first.
   *
   * A job that moves during the search is found. `job.state` is where it was.
   * @throws TypeError for a blank id, ConfigError for an id that is too long (both CMQ-004), ConnectionError (CMQ-001),
   * ShutdownError (CMQ-005)
   */
  getJob(jobId: string): Promise<Job<Data, Result, Name> | undefined> {
    return this.readJob(jobId);
  }

  /** @internal The same, for the dashboard. @param near where the job was when it was last seen */
  async readJob(jobId: string, near?: JobPlace): Promise<Job<Data, Result, Name> | undefined> {
    checkJobId(jobId);
    const job = await this.core.use((link, keys) => getJob(this, link, keys, jobId, near));
    return job as Job<Data, Result, Name> | undefined;
  }

  /** @internal A job that no id leads to, or any dead letter, for the dashboard; undefined if it is not there any more. */
  readUnreadable(ref: UnreadableRef): Promise<Job | undefined> {
    return this.core.use((link, keys) => readUnreadable(this, link, keys, ref));
  }

  /** @internal Removes such a job: `removed`, or the state that does not allow it. */
  removeUnreadable(place: JobPlace): Promise<ChangedState | 'removed'> {
    const { eventsCap } = this.core;
    return this.core.use((link, keys) => removeUnreadable(link, keys, place, eventsCap));
  }

  /**
   * The state of the job of an id, which is found as by {@link getJob}. A job that has ended and is not kept is `completed` if its
   * result is stored, and else `unknown`, like a job that never existed. `failed` is a job that has a dead letter.
   * @throws as {@link getJob}
   */
  async getJobState(jobId: string): Promise<JobState> {
    checkJobId(jobId);
    return this.core.use((link, keys) => getJobState(link, keys, jobId));
  }

  /**
   * Finds jobs by their name and data, step by step, in all states. Each step holds Redis for 2 ms at most; a million jobs take
   * many seconds. Each job is reported once, with the state in which it was seen. A job that stays in the queue during the whole
   * search is not missed when it moves: see docs/looking.md.
   *
   * @example
   * ```ts
   * for await (const job of queue.findJobs({ name: 'invoice', data: { 'customer.id': 5 } })) await job.remove();
   * ```
   * @throws ConfigError (CMQ-004), EncodeError (CMQ-002) for a value that no data can have, the reason of the signal,
   * ConnectionError (CMQ-001), ShutdownError (CMQ-005)
   */
  async *findJobs(
    query: JobQuery,
    options: FindJobsOptions = {},
  ): AsyncGenerator<Job<Data, Result, Name>, void> {
    const checked = checkOptions('findJobs', jobQuerySchema, query);
    const { limit = Infinity, ...given } = checkOptions('findJobs', findJobsSchema, options);
    if (checked.types) checkListedTypes('findJobs', checked.types);
    // Each step is a call of its own: `close` waits for it, and the next one is refused then.
    const pages = await this.core.use((link, keys) =>
      Promise.resolve(findJobs(this, link, keys, checked, given)),
    );
    let found = 0;
    for (;;) {
      const page = await this.core.use(() => pages.next());
      if (page.done) return;
      for (const job of page.value) {
        yield job as Job<Data, Result, Name>;
        found += 1;
        if (found === limit) return;
      }
    }
  }
}
