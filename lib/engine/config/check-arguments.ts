import { types } from 'node:util';
import { ConfigError, ConfigRangeError, ConfigTypeError } from '../base/errors.js';
import {
  CONCURRENCY,
  NOT_WELL_FORMED,
  boolean,
  isWellFormed,
  limitMs,
  number,
  show,
  text,
  whole,
} from './checks.js';
import type { Check } from './checks.js';
import { nearestKey } from './nearest-key.js';
import { CLEAN_TYPES } from './options/operation.js';
import type { CleanType } from './options/operation.js';

export const MAX_NAME_BYTES = 256;
export const MAX_ID_BYTES = 512;

// docs/error-codes.md has the rule for the class of an error about an argument.

/**
 * Checks an argument that is a text.
 * @param check says what is wrong with it
 * @throws ConfigTypeError (a TypeError, CMQ-004) unless it is a string that is not blank; ConfigError (CMQ-004) for other faults
 */
export function checkTextBy(check: Check, what: string, value: unknown): asserts value is string {
  const wrong = check(value);
  if (wrong === undefined) return;
  const isText = typeof value === 'string' && value.trim() !== '';
  const Refused = isText ? ConfigError : ConfigTypeError;
  throw new Refused(`${what} ${wrong}, not ${show(value)}.`);
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) unless the value is a string that is not blank; ConfigError if it is cut */
export function checkText(what: string, value: unknown): asserts value is string {
  checkTextBy(text, what, value);
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) unless the value is an array */
export function checkList(what: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new ConfigTypeError(`${what} must be an array, not ${show(value)}.`);
}

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the limit is a whole number of at least 0, or Infinity */
export function checkLimit(limit: unknown): asserts limit is number {
  checkNumber(limitMs(0), 'limit', limit);
}

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the value is one that the option `concurrency` takes */
export function checkConcurrency(value: unknown): asserts value is number {
  checkNumber(CONCURRENCY, 'concurrency', value);
}

/**
 * A Date or a number of unix ms, as unix ms.
 * @throws ConfigTypeError (a TypeError, CMQ-004) for anything else
 */
export function toTime(what: string, value: unknown): number {
  const at = value instanceof Date ? value.getTime() : value;
  if (typeof at !== 'number' || !Number.isFinite(at)) {
    throw new ConfigTypeError(`${what} must be a Date or unix ms, not ${show(value)}.`);
  }
  return at;
}

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the value is a whole number of at least 0 */
export function checkWhole(what: string, value: unknown): asserts value is number {
  checkNumber(whole(0), what, value);
}

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the value is a whole number, which may be negative */
export function checkIndex(what: string, value: unknown): asserts value is number {
  const { MIN_SAFE_INTEGER: least, MAX_SAFE_INTEGER: most } = Number;
  const isTooLow = Number.isInteger(value) && (value as number) < least;
  const wrong = `must be a whole number of at least ${String(least)} and at most ${String(most)}`;
  checkNumber(isTooLow ? () => wrong : whole(least), what, value);
}

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the check lets the value pass */
export function checkNumber(check: Check, what: string, value: unknown): asserts value is number {
  const wrong = check(value);
  if (wrong !== undefined) throw new ConfigRangeError(`${what} ${wrong}, not ${show(value)}.`);
}

/** @throws ConfigRangeError (a RangeError, CMQ-004) unless the value is a finite number of ms of at least 0 */
export function checkDuration(what: string, value: unknown): asserts value is number {
  checkNumber(number(0), what, value);
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) unless the value is a boolean */
export function checkFlag(what: string, value: unknown): asserts value is boolean {
  const wrong = boolean(value);
  if (wrong !== undefined) throw new ConfigTypeError(`${what} ${wrong}, not ${show(value)}.`);
}

/** @throws ConfigError (CMQ-004) for an unknown type, and for `active` */
export function checkCleanType(type: unknown): asserts type is Exclude<CleanType, 'active'> {
  if (type === 'active') {
    throw new ConfigError(
      'clean: active jobs cannot be removed while they run. Queue.cancel(id) ends a job that runs.',
    );
  }
  if (CLEAN_TYPES.includes(type as CleanType)) return;
  const nearest = typeof type === 'string' ? nearestKey(type, CLEAN_TYPES) : undefined;
  const hint =
    nearest === undefined ? `It is one of ${CLEAN_TYPES.join(', ')}.` : `Did you mean "${nearest}"?`;
  throw new ConfigError(`clean: there is no type ${show(type)}. ${hint}`);
}

/**
 * Checks the arguments of a `run` method.
 * @throws ConfigTypeError (a TypeError, CMQ-004) for a signal that is no AbortSignal, or an onError that is no function
 */
export function checkRun(method: string, signal: unknown, onError: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new ConfigTypeError(`${method}: the signal must be an AbortSignal, not ${show(signal)}.`);
  }
  if (onError !== undefined && typeof onError !== 'function') {
    throw new ConfigTypeError(`${method}: onError must be a function, not ${show(onError)}.`);
  }
}

/** @throws ConfigTypeError unless the name is a string that is not blank; ConfigError if it is too long, or contains a brace */
export function checkQueueName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name.trim() === '')
    throw new ConfigTypeError(`The queue name must be a string that is not blank, not ${show(name)}.`);
  if (Buffer.byteLength(name) > MAX_NAME_BYTES || /[{}]/.test(name)) {
    throw new ConfigError(
      `The queue name ${show(name)} must not be longer than ${String(MAX_NAME_BYTES)} bytes, or contain a brace: its keys begin with {chasqui:<queue>}.`,
    );
  }
  if (!isWellFormed(name)) throw new ConfigError(`The queue name ${show(name)} ${NOT_WELL_FORMED}.`);
}

/**
 * A dispatch name is any string of at most 256 bytes; it may be empty.
 * @throws ConfigTypeError unless the name is a string, or if it consists of blanks; ConfigError if it is too long
 */
export function checkJobName(name: unknown): asserts name is string {
  if (typeof name !== 'string')
    throw new ConfigTypeError(`The job name must be a string, not ${show(name)}.`);
  // 85 characters have at most 255 bytes.
  if (name.length > 85 && Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new ConfigError(
      `The job name ${show(name)} has ${String(Buffer.byteLength(name))} bytes; at most ${String(MAX_NAME_BYTES)} are allowed.`,
    );
  }
  if (name !== '' && name.trim() === '') throw new ConfigTypeError('The job name must not be blank.');
  if (!isWellFormed(name)) throw new ConfigError(`The job name ${show(name)} ${NOT_WELL_FORMED}.`);
}

/** @throws ConfigTypeError (a TypeError) unless the id is a string that is not blank; ConfigError if it is too long */
export function checkJobId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || id.trim() === '') {
    throw new ConfigTypeError(`jobId must be a string that is not blank, not ${show(id)}.`);
  }
  if (id.length * 3 > MAX_ID_BYTES && Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw new ConfigError(
      `jobId has ${String(Buffer.byteLength(id))} bytes; at most ${String(MAX_ID_BYTES)} are allowed.`,
    );
  }
  if (!isWellFormed(id)) throw new ConfigError(`jobId ${NOT_WELL_FORMED}, not ${show(id)}.`);
}

/** @throws ConfigRangeError (a RangeError) unless the delay is a finite number from 0 to `maxDelayMs` */
export function checkDelay(delay: unknown, maxDelayMs: number): asserts delay is number {
  if (typeof delay !== 'number' || !Number.isFinite(delay) || delay < 0) {
    throw new ConfigRangeError(`delay must be a finite number of ms of at least 0, not ${show(delay)}.`);
  }
  if (delay > maxDelayMs) {
    throw new ConfigRangeError(
      `delay is ${String(delay)} ms; this queue accepts at most ${String(maxDelayMs)} ms (maxDelaySecs).`,
    );
  }
}

/** @throws ConfigTypeError unless the processor is a function; ConfigError for a generator function: its body would never run */
export function checkProcessor(owner: string, processor: unknown): void {
  if (typeof processor !== 'function')
    throw new ConfigTypeError(`${owner} must be a function (job) => Promise.`);
  if (types.isGeneratorFunction(processor)) {
    throw new ConfigError(
      `${owner} must not be a generator function (function*): calling it runs none of its code. Use an async function.`,
    );
  }
}
