import type { OperationOptions } from '../../config/options/operation.js';
import { operationSchema } from '../../config/options/operation.js';
import type { JobType } from '../../job/job.js';
import type { Schema } from '../../config/check-options.js';
import { isWellFormed, NOT_WELL_FORMED, record, whole } from '../../config/checks.js';

/** The jobs that `findJobs` looks for. A job must match all fields that are set. */
export interface JobQuery {
  /** Dispatch name; '' = jobs without a name. */
  name?: string;
  /** States of the jobs. Default: `waiting`, `prioritized`, `active`, `delayed`, `failed`, `completed`. */
  types?: readonly JobType[];
  /**
   * Values in the data, by their path: `{ 'user.id': 5, 'items.0.sku': 'A-1' }`. Values are equal as a worker receives them.
   * `undefined`: there is nothing at this path. The path `''` is the data itself.
   */
  data?: Readonly<Record<string, unknown>>;
}

/** How `findJobs` runs. */
export interface FindJobsOptions extends OperationOptions {
  /** Ends the search after so many jobs. Default: no limit. */
  limit?: number;
}

export const jobQuerySchema: Schema<JobQuery> = {
  name: (value) => {
    if (typeof value !== 'string') return 'must be a string';
    return isWellFormed(value) ? undefined : NOT_WELL_FORMED;
  },
  types: (value) => (Array.isArray(value) ? undefined : 'must be an array of job types'),
  data: record,
};

export const findJobsSchema: Schema<FindJobsOptions> = { ...operationSchema, limit: whole(1) };
