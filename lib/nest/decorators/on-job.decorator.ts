import { ON_JOB_METADATA } from '../constants.js';
import { appendToMethod } from './metadata.js';

/** What one `@OnJob` asks for. */
export interface OnJobMetadata {
  readonly names: readonly (string | RegExp)[];
  /** It was given a list with nothing in it: a mistake, where no argument at all means a catch-all. */
  readonly namesNothing: boolean;
}

/**
 * The method handles the jobs of these names. Without a name it is the queue's catch-all. An exact name goes before a
 * pattern, a pattern before the catch-all.
 *
 * Without parameter decorators the method gets `(job: Job, signal: AbortSignal)`. What it returns (a value, a promise,
 * the last value of an Observable) is the job's result. What it throws fails the attempt; an `UnrecoverableError` sends
 * the job to the dead letters at once.
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
