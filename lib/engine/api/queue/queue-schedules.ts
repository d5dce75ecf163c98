import { checkFlag, checkIndex, checkLimit, checkText, checkWhole } from '../../config/check-arguments.js';
import { checkOptions } from '../../config/check-options.js';
import { rescheduleSchema } from '../../config/options/repeat.js';
import type {
  JobSchedulerJson,
  JobSchedulerTemplate,
  RepeatOptions,
  RepeatableJobMeta,
} from '../../config/options.js';
import { Job } from '../../job/job.js';
import { ownOptions } from '../../job/own-options.js';
import { readExtras } from '../../codec/extras.js';
import { toJobMeta } from '../../timers/repeat/from-options.js';
import { fromTemplate, nextJob } from '../../timers/repeat/from-template.js';
import {
  countSchedules,
  getJobScheduler,
  getJobSchedulers,
  jobOfSchedule,
  pauseSchedule,
  resumeSchedule,
} from '../../timers/repeat/job-schedulers.js';
import { reschedule } from '../../timers/repeat/reschedule.js';
import type { RescheduleOptions } from '../../timers/repeat/reschedule.js';
import { readSchedules } from '../../timers/repeat/schedules.js';
import { QueueBase } from './queue-base.js';

/** The methods of a queue for its schedules. */
export abstract class QueueSchedules<Data, Result, Name extends string> extends QueueBase {
  /**
   * Declares a schedule, as `add` with `repeat` does. If it is there, unchanged, nothing changes. Resolves with the next job
   * that it will add: its id, its data, and the time until then as `delay`. `duplicate` is true if nothing was written. The
   * job is not in the queue before its time. An `every` without `startDate` and `offset` begins at once, as in BullMQ 6;
   * `immediately: false` begins after one interval.
   * @param jobSchedulerId the key of the schedule: at most 480 bytes
   * @throws ConfigError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), ConnectionError (CMQ-001)
   */
  async upsertJobScheduler(
    jobSchedulerId: string,
    repeatOpts: Omit<RepeatOptions, 'key'>,
    jobTemplate: JobSchedulerTemplate<Data, Name> = {},
  ): Promise<Job<Data, Result, Name>> {
    this.core.assertOpen();
    const { limits, declared } = this.core;
    const args = [jobSchedulerId, repeatOpts, jobTemplate] as const;
    const schedule = fromTemplate(args, this.opts.defaultJobOptions, limits);
    const { outcome, nextFireMs } = await this.core.use(() => declared.declare(schedule.spec));
    const job = nextJob<Data, Result, Name>(this, schedule, nextFireMs);
    job.duplicate = outcome === 'unchanged' || outcome === 'superseded';
    return job;
  }

  /** One schedule; undefined if there is none of this id. */
  async getJobScheduler(id: string): Promise<JobSchedulerJson<Data> | undefined> {
    checkText('getJobScheduler: the id', id);
    const json = await this.core.use((link, keys) => getJobScheduler(link, keys, id));
    return json as JobSchedulerJson<Data> | undefined;
  }

  /**
   * Schedules in the order of their next run; paused ones count as the last.
   * @param start position of the first, from 0. A negative position counts from the end: -1 is the last.
   * @param end position of the last one that is returned
   * @param asc the next run first. Default: the latest first, as in BullMQ
   */
  async getJobSchedulers(start = 0, end = -1, asc = false): Promise<JobSchedulerJson<Data>[]> {
    checkIndex('getJobSchedulers: start', start);
    checkIndex('getJobSchedulers: end', end);
    checkFlag('getJobSchedulers: asc', asc);
    const list = await this.core.use((link, keys) => getJobSchedulers(link, keys, { start, end, asc }));
    return list as JobSchedulerJson<Data>[];
  }

  /** How many schedules the queue has. */
  async getJobSchedulersCount(): Promise<number> {
    return this.core.use(countSchedules);
  }

  /**
   * Changes when a schedule fires. Its jobs (name, data, options), its count and what it does about missed fires stay. An
   * application that declares the schedule with another rule sets that rule again when it starts. Resolves with the next
   * run, in unix ms.
   * @throws ScheduleNotFoundError (CMQ-111), ConfigError (CMQ-004), ConnectionError (CMQ-001)
   */
  async rescheduleJobScheduler(jobSchedulerId: string, repeatOpts: RescheduleOptions): Promise<number> {
    checkText('rescheduleJobScheduler: the id', jobSchedulerId);
    const checked = checkOptions('rescheduleJobScheduler', rescheduleSchema, repeatOpts);
    return this.core.use((link, keys) => reschedule(link, keys, jobSchedulerId, checked));
  }

  /** Removes a schedule. True if it was there. Jobs that it has already added stay. */
  async removeJobScheduler(jobSchedulerId: string): Promise<boolean> {
    checkText('removeJobScheduler: the id', jobSchedulerId);
    return this.core.use(() => this.core.declared.remove(jobSchedulerId));
  }

  /**
   * Pauses a schedule: it adds no jobs until it is resumed, whatever restarts or is deployed meanwhile. Jobs that it has
   * added stay. True if it was not paused before.
   * @throws ScheduleNotFoundError (CMQ-111)
   */
  async pauseJobScheduler(jobSchedulerId: string): Promise<boolean> {
    checkText('pauseJobScheduler: the id', jobSchedulerId);
    return this.core.use((link, keys) => pauseSchedule(link, keys, jobSchedulerId));
  }

  /**
   * Resumes a schedule. Slots that came while it was paused are skipped. If its pattern has no slot left, it is removed. True
   * if it was paused before.
   * @throws ScheduleNotFoundError (CMQ-111)
   */
  async resumeJobScheduler(jobSchedulerId: string): Promise<boolean> {
    checkText('resumeJobScheduler: the id', jobSchedulerId);
    return this.core.use((link, keys) => resumeSchedule(link, keys, jobSchedulerId));
  }

  /**
   * Adds a job of the schedule now, also if it is paused. Its next run and its count stay. With `skipIfRunning`, nothing is
   * added while a job of the schedule is unfinished: then the returned job has `duplicate: true`.
   * @throws ScheduleNotFoundError (CMQ-111), QueueFullError (CMQ-006), ConnectionError (CMQ-001)
   */
  async runJobScheduler(jobSchedulerId: string): Promise<Job<Data, Result, Name>> {
    checkText('runJobScheduler: the id', jobSchedulerId);
    const { job, data } = await this.core.use((link, keys) => jobOfSchedule(link, keys, jobSchedulerId));
    const duplicates = await this.core.enqueue([job]);
    const added = new Job<Data, Result, Name>(this, {
      id: job.id,
      name: job.name,
      data: data as Data,
      opts: {
        ...ownOptions(job.retry, job.extras && readExtras(job.extras)),
        repeatJobKey: jobSchedulerId,
      },
      attemptsMade: 0,
      timestamp: job.createdAtMs,
      delay: 0,
    });
    added.duplicate = duplicates.has(0);
    return added;
  }

  /**
   * Lists the schedules of the queue, ordered by their next fire, without their data. Paused ones come last.
   * @param limit the most that are listed. Default: all
   */
  async getRepeatableJobs(limit = Infinity): Promise<RepeatableJobMeta[]> {
    checkLimit(limit);
    const schedules = await this.core.use((link, keys) => readSchedules(link, keys, limit));
    return schedules.map(toJobMeta);
  }

  /**
   * Asks whether this deployment may change schedules of an owner. Resolves with false if a newer deployment has asked
   * before. If it resolves with true, older deployments get false from now on, and what they still declare is not stored.
   *
   * @param owner as `owner` of {@link RepeatOptions}
   * @param generation a whole number that grows with each deployment
   */
  async claimRepeatables(owner: string, generation: number): Promise<boolean> {
    checkText('claimRepeatables: the owner', owner);
    checkWhole('claimRepeatables: the generation', generation);
    return this.core.use(() => this.core.declared.claim(owner, generation));
  }

  /**
   * Removes a schedule. True if it was there. Jobs that it has already added stay.
   * @param owner remove it for this owner, as a part of a deployment: if this queue has claimed the schedules of the owner
   * (`claimRepeatables`), and a newer deployment has claimed them since, nothing is removed. Default: remove it in any case.
   */
  async removeRepeatableByKey(key: string, owner?: string): Promise<boolean> {
    checkText('removeRepeatableByKey: the key', key);
    if (owner !== undefined) checkText('removeRepeatableByKey: the owner', owner);
    return this.core.use(() => this.core.declared.remove(key, owner));
  }
}
