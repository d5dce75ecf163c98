import type { Schema } from '../check-options.js';
import { checkOptions } from '../check-options.js';
import { ConfigError } from '../../base/errors.js';
import { checkList, checkNumber } from '../check-arguments.js';
import { boolean, whole } from '../checks.js';

/** Which jobs run first. */
export interface PriorityOptions {
  /** From 1, which runs first, to 2,097,152. 0 = no priority: such jobs run before all that have one. Default 0. */
  priority?: number;
  /** Before all other jobs, the newest first. Has no effect beside a `priority`. Default false. */
  lifo?: boolean;
}

export const MOST_PRIORITY = 2_097_152;
/** The priority of a job with `lifo`, as the extras and the scripts write it. */
export const LIFO = -1;

export const prioritySchema: Schema<PriorityOptions> = {
  priority: whole(0, MOST_PRIORITY),
  lifo: boolean,
};

/**
 * The priority as the extras write it; 0 = none.
 * @throws ConfigError (CMQ-004)
 */
export function toPriority(owner: string, options: PriorityOptions): number {
  const { priority = 0, lifo = false } = checkOptions(owner, prioritySchema, options);
  return priority || (lifo ? LIFO : 0);
}

/**
 * @throws ConfigTypeError (a TypeError) unless the value is an array; ConfigError if it is too long; ConfigRangeError (a RangeError) for
 * what is no priority. All have CMQ-004
 */
export function checkPriorities(method: string, value: unknown): asserts value is readonly number[] {
  checkList(`${method}: the priorities`, value);
  if (value.length > 1_000) throw new ConfigError(`${method}: at most 1,000 priorities in one call.`);
  for (const priority of value) {
    checkNumber(whole(0, MOST_PRIORITY), `${method}: a priority`, priority);
  }
}
