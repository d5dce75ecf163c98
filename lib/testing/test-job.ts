import { Job, messageOf, type JobsOptions } from '../engine/index.js';

export interface TestJobInit<Data, Name extends string = string> {
  readonly data: Data;
  /** Default: empty. */
  readonly name?: Name;
  /** Default `test-job`. */
  readonly id?: string;
  /** Default `test`. */
  readonly queueName?: string;
  /** Default 1. */
  readonly attemptsMade?: number;
  readonly opts?: JobsOptions;
  /** The `signal` of the job. Default: a signal that is never aborted. */
  readonly signal?: AbortSignal;
}

/**
 * Creates a job for a call of a handler in a unit test. `job.updateProgress` sets `job.progress` and emits no event;
 * `job.fail(error)` sets `job.failedReason`.
 */
export function testJob<Data = unknown, Result = unknown, Name extends string = string>(
  init: TestJobInit<Data, Name>,
): Job<Data, Result, Name> {
  const { data, name = '', id = 'test-job', queueName = 'test', attemptsMade = 1, opts = {} } = init;
  const signal = init.signal ?? new AbortController().signal;
  const owner = {
    name: queueName,
    signalOf: () => signal,
    fail: (_: object, error: unknown) => {
      job.failedReason ??= messageOf(error);
    },
  };
  const job = new Job<Data, Result, Name>(owner, {
    id,
    name,
    data,
    opts,
    attemptsMade,
    timestamp: opts.timestamp ?? Date.now(),
    delay: opts.delay ?? 0,
    context: owner,
  });
  return job;
}
