import { MAX_NAME_BYTES } from '../check-arguments.js';
import type { Schema } from '../check-options.js';
import { boolean, ms, text, whole } from '../checks.js';
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
  /**
   * Add the first job at once, and the next ones by the rule. Only for a schedule that is new or starts again: declaring an
   * unchanged one adds nothing. Not with `startDate`. Default false.
   */
  immediately?: boolean;
  /**
   * Only with `every`: the slots are the multiples of `every` since 1970 (UTC), shifted by so many ms. With 0, an hourly
   * schedule runs on the hour. Default: the slots count from the time at which the schedule is stored.
   */
  offset?: number;
  /** The number of runs that count as done already, so that `limit` is reached earlier. Only for a new schedule. Default 0. */
  count?: number;
  /** The key of the schedule, as `repeatJobKey` beside `repeat`. Set one of the two. Default: that one. */
  key?: string;
  /**
   * No fire before it: a Date, unix ms, or text that `Date.parse` reads. If it is in the future, `every` counts from
   * it. Default: now.
   */
  startDate?: Date | string | number;
  /** No fire after it; then the schedule is removed. A date in the past is a ConfigError. Default: none. */
  endDate?: Date | string | number;
  /** `UTC`, `Z`, `+05:30`, or an IANA name. Ignored with `every`. Default UTC. */
  tz?: string;
  /**
   * Tells schedules apart that have the same name and rule: it is part of the default key, `<name>:<jobId>:<rule>`, and so of
   * the ids of the jobs. Not with a key of your own. Default: none.
   */
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
  /** Only of `every`: the shift of its slots, in ms. */
  offset?: number;
  /** The next slot, in unix ms. Of a paused schedule: the slot that was next when it was paused. */
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
  /** True while it is paused; else absent. */
  paused?: true;
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
  offset: whole(0, LAST_DATE_MS),
  count: whole(0),
  key: text,
  startDate: date,
  endDate: date,
  tz: text,
  jobId: text,
  missedFires,
  skipIfRunning: boolean,
  owner,
};

/** When a schedule fires: what `rescheduleJobScheduler` changes. */
export const rescheduleSchema: Schema<
  Pick<RepeatOptions, 'pattern' | 'every' | 'tz' | 'offset' | 'limit' | 'startDate' | 'endDate'>
> = {
  pattern: text,
  every: ms(1),
  tz: text,
  offset: repeatSchema.offset,
  limit: whole(1),
  startDate: date,
  endDate: date,
};
