import { ConfigError } from '../../base/errors.js';
import { checkTextBy, MAX_ID_BYTES } from '../check-arguments.js';
import { nested } from '../check-options.js';
import type { Schema } from '../check-options.js';
import { NOT_WELL_FORMED, boolean, isWellFormed, ms } from '../checks.js';
import type { Check } from '../checks.js';

/** What becomes of a job while another job has the same deduplication id. `docs/deduplication.md` describes the modes. */
export interface DeduplicationOptions {
  /**
   * The id that jobs share which are duplicates of each other. While a job has it, no other job with it is added. It is no job
   * id: the job has one of its own. At most 512 bytes.
   */
  id: string;
  /**
   * For how many ms the id is taken, from the add, also if the job has ended before. Default: until the job has completed, has
   * failed for good, or was removed.
   */
  ttl?: number;
  /** A duplicate starts the `ttl` anew. Needs `ttl`. Default false. */
  extend?: boolean;
  /** A new job replaces the job that has the id, if that one is delayed. Needs `delay`. Default false. */
  replace?: boolean;
  /**
   * A duplicate gives its `delay` to the job that has the id, if that one is delayed; without `delay`, it is due at once. Ignored
   * with `replace`. Default false.
   */
  reschedule?: boolean;
  /**
   * While the job that has the id is active, or waits for its next attempt, the newest duplicate is kept, and it is added when
   * that job has ended. A `ttl` is ignored. Default false.
   */
  keepLastIfActive?: boolean;
}

/** What is wrong with an id; undefined if nothing is. */
const dedupId: Check = (value) => {
  if (typeof value !== 'string' || value.trim() === '') return 'must be a string that is not blank';
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_ID_BYTES) {
    return `must have at most ${String(MAX_ID_BYTES)} bytes, and has ${String(bytes)}`;
  }
  return isWellFormed(value) ? undefined : NOT_WELL_FORMED;
};

const schema: Schema<DeduplicationOptions> = {
  id: dedupId,
  ttl: ms(1),
  extend: boolean,
  replace: boolean,
  reschedule: boolean,
  keepLastIfActive: boolean,
};

export const deduplication: Check = nested('deduplication', schema, ['id']);

/** @throws ConfigTypeError (a TypeError, CMQ-004) for a blank id or none; ConfigError (CMQ-004) for one that is too long or cut */
export function checkDedupId(what: string, id: unknown): asserts id is string {
  checkTextBy(dedupId, what, id);
}

/**
 * Checks the option against the other options of the job.
 * @throws ConfigError (CMQ-004)
 */
export function checkDeduplication(
  { ttl, extend, replace }: DeduplicationOptions,
  { delay, jobId }: { delay?: number; jobId?: string },
): void {
  if (jobId !== undefined) {
    throw new ConfigError(
      'job options: set either "jobId" or "deduplication". Each of them says by itself which jobs are duplicates.',
    );
  }
  if (extend === true && ttl === undefined) {
    throw new ConfigError('deduplication: "extend" needs "ttl": it starts the ttl anew.');
  }
  if (replace === true && !delay) {
    throw new ConfigError(
      'deduplication: "replace" needs the job option "delay": only a job that is still delayed can be replaced.',
    );
  }
}
