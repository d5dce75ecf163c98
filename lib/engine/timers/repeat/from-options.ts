import { ConfigError } from '../../base/errors.js';
import { EXTRAS } from '../../codec/extras.js';
import { placeOf } from '../../enqueue/new-job.js';
import type { WithExtras } from '../../codec/extras.js';
import { keepOfJob, writeKeep } from '../../codec/keep.js';
import type { Keep } from '../../codec/keep.js';
import type { JobsOptions, RepeatOptions, RepeatableJobMeta } from '../../config/options.js';
import { CronPattern, EveryPattern, RepeatPattern } from './pattern.js';
import type { RepeatableMeta, RepeatableSpec } from './stored-schedule.js';

/** Options that only a single job can have, and what a schedule has instead. */
export const SINGLE = {
  delay: 'Use repeat.startDate.',
  jobId: 'Use repeatJobKey.',
  timestamp: 'Each job has its own.',
  deduplication: 'Use repeat.skipIfRunning.',
} as const;

/**
 * The schedule that `Queue.add(name, data, { repeat })` declares.
 * @param options checked options
 * @param keep what the queue keeps of its jobs
 * @throws ConfigError (CMQ-004)
 */
export function toRepeatableSpec(
  jobName: string,
  payload: unknown,
  options: JobsOptions & WithExtras & { repeat: RepeatOptions },
  keep?: Keep,
): RepeatableSpec & WithExtras {
  const { repeat, attempts, backoff, timeoutMs, ttlMs, expired } = options;
  for (const [option, instead] of Object.entries(SINGLE)) {
    if (options[option as keyof typeof SINGLE]) {
      throw new ConfigError(`job options: "${option}" cannot be combined with "repeat". ${instead}`);
    }
  }
  if (options.group?.maxSize !== undefined) {
    throw new ConfigError(
      'job options: "group.maxSize" cannot be combined with "repeat". A schedule always adds its job.',
    );
  }
  if (repeat.immediately && repeat.startDate !== undefined) {
    throw new ConfigError('repeat: set either "immediately" or "startDate": no job comes before the start.');
  }
  const key = keyOf(options);
  return {
    key,
    jobId: repeat.jobId,
    jobName,
    pattern: patternOf(repeat),
    payload,
    limit: repeat.limit,
    immediately: repeat.immediately,
    count: repeat.count,
    startAfterMs: toMs(repeat.startDate),
    endBeforeMs: toMs(repeat.endDate),
    missedFires: repeat.missedFires,
    skipIfRunning: repeat.skipIfRunning,
    owner: repeat.owner,
    attempts,
    backoff,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(expired !== undefined && { expired }),
    ...extrasOf(options, keepOfJob(options, keep)),
  };
}

function extrasOf(options: JobsOptions & WithExtras, keep: Keep | undefined): WithExtras {
  const wire = keep && writeKeep(keep);
  const extras = { ...options[EXTRAS], ...placeOf(options), ...(wire !== undefined && { keep: wire }) };
  return Object.keys(extras).length > 0 ? { [EXTRAS]: extras } : {};
}

function keyOf({ repeat, repeatJobKey }: JobsOptions & { repeat: RepeatOptions }): string | undefined {
  const { key, jobId } = repeat;
  if (key !== undefined && repeatJobKey !== undefined && key !== repeatJobKey) {
    throw new ConfigError('repeat: "key" and "repeatJobKey" are the same option. Set one of them.');
  }
  const own = repeatJobKey ?? key;
  if (own !== undefined && jobId !== undefined) {
    throw new ConfigError(
      'repeat: "jobId" is a part of the default key, and this schedule has a key of its own. Leave "jobId" out.',
    );
  }
  return own;
}

/** @throws ConfigError (CMQ-004) */
export function patternOf({ pattern, every, tz, offset }: RepeatOptions): RepeatPattern {
  if ((pattern === undefined) === (every === undefined)) {
    throw new ConfigError(
      `repeat: set either "pattern" (cron) or "every" (ms), not ${pattern === undefined ? 'neither' : 'both'}.`,
    );
  }
  if (every !== undefined) return RepeatPattern.every(every, offset);
  if (offset !== undefined) {
    throw new ConfigError('repeat: "offset" needs "every". The slots of a pattern follow from the pattern.');
  }
  return RepeatPattern.cron(pattern ?? '', tz);
}

/** Unix ms. */
export function toMs(date: Date | string | number | undefined): number | undefined {
  if (date === undefined) return undefined;
  return typeof date === 'string' ? Date.parse(date) : Number(date);
}

/** The flat form that `Queue.getRepeatableJobs` returns. */
export function toJobMeta(meta: RepeatableMeta): RepeatableJobMeta {
  const { pattern, ...rest } = meta;
  const flat: RepeatableJobMeta = { ...rest, patternKind: pattern.kind };
  if (pattern instanceof CronPattern) {
    flat.pattern = pattern.expression;
    if (pattern.tz !== undefined) flat.tz = pattern.tz;
  } else if (pattern instanceof EveryPattern) {
    flat.every = pattern.intervalMs;
    if (pattern.offsetMs !== undefined) flat.offset = pattern.offsetMs;
  }
  return flat;
}
