import type { Job } from './job.js';

/**
 * The signal of a call that has got these jobs: it is aborted when no job of the call is left whose signal is not aborted, with
 * the reason of the last one.
 */
export function signalOfBatch(jobs: readonly Job[]): AbortSignal {
  const controller = new AbortController();
  let left = jobs.length;
  for (const { signal } of jobs) {
    const aborted = (): void => {
      if (--left === 0) controller.abort(signal.reason);
    };
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
  }
  return controller.signal;
}

/** The signal of a call that has got a job, or a batch of jobs. */
export function signalOf(input: Job | readonly Job[]): AbortSignal {
  return isBatch(input) ? signalOfBatch(input) : input.signal;
}

export function isBatch(input: Job | readonly Job[]): input is readonly Job[] {
  return Array.isArray(input);
}
