import { ConfigError } from '../../base/errors.js';
import type { WithExtras } from '../../codec/extras.js';
import { checkText } from '../../config/check-arguments.js';
import { checkOptions, nested } from '../../config/check-options.js';
import { anything } from '../../config/checks.js';
import { jobSchema } from '../../config/options/job.js';
import { repeatSchema } from '../../config/options/repeat.js';
import type { JobSchedulerTemplate, JobsOptions, RepeatOptions } from '../../config/options.js';
import { checkJobOptions, withDefaults, withoutSize } from '../../enqueue/new-job.js';
import type { JobLimits } from '../../enqueue/new-job.js';
import { Job } from '../../job/job.js';
import type { JobOwner } from '../../job/job.js';
import { SINGLE, toRepeatableSpec } from './from-options.js';
import type { RepeatableSpec } from './stored-schedule.js';

const TEMPLATE = {
  name: anything,
  data: anything,
  opts: nested('upsertJobScheduler: the template', jobSchema),
};

/** Options that the template of a schedule cannot have, and what to use instead. */
const NOT_OF_TEMPLATE = {
  ...SINGLE,
  delay: 'Use startDate of the repeat options.',
  jobId: 'The ids of the jobs follow from the id of the schedule and the slot.',
  dedupTtlMs: 'The ids of the jobs follow from the id of the schedule and the slot.',
  repeat: 'The second argument has the repeat options.',
  repeatJobKey: 'The first argument is the key.',
} as const;

/** A schedule that `Queue.upsertJobScheduler` declares. */
export interface TemplateSchedule {
  key: string;
  spec: RepeatableSpec & WithExtras;
  /** The options of its jobs. */
  opts: JobsOptions;
}

/** @throws ConfigError, TypeError (CMQ-004), NotSupportedError (CMQ-100) */
export function fromTemplate(
  [key, repeatOpts, jobTemplate]: readonly [string, Omit<RepeatOptions, 'key'>, JobSchedulerTemplate],
  defaults: JobsOptions | undefined,
  limits: JobLimits,
): TemplateSchedule {
  checkText('upsertJobScheduler: the id', key);
  const repeat = atOnce(checkOptions('upsertJobScheduler', repeatSchema, repeatOpts));
  const { name = key, data = {}, opts } = checkOptions('upsertJobScheduler', TEMPLATE, jobTemplate);
  const given: JobsOptions = opts ?? {};
  for (const [option, instead] of Object.entries(NOT_OF_TEMPLATE)) {
    if (given[option as keyof typeof NOT_OF_TEMPLATE] !== undefined) {
      throw new ConfigError(
        `upsertJobScheduler: the template cannot have the option "${option}". ${instead}`,
      );
    }
  }
  const merged = withDefaults(defaults, opts) ?? {};
  // A default is for single jobs.
  delete merged.deduplication;
  if (opts?.group === undefined) withoutSize(merged);
  checkJobOptions(merged, limits);
  return {
    key,
    spec: toRepeatableSpec(name, data, { ...merged, repeat, repeatJobKey: key }, limits.keep),
    opts: { ...merged, repeatJobKey: key },
  };
}

/** An interval without a start of its own begins at once, as in BullMQ 6; `immediately: false` begins after one interval. */
function atOnce(repeat: RepeatOptions): RepeatOptions {
  const { every, startDate, offset, immediately } = repeat;
  const begins = every !== undefined && startDate === undefined && offset === undefined;
  return begins && immediately === undefined ? { ...repeat, immediately: true } : repeat;
}

/** The job that a schedule adds at its next slot, as `Queue.upsertJobScheduler` returns it. */
export function nextJob<Data, Result, Name extends string>(
  owner: JobOwner,
  { key, spec, opts }: TemplateSchedule,
  nextFireMs: number,
): Job<Data, Result, Name> {
  const now = Date.now();
  return new Job<Data, Result, Name>(owner, {
    id: idOfJob(key, spec.skipIfRunning, String(nextFireMs)),
    name: spec.jobName,
    data: spec.payload as Data,
    opts,
    attemptsMade: 0,
    timestamp: now,
    delay: Math.max(0, nextFireMs - now),
  });
}

/** The id of a job of a schedule. `which`: the slot in unix ms, or something else that tells the jobs apart. */
export function idOfJob(key: string, skipIfRunning: boolean | undefined, which: string): string {
  return skipIfRunning ? `repeat:${key}` : `repeat:${key}:${which}`;
}
