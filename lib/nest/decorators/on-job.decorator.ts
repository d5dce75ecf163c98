import { ON_JOB_METADATA } from '../constants.js';
import { appendToMethod } from './metadata.js';

/** The arguments of one `@OnJob`. */
export interface OnJobMetadata {
  readonly names: readonly (string | RegExp)[];
  /** True if the argument is an empty list. That is a mistake: a catch-all has no argument at all. */
  readonly namesNothing: boolean;
}

/**
 * The method handles the jobs with these names. Without a name, it is the catch-all of the queue. An exact name wins over
 * a pattern, and a pattern wins over the catch-all.
 *
 * Without parameter decorators, the method gets `(job: Job, signal: AbortSignal)`. Its return value is the result of the
 * job: a value, the value of a promise, or the last value of an Observable. If it throws, the attempt fails. If it throws
 * an `UnrecoverableError`, the job becomes a dead letter at once.
 *
 * @example
 * ```ts
 * @OnJob('send')
 * send(@JobData() mail: WelcomeDto) {}
 *
 * @OnJob('created', 'updated', /^sync\./)
 * index(job: Job) {}
 * ```
 */
export function OnJob(
  ...names: readonly (string | RegExp | readonly (string | RegExp)[])[]
): MethodDecorator {
  return appendToMethod('@OnJob', ON_JOB_METADATA, {
    names: names.flat(),
    namesNothing: names.length > 0 && names.flat().length === 0,
  } satisfies OnJobMetadata);
}
