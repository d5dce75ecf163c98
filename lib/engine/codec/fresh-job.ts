import { readExtras, withExtras } from './extras.js';
import type { Extras } from './extras.js';
import { locateJob } from './read-envelope.js';
import { withAttempt } from './write-envelope.js';

/**
 * The same Job as it starts over, for a replay: with no attempt used, and its time to live begins anew.
 * @throws DecodeError (CMQ-003) if the bytes are not a Job
 */
export function freshJob(bytes: Buffer): Buffer {
  const fresh = withAttempt(bytes, 0);
  const { jobTo } = locateJob(fresh);
  if (jobTo === fresh.length || readExtras(fresh, jobTo)?.ready === undefined) return fresh;
  return withExtras(fresh, jobTo, withoutReady);
}

function withoutReady({ ready: _, ...rest }: Extras): Extras {
  return rest;
}
