import { ConfigError } from '../../base/errors.js';
import { messageOf } from '../../base/thrown.js';
import { checkOptions } from '../check-options.js';
import type { Schema } from '../check-options.js';
import { ms, record, show, whole } from '../checks.js';
import type { Check } from '../checks.js';

/** How many jobs one call of a handler gets. */
export interface BatchesOptions {
  /** Most jobs of one call, 1 to 10,000. A call gets fewer when fewer wait. */
  size: number;
  /**
   * While fewer jobs than this have arrived at the worker, they wait for more, for at most `timeoutMs`. The handler must be
   * able to take fewer. At most `size`. Default 1: nothing waits.
   */
  minSize?: number;
  /** How long the first job of a batch waits for `minSize`, in ms. Only with `minSize`. Default 1,000. */
  timeoutMs?: number;
}

/** How the jobs of a worker come to its handler. */
export interface BatchingOptions {
  /**
   * The handler gets an array of jobs, whatever their names are, in the order in which they have arrived. `concurrency` counts
   * calls of the handler. Default: one job at a time.
   */
  batches?: BatchesOptions;
  /**
   * The batches of jobs by name. Jobs of one name for which it returns the same options share batches; so do jobs of different names
   * for which it returns the same object. Jobs for which it returns undefined come as `batches` of the worker says. Jobs for which
   * it throws, or returns anything else, fail (CMQ-004), and are retried like other failed jobs. The worker calls it for each job, so
   * it must be fast. Default: none.
   */
  batchesOf?: (name: string) => BatchesOptions | undefined;
}

const MOST_JOBS = 10_000;
/** How long the first job of a batch waits for `minSize`, in ms, where `timeoutMs` is not set. */
export const BATCH_TIMEOUT_MS = 1_000;

const schema: Schema<BatchesOptions> = {
  size: whole(1, MOST_JOBS),
  minSize: whole(1, MOST_JOBS),
  timeoutMs: ms(1),
};

/**
 * @param owner whose option it is, for messages
 * @throws ConfigError (CMQ-004)
 */
export function checkBatches(owner: string, given: BatchesOptions): BatchesOptions {
  const batches = checkOptions(owner, schema, given, ['size']);
  const { size, minSize, timeoutMs } = batches;
  if (minSize !== undefined && minSize > size) {
    throw new ConfigError(
      `${owner}: option "minSize" must be at most "size": a batch of ${String(size)} never has ${String(minSize)} jobs.`,
    );
  }
  if (timeoutMs !== undefined && minSize === undefined) {
    throw new ConfigError(
      `${owner}: option "timeoutMs" has no effect without "minSize": a batch starts with the jobs that are there. ` +
        'Set minSize too. The time limit of a run is the option "timeoutMs" beside "batches".',
    );
  }
  return batches;
}

const batches: Check = Object.assign((value: unknown) => record(value), {
  read: (value: unknown) => checkBatches('batches', value as BatchesOptions),
});

export const batchingSchema: Schema<BatchingOptions> = {
  batches,
  batchesOf: (value) =>
    typeof value === 'function'
      ? undefined
      : 'must be a function (name) => { size, minSize?, timeoutMs? } | undefined',
};

const batchSize = whole(1, 10_000);

/** The option `batch`: entries of one read. In BullMQ Pro, an option of this name holds the batches of jobs. */
export const batch: Check = (value) =>
  typeof value === 'object' && value !== null
    ? 'is the number of entries fetched at once. Batches of jobs for one call of the handler are the option "batches": { size, minSize?, timeoutMs? }; here it must be a number'
    : batchSize(value);

/** What {@link BatchingOptions.batchesOf} has returned; a copy. @throws ConfigError (CMQ-004) */
export function readBatchesOf(name: string, answer: object): BatchesOptions {
  return checkBatches(`batchesOf(${show(name)})`, answer as BatchesOptions);
}

/** With what the jobs fail for which {@link BatchingOptions.batchesOf} has thrown, or has returned no options. */
export function batchesOfError(name: string, thrown: unknown): ConfigError {
  const problem =
    thrown instanceof ConfigError ? thrown.message : `batchesOf(${show(name)}) threw: ${messageOf(thrown)}`;
  return new ConfigError(
    `${problem.replace(/\.?$/, '.')} The handler was not called: it may expect a job, or an array of jobs. ` +
      'Make batchesOf return { size, minSize?, timeoutMs? } or undefined.',
    { cause: thrown },
  );
}
