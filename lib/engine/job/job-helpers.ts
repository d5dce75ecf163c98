import { ConfigTypeError } from '../base/errors.js';
import { show } from '../config/checks.js';

/** A handler that does not wait for its report must not end the process. */
export function harmless<T>(reported: Promise<T>): Promise<T> {
  reported.catch(() => undefined);
  return reported;
}

/** For `Job.fromId`: the queue may be anything. */
export function jobOf<J>(queue: { getJob(jobId: string): Promise<J> }, jobId: string): Promise<J> {
  if (typeof (queue as { getJob?: unknown } | undefined)?.getJob === 'function') return queue.getJob(jobId);
  const wrong = `Job.fromId: the first argument must be a Queue, not ${show(queue)}.`;
  return Promise.reject(new ConfigTypeError(wrong));
}
