import { ConfigError } from '../../base/errors.js';
import { EXTRAS } from '../../codec/extras.js';
import type { WithExtras } from '../../codec/extras.js';
import type { JobsOptions, RepeatOptions, RepeatableJobMeta } from '../../config/options.js';
import { CronPattern, EveryPattern, RepeatPattern } from './pattern.js';
import type { RepeatableMeta, RepeatableSpec } from './stored-schedule.js';

/** Options that only a single job can have, and what a schedule has instead. */
const SINGLE = {
  delay: 'Use repeat.startDate.',
  jobId: 'Use repeatJobKey.',
  timestamp: 'Each job has its own.',
} as const;

/**
 * The schedule that `Queue.add(name, data, { repeat })` declares.
 * @param options checked options
 * @throws ConfigError (CMQ-004)
 */
export function toRepeatableSpec(
  jobName: string,
  payload: unknown,
  options: JobsOptions & WithExtras & { repeat: RepeatOptions },
): RepeatableSpec & WithExtras {
  const { repeat, repeatJobKey, attempts, backoff, timeoutMs, ttlMs, expired } = options;
  for (const [option, instead] of Object.entries(SINGLE)) {
    if (options[option as keyof typeof SINGLE]) {
      throw new ConfigError(`job options: "${option}" cannot be combined with "repeat". ${instead}`);
    }
  }
  return {
    key: repeatJobKey,
    jobName,
    pattern: patternOf(repeat),
    payload,
    limit: repeat.limit,
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
    ...(options[EXTRAS] && { [EXTRAS]: options[EXTRAS] }),
  };
}

function patternOf({ pattern, every, tz }: RepeatOptions): RepeatPattern {
  if ((pattern === undefined) === (every === undefined)) {
    throw new ConfigError(
      `repeat: set either "pattern" (cron) or "every" (ms), not ${pattern === undefined ? 'neither' : 'both'}.`,
    );
  }
  return every === undefined ? RepeatPattern.cron(pattern ?? '', tz) : RepeatPattern.every(every);
}

function toMs(date: Date | string | number | undefined): number | undefined {
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
  }
  return flat;
}
