import { checkNumber } from '../check-arguments.js';
import type { Schema } from '../check-options.js';
import { whole } from '../checks.js';

/** So many jobs may start in any span of time of this length. */
export interface RateLimit {
  /** From 1. */
  max: number;
  /** In ms, from 1 to 2,592,000,000 (30 days). */
  duration: number;
}

const MOST_MS = 30 * 86_400_000;

export const rateLimitSchema: Schema<RateLimit> = {
  max: whole(1),
  duration: whole(1, MOST_MS),
};

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the value is a whole number from 1 */
export function checkMost(what: string, value: unknown): asserts value is number {
  checkNumber(whole(1), what, value);
}

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the value is a whole number of ms from 1 to 30 days */
export function checkLimitMs(what: string, value: unknown): asserts value is number {
  checkNumber(whole(1, MOST_MS), what, value);
}
