import type { JobsOptions, RemoveOn, TrackJobsOptions, TrackedBound } from '../config/options.js';

/**
 * How many ended jobs stay, and for how long. The oldest beyond these bounds are removed when the next job ends. 0: the job
 * itself is removed at its end.
 */
export type Bound = 0 | { readonly count?: number | undefined; readonly ageMs?: number | undefined };

/** The options of a job that say it. */
export type KeepOptions = Pick<JobsOptions, 'removeOnComplete' | 'removeOnFail' | 'keepLogs'>;

/** What Redis keeps of a job. */
export interface Keep {
  /** Its state, attempts, progress, logs and result are kept. */
  readonly tracked: boolean;
  /** Of completed jobs. Absent: as the worker says. */
  readonly completed?: Bound | undefined;
  /** Of dead letters. Absent: as the worker says. */
  readonly failed?: Bound | undefined;
  /** Most rows of its log; 0 = all. */
  readonly keepLogs?: number | undefined;
}

/** What `removeOnComplete` or `removeOnFail` asks for. */
export function boundOf(removeOn: RemoveOn): Bound {
  if (removeOn === true || removeOn === 0) return 0;
  if (removeOn === false) return {};
  if (typeof removeOn === 'number') return { count: removeOn };
  const { age, count } = removeOn;
  return count === 0 ? 0 : { count, ageMs: age === undefined ? undefined : age * 1000 };
}

/** What a queue keeps of the jobs that it adds; undefined if it tracks none. */
export function keepOfQueue(trackJobs: boolean | TrackJobsOptions | undefined): Keep | undefined {
  if (trackJobs === undefined || trackJobs === false) return undefined;
  if (trackJobs === true) return PLAIN;
  const { completed, failed } = trackJobs;
  return {
    tracked: true,
    ...(completed && { completed: trackedBound(completed) }),
    ...(failed && { failed: trackedBound(failed) }),
  };
}

function trackedBound({ count, ageMs }: TrackedBound): Bound {
  return count === 0 ? 0 : { count, ageMs };
}

/** What is kept of a job with these options; undefined for nothing. */
export function keepOfJob(
  { removeOnComplete, removeOnFail, keepLogs }: KeepOptions,
  queue: Keep | undefined,
): Keep | undefined {
  if (removeOnComplete === undefined && removeOnFail === undefined && keepLogs === undefined) return queue;
  const failed = removeOnFail === undefined ? queue?.failed : boundOf(removeOnFail);
  // Without tracking, a completed job leaves nothing, and has no log.
  if (!queue) return failed === undefined ? undefined : { tracked: false, failed };
  const completed = removeOnComplete === undefined ? queue.completed : boundOf(removeOnComplete);
  return { tracked: true, completed, failed, keepLogs };
}

/** The options of a job of which this is kept: the reverse of {@link keepOfJob}. */
export function keepOptions({ completed, failed, keepLogs }: Keep = PLAIN): KeepOptions {
  return {
    ...(completed !== undefined && { removeOnComplete: removeOnOf(completed) }),
    ...(failed !== undefined && { removeOnFail: removeOnOf(failed) }),
    ...(keepLogs !== undefined && { keepLogs }),
  };
}

function removeOnOf(bound: Bound): RemoveOn {
  if (bound === 0) return true;
  const { count, ageMs } = bound;
  if (ageMs === undefined) return count ?? false;
  return { age: ageMs / 1000, ...(count !== undefined && { count }) };
}

/** A tracked job without settings of its own. */
export const TRACKED = 1;
const PLAIN: Keep = { tracked: true };

type WireBound = 0 | [count: number | null, ageMs: number | null];

/** How the extras of a job hold it: short, because each job of a queue has it. */
export type WireKeep =
  typeof TRACKED | { readonly t?: 1; readonly c?: WireBound; readonly f?: WireBound; readonly l?: number };

export function writeKeep({ tracked, completed, failed, keepLogs }: Keep): WireKeep | undefined {
  const own = {
    ...(completed !== undefined && { c: writeBound(completed) }),
    ...(failed !== undefined && { f: writeBound(failed) }),
    ...(keepLogs !== undefined && { l: keepLogs }),
  };
  const isPlain = Object.keys(own).length === 0;
  if (!tracked) return isPlain ? undefined : own;
  return isPlain ? TRACKED : { t: 1, ...own };
}

/** Undefined for a job of which nothing is kept. Parts that are not readable count as absent. */
export function readKeep(wire: unknown): Keep | undefined {
  if (wire === TRACKED) return PLAIN;
  if (typeof wire !== 'object' || wire === null) return undefined;
  const { t, c, f, l } = wire as Record<string, unknown>;
  return {
    tracked: t === 1,
    completed: readBound(c),
    failed: readBound(f),
    keepLogs: readCount(l),
  };
}

function writeBound(bound: Bound): WireBound {
  return bound === 0 ? 0 : [bound.count ?? null, bound.ageMs ?? null];
}

function readBound(wire: unknown): Bound | undefined {
  if (wire === 0) return 0;
  if (!Array.isArray(wire)) return undefined;
  return { count: readCount(wire[0]), ageMs: readCount(wire[1]) };
}

function readCount(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
