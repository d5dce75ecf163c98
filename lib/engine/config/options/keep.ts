import { nested } from '../check-options.js';
import type { Schema } from '../check-options.js';
import { boolean, ms, record, whole } from '../checks.js';
import type { Check } from '../checks.js';

/** How many ended jobs stay, and for how long. Without `age` and `count`, all of them stay. */
export interface KeepJobs {
  /** Longest time that they stay, in seconds. Default: no limit. */
  age?: number;
  /** The most that stay. Default: no limit. */
  count?: number;
  /** Accepted and ignored: a job that ends removes at most 1,000 others. Default 1,000. */
  limit?: number;
}

/** `true`: the job is removed at its end. `false`: all jobs stay. A number: so many stay. */
export type RemoveOn = boolean | number | KeepJobs;

/** How many ended jobs of a tracked queue stay, and for how long. */
export interface TrackedBound {
  /** The most that stay. Default: no limit. */
  count?: number;
  /** Longest time that they stay, in ms. Default: no limit. */
  ageMs?: number;
}

export interface TrackJobsOptions {
  /** Of completed jobs. Default: all stay. */
  completed?: TrackedBound;
  /** Of failed jobs, which are the dead letters of the queue. Default: as many as `dlqMaxStreamLen` allows. */
  failed?: TrackedBound;
}

const MOST_SECS = 2 ** 42;

const keepSchema: Schema<KeepJobs> = { age: whole(0, MOST_SECS), count: whole(0), limit: whole(1) };

/** @param name of the option, for messages about options within it */
export function removeOn(name: string): Check {
  const object = nested(name, keepSchema);
  return Object.assign(
    (value: unknown) => {
      if (typeof value === 'boolean') return undefined;
      const fault = typeof value === 'number' ? whole(0)(value) : record(value);
      return (
        fault &&
        'must be true, false, a whole number of jobs, or an object such as { age: 3600, count: 1000 }'
      );
    },
    { read: (value: unknown) => (typeof value === 'object' ? object.read?.(value) : value) },
  );
}

const boundSchema: Schema<TrackedBound> = { count: whole(0), ageMs: ms(0) };
const trackObject = nested<TrackJobsOptions>('trackJobs', {
  completed: nested('trackJobs.completed', boundSchema),
  failed: nested('trackJobs.failed', boundSchema),
});

export const trackJobs: Check = Object.assign(
  (value: unknown) =>
    boolean(value) &&
    record(value) &&
    'must be true, false, or an object such as { completed: { count: 1000, ageMs: 3600000 } }',
  { read: (value: unknown) => (typeof value === 'boolean' ? value : trackObject.read?.(value)) },
);
