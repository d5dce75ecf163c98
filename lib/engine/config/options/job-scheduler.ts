import type { JobsOptions } from './job.js';
import type { MissedFiresOption } from './repeat.js';

/** Options of the jobs of a schedule: those of `queue.add` that a single job cannot have alone. */
export type JobSchedulerTemplateOptions = Omit<
  JobsOptions,
  'jobId' | 'repeat' | 'repeatJobKey' | 'delay' | 'timestamp' | 'dedupTtlMs' | 'deduplication'
>;

/** What the jobs of a schedule have in common. */
export interface JobSchedulerTemplate<Data = unknown, Name extends string = string> {
  /** Dispatch name. Default: the id of the schedule. */
  name?: Name;
  /** Default `{}`. */
  data?: Data;
  opts?: JobSchedulerTemplateOptions;
}

/** A schedule, as `Queue.getJobScheduler` returns it. Times are unix ms. */
export interface JobSchedulerJson<Data = unknown> {
  /** Its id. */
  key: string;
  /** The same as `key`. */
  id: string;
  /** Dispatch name of its jobs. */
  name: string;
  /** Runs so far. */
  iterationCount: number;
  limit?: number;
  startDate?: number;
  endDate?: number;
  tz?: string;
  /** Cron expression. Set if `every` is not. */
  pattern?: string;
  /** Interval in ms. */
  every?: number;
  offset?: number;
  /** The next run. Absent while the schedule is paused. */
  next?: number;
  /** Data and options of its jobs. `data` is absent if another program wrote bytes that cannot be decoded. */
  template: { data?: Data; opts?: JobSchedulerTemplateOptions };
  paused: boolean;
  /** Since when it is paused. */
  pausedSince?: number;
  skipIfRunning: boolean;
  /** As the options say it, for example `{ kind: 'skip' }`. Absent if another program wrote something else. */
  missedFires?: MissedFiresOption;
  /** The application that declared the schedule, if it gave its name. */
  owner?: string;
}
