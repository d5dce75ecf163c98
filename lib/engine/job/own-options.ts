import { TRACKED, keepOptions, readKeep } from '../codec/keep.js';
import type { WireRetry } from '../codec/envelope.js';
import { LIFO } from '../config/options/priority.js';
import type { Extras } from '../codec/extras.js';
import type { BackoffOptions, JobsOptions } from '../config/options.js';

/** The options that travel with a job, as its bytes say them. The defaults of workers are not among them. */
export function ownOptions(retry: WireRetry | undefined, extras: Extras | undefined): JobsOptions {
  const options: JobsOptions = {};
  if (extras?.timeoutMs !== undefined) options.timeoutMs = extras.timeoutMs;
  if (extras?.ttlMs !== undefined) options.ttlMs = extras.ttlMs;
  if (extras?.expired !== undefined) options.expired = extras.expired;
  if (extras?.group !== undefined) {
    const { group: id, priority = 0 } = extras;
    options.group = priority > 0 ? { id, priority } : { id };
  } else if (extras?.priority !== undefined) {
    if (extras.priority === LIFO) options.lifo = true;
    else options.priority = extras.priority;
  }
  if (extras?.keep !== undefined && extras.keep !== TRACKED)
    Object.assign(options, keepOptions(readKeep(extras.keep)));
  if (!retry) return options;
  if (retry.maxAttempts !== undefined) options.attempts = retry.maxAttempts;
  if (retry.backoff) {
    const { kind, delayMs, maxDelayMs, multiplier, jitterMs } = retry.backoff;
    const backoff: BackoffOptions = { type: kind, delay: delayMs };
    if (maxDelayMs !== undefined) backoff.maxDelay = maxDelayMs;
    if (multiplier !== undefined) backoff.multiplier = multiplier;
    if (jitterMs !== undefined) backoff.jitterMs = jitterMs;
    options.backoff = backoff;
  }
  return options;
}
