import type { Job } from '../job/job.js';

/**
 * Resolving completes the job; throwing or rejecting fails the attempt. The second parameter is `job.signal`.
 */
export type Processor<Data = unknown, Result = unknown, Name extends string = string> = (
  job: Job<Data, Result, Name>,
  signal: AbortSignal,
) => Promise<Result> | Result;

/**
 * The processor of a worker with `batches`. It may return an array with one result for each job, in the order of the jobs; an
 * element that is an `Error` fails its job. `job.fail(error)` fails a single job too. Throwing fails all the others. The second
 * parameter is aborted when the signals of all jobs are.
 */
export type BatchProcessor<Data = unknown, Result = unknown, Name extends string = string> = (
  jobs: Job<Data, Result, Name>[],
  signal: AbortSignal,
) => BatchResults<Result> | Promise<BatchResults<Result>>;

// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- a processor without results returns nothing
export type BatchResults<Result> = readonly (Result | Error)[] | void;

/** The processor of a worker with `batchesOf`: it gets an array for the names for which that returns options. */
export type MixedProcessor<Data = unknown, Result = unknown, Name extends string = string> = (
  input: Job<Data, Result, Name> | Job<Data, Result, Name>[],
  signal: AbortSignal,
) => unknown;

export type AnyProcessor<Data = unknown, Result = unknown, Name extends string = string> =
  Processor<Data, Result, Name> | BatchProcessor<Data, Result, Name> | MixedProcessor<Data, Result, Name>;
