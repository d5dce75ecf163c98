import { backoff, limitsSchema } from '../../config/options/job.js';
import { LAST_DATE_MS, missedFires, owner } from '../../config/options/repeat.js';
import type { JobsOptions, MissedFiresOption, TimeLimits } from '../../config/options.js';
import { anything, boolean, text, whole } from '../../config/checks.js';
import type { Schema } from '../../config/check-options.js';
import type { Check } from '../../config/checks.js';
import type { RepeatPattern } from './pattern.js';

/** A schedule: it adds a job each time that its pattern matches. */
export interface RepeatableSpec<T = unknown> extends TimeLimits {
  /** Default `<jobName>:<jobId>:<pattern signature>`. At most 480 bytes. */
  key?: string | undefined;
  /** Part of the default key: tells schedules with the same name and pattern apart. Default: empty. */
  jobId?: string | undefined;
  /** Dispatch name of the jobs. */
  jobName: string;
  pattern: RepeatPattern;
  /** Data of every job. */
  payload: T;
  /** Total number of fires. Then the schedule is removed. */
  limit?: number | undefined;
  /** If the schedule is new, or starts again: its first fire is now. Default false. */
  immediately?: boolean | undefined;
  /** If the schedule is new, or starts again: so many fires count as done. Default 0. */
  count?: number | undefined;
  /** No fire before this time, in unix ms. If it is in the future, an interval starts here. */
  startAfterMs?: number | undefined;
  /** No fire after this time, in unix ms. Then the schedule is removed. */
  endBeforeMs?: number | undefined;
  /** Default `{ kind: 'skip' }`. */
  missedFires?: MissedFiresOption | undefined;
  /** Skip a slot while the job of an earlier slot is unfinished. Default false. */
  skipIfRunning?: boolean | undefined;
  /** The application that declares the schedule. */
  owner?: string | undefined;
  /** Total attempts of each job. Default: the worker's. */
  attempts?: number | undefined;
  /** Default: the worker's. */
  backoff?: JobsOptions['backoff'];
}

const pattern: Check = (value) => {
  const { kind, signature } = (value ?? {}) as { kind?: unknown; signature?: unknown };
  return (kind === 'cron' || kind === 'every') && typeof signature === 'function'
    ? undefined
    : 'must be made by RepeatPattern.cron() or RepeatPattern.every()';
};

export const specSchema: Schema<RepeatableSpec> = {
  key: (value) => (typeof value === 'string' ? undefined : 'must be a string'),
  jobId: text,
  // Checked by checkJobName.
  jobName: anything,
  pattern,
  payload: anything,
  limit: whole(1),
  immediately: boolean,
  count: whole(0),
  startAfterMs: whole(0, LAST_DATE_MS),
  endBeforeMs: whole(0, LAST_DATE_MS),
  missedFires,
  skipIfRunning: boolean,
  owner,
  attempts: whole(1, 0xffffffff),
  backoff,
  ...limitsSchema,
};
