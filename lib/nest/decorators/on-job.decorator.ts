import { types } from 'node:util';
import type { BatchesOptions, TimeLimits } from '../../engine/index.js';
import { ON_JOB_METADATA } from '../constants.js';
import { appendToMethod } from './metadata.js';

/** One name, a pattern, or a list of them. */
export type JobNames = string | RegExp | readonly (string | RegExp)[];

/**
 * Options of a handler: they apply to all jobs that its method handles, also to those that `@Repeat` adds. A limit that the
 * job sets itself comes first; for one that is not set here, the worker's applies.
 */
export interface OnJobOptions extends TimeLimits {
  /**
   * The method gets an array of jobs, of all its names. Guards and pipes run for each job, interceptors and exception filters
   * for the batch. Decorated parameters get arrays; `@JobSignal()` gets the one signal of the call. The method returns nothing,
   * or an array with one result for each job, in the order of the jobs; `job.fail(error)` fails a single job. Default: one job
   * at a time.
   */
  batches?: BatchesOptions;
}

/** The arguments of one `@OnJob`. */
export interface OnJobMetadata {
  readonly names: readonly (string | RegExp)[];
  /** True if the argument is an empty list. That is a mistake: a catch-all has no name at all. */
  readonly namesNothing: boolean;
  /** Not yet checked. */
  readonly options: OnJobOptions | undefined;
}

/**
 * The method handles the jobs with these names. Without a name, it is the catch-all of the queue. An exact name wins over
 * a pattern, and a pattern wins over the catch-all. Options come last.
 *
 * Without parameter decorators, the method gets `(job: Job, signal: AbortSignal)`. Its return value is the result of the
 * job: a value, the value of a promise, or the last value of an Observable. If it throws, the attempt fails. If it throws
 * an `UnrecoverableError`, the job becomes a dead letter at once.
 *
 * @example
 * ```ts
 * @OnJob('send', { timeoutMs: 10_000 })
 * send(@JobData() mail: WelcomeDto, @JobSignal() signal: AbortSignal) {}
 *
 * @OnJob('created', 'updated', /^sync\./)
 * index(job: Job) {}
 *
 * @OnJob('sample', { batches: { size: 50 } })
 * store(jobs: Job<Sample>[], signal: AbortSignal) {}
 * ```
 */
export function OnJob(...names: readonly JobNames[]): MethodDecorator;
export function OnJob(...namesAndOptions: readonly [...JobNames[], OnJobOptions]): MethodDecorator;
export function OnJob(...given: readonly unknown[]): MethodDecorator {
  const last = given.at(-1);
  const options = isOptions(last) ? last : undefined;
  const names = (options ? given.slice(0, -1) : given).flat() as (string | RegExp)[];
  return appendToMethod('@OnJob', ON_JOB_METADATA, {
    names,
    namesNothing: given.length > (options ? 1 : 0) && names.length === 0,
    options,
  } satisfies OnJobMetadata);
}

function isOptions(value: unknown): value is OnJobOptions {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !types.isRegExp(value);
}
