import { resultsOf } from '../../engine/worker/run/run-batch.js';
import { signalOfBatch } from '../../engine/job/batch-signal.js';
import type { Job } from '../../engine/index.js';
import { JobParam } from '../decorators/job-params.decorator.js';
import type { HandlerParts } from './handler-call.js';
import { InterceptorChain } from './interceptor-chain.js';
import type { PreparedParameter } from './parameters.js';
import { flatten } from './results.js';

/** A handler of batches and its enhancers, as Nest has resolved them. */
export interface BatchParts extends HandlerParts {
  readonly parameters: readonly Pick<PreparedParameter, 'index' | 'type'>[];
  /** The error with which a job fails that a guard or a pipe has refused. */
  readonly translate: (error: unknown) => unknown;
  /** Runs what a guard or a pipe does for one job. */
  readonly enter: (job: Job, run: () => Promise<void>) => Promise<void>;
}

/** Gets the jobs of a batch, and returns their results in the same order. */
export type BatchCall = (jobs: readonly Job[]) => Promise<readonly unknown[] | undefined>;

/**
 * Runs guards and pipes for each job; a job that they refuse fails, and leaves the batch. Then it runs the interceptors and
 * the method once, for the jobs that are left, and the filters on an error of these.
 */
export function batchCallOf(parts: BatchParts): BatchCall {
  return async (jobs) => {
    const values = await Promise.all(jobs.map((job) => valuesOf(parts, job)));
    const left = jobs.filter((_, index) => values[index] !== undefined);
    if (left.length === 0) return undefined;
    const rows = values.filter((row) => row !== undefined);
    const input = new Input(parts, left, rows);
    const results = resultsOf(await runWithin(parts, input), left.length);
    if (results.length === 0) return undefined;
    const byJob = new Map(left.map((job, index) => [job, results[index]]));
    return jobs.map((job) => byJob.get(job));
  };
}

/** The values of the decorated parameters for one job; undefined if a guard or a pipe has refused it. */
async function valuesOf(parts: BatchParts, job: Job): Promise<readonly unknown[] | undefined> {
  const { guard, fill, parameterCount, translate, enter } = parts;
  const values = new Array<unknown>(parameterCount).fill(undefined);
  if (!guard && !fill) return values;
  try {
    await enter(job, async () => {
      await guard?.([job]);
      await fill?.(values, job);
    });
    return values;
  } catch (error) {
    job.fail(translate(error));
    return undefined;
  }
}

/** What the interceptors, the method and the filters get. */
class Input {
  readonly #parts: BatchParts;
  readonly #rows: readonly (readonly unknown[])[];
  #signal: AbortSignal | undefined;

  constructor(
    parts: BatchParts,
    readonly jobs: readonly Job[],
    rows: readonly (readonly unknown[])[],
  ) {
    this.#parts = parts;
    this.#rows = rows;
  }

  /** A signal costs time to create, so only a handler that takes it gets one. */
  get signal(): AbortSignal {
    return (this.#signal ??= signalOfBatch(this.jobs));
  }

  /** Of enhancers. */
  get args(): unknown[] {
    return this.#takesSignal ? [[...this.jobs], this.signal] : [[...this.jobs]];
  }

  /** Of the method. */
  get values(): unknown[] {
    const { fill, parameters, parameterCount } = this.#parts;
    if (!fill) return this.args;
    const values = new Array<unknown>(parameterCount).fill(undefined);
    for (const { index, type } of parameters)
      values[index] = type === JobParam.signal ? this.signal : this.#rows.map((row) => row[index]);
    return values;
  }

  get #takesSignal(): boolean {
    return this.#parts.fill === null && this.#parts.method.length > 1;
  }
}

async function runWithin(parts: BatchParts, input: Input): Promise<unknown> {
  const { interceptors, contextOf, method, instance, recover } = parts;
  const { args, values } = input;
  const call = (): unknown => method.apply(instance, values);
  try {
    if (interceptors.length === 0) return await flatten(call());
    return await new InterceptorChain(interceptors, contextOf(args), call).run();
  } catch (error) {
    return recover(error, args);
  }
}
