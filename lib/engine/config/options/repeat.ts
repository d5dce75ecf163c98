import { MAX_NAME_BYTES } from '../check-arguments.js';
import type { Schema } from '../check-options.js';
import { anything, boolean, ms, text, whole } from '../checks.js';
import type { Check } from '../checks.js';

export type MissedFiresOption =
  { kind: 'skip' } | { kind: 'fire-once' } | { kind: 'fire-all'; maxCatchup: number };

export interface RepeatOptions {
  /** Cron expression of 5 or 6 fields. Set either `pattern` or `every`. Default: none. */
  pattern?: string;
  /** Fixed interval in ms. Set either `pattern` or `every`. Default: none. */
  every?: number;
  /** Total number of fires. Then the schedule is removed. Default: no limit. */
  limit?: number;
  /** Accepted and ignored. Default false. */
  immediately?: boolean;
  /**
   * No fire before it: a Date, unix ms, or text that `Date.parse` reads. If it is in the future, `every` counts from
   * it. Default: now.
   */
  startDate?: Date | string | number;
  /** No fire after it; then the schedule is removed. A date in the past is a ConfigError. Default: none. */
  endDate?: Date | string | number;
  /** `UTC`, `Z`, `+05:30`, or an IANA name. Ignored with `every`. Default UTC. */
  tz?: string;
  /** Accepted and ignored. Default: none. */
  jobId?: string;
  /** What to do about fires that were missed while no scheduler ran. Default `{ kind: 'skip' }`. */
  missedFires?: MissedFiresOption;
  /** Skip a fire while the job of an earlier fire waits, runs or is retried. Default false. */
  skipIfRunning?: boolean;
  /** The application that declares the schedule, for its own use and for lists. At most 256 bytes. Default: none. */
  owner?: string;
}

/** A schedule as `Queue.getRepeatableJobs` lists it. */
export interface RepeatableJobMeta {
  key: string;
  jobName: string;
  patternKind: 'cron' | 'every';
  /** Only of `cron`. */
  pattern?: string;
  tz?: string;
  /** Only of `every`, in ms. */
  every?: number;
  /** The next slot, in unix ms. */
  nextFireMs: number;
  /** Fires so far. */
  fired: number;
  limit?: number;
  startAfterMs?: number;
  endBeforeMs?: number;
  missedFires?: MissedFiresOption;
  skipIfRunning?: boolean;
  /** The application that declared the schedule, if it gave its name. */
  owner?: string;
}

/** The last time that a Date can have, in unix ms. */
export const LAST_DATE_MS = 8.64e15;

const date: Check = (value) => {
  const time =
    value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : value;
  return Number.isInteger(time) && (time as number) >= 0 && (time as number) <= LAST_DATE_MS
    ? undefined
    : 'must be a Date from 1970 on, unix ms that a Date can have, or text that Date.parse reads';
};

export const missedFires: Check = (value) => {
  const { kind, maxCatchup } = (value ?? {}) as { kind?: unknown; maxCatchup?: unknown };
  if (kind === 'skip' || kind === 'fire-once') return undefined;
  if (kind === 'fire-all' && whole(1)(maxCatchup) === undefined) return undefined;
  return "must be { kind: 'skip' }, { kind: 'fire-once' } or { kind: 'fire-all', maxCatchup: <whole number of at least 1> }";
};

export const owner: Check = (value) =>
  text(value) ??
  (Buffer.byteLength(value as string) > MAX_NAME_BYTES
    ? `must not be longer than ${String(MAX_NAME_BYTES)} bytes`
    : undefined);

export const repeatSchema: Schema<RepeatOptions> = {
  pattern: text,
  every: ms(1),
  limit: whole(1),
  immediately: boolean,
  startDate: date,
  endDate: date,
  tz: text,
  jobId: anything,
  missedFires,
  skipIfRunning: boolean,
  owner,
};
