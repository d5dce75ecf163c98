import type { Job } from '../../engine/index.js';
import { JobParam } from '../decorators/job-params.decorator.js';

/** Finds the value of a decorated parameter in the job. */
export class JobParamsFactory {
  exchangeKeyForValue(kind: number, property: unknown, [job]: readonly [Job, ...unknown[]]): unknown {
    switch (kind) {
      case JobParam.data:
        return typeof property === 'string' ? ownProperty(job.data, property) : job.data;
      case JobParam.job:
        return job;
      case JobParam.id:
        return job.id;
      case JobParam.attempt:
        return job.attemptsMade;
      case JobParam.signal:
        return job.signal;
      default:
        // The decorator of another transport, on a method that handles both.
        return undefined;
    }
  }
}

/** Reads own properties only: the producer chooses the names in the payload, so `toString` must not reach Object.prototype. */
function ownProperty(data: unknown, property: string): unknown {
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, property)) return undefined;
  return (data as Record<string, unknown>)[property];
}
