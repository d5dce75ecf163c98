import { backoff } from '../../config/options/job.js';
import { missedFires, owner } from '../../config/options/repeat.js';
import type { JobsOptions, MissedFiresOption } from '../../config/options.js';
import { anything, boolean, whole } from '../../config/checks.js';
import type { Schema } from '../../config/check-options.js';
import type { Check } from '../../config/checks.js';
import type { RepeatPattern } from './pattern.js';

/** A recurring job. */
export interface RepeatableSpec<T = unknown> {
  /** Default `<jobName>::<pattern signature>`. At most 480 bytes. */
  key?: string | undefined;
  /** Dispatch name of the jobs. */
  jobName: string;
  pattern: RepeatPattern;
  /** Data of every job. */
  payload: T;
  /** Total number of fires; then the spec is removed. */
  limit?: number | undefined;
  /** No fire before it, in unix ms. An interval counts from here, if it is in the future. */
  startAfterMs?: number | undefined;
  /** No fire after it, in unix ms; then the spec is removed. */
  endBeforeMs?: number | undefined;
  /** Default `{ kind: 'skip' }`. */
  missedFires?: MissedFiresOption | undefined;
  /** Let a slot pass while the job of an earlier one is unfinished. Default false. */
  skipIfRunning?: boolean | undefined;
  /** The application that declares it. */
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
  // Checked apart: see checkJobName.
  jobName: anything,
  pattern,
  payload: anything,
  limit: whole(1),
  startAfterMs: whole(1),
  endBeforeMs: whole(1),
  missedFires,
  skipIfRunning: boolean,
  owner,
  attempts: whole(1, 0xffffffff),
  backoff,
};
