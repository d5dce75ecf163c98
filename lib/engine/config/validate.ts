import { types } from 'node:util';
import { ConfigError, ConfigRangeError, ConfigTypeError } from '../base/errors.js';

/** Says what is wrong with a value, or undefined where it is right. */
export interface Check {
  (value: unknown): string | undefined;
  /** What counts in place of the value: options within options are read once, like those around them. */
  readonly read?: (value: unknown) => unknown;
}

export type Schema<T> = { readonly [K in keyof Required<T>]: Check };

/** What looks like it has a password in it. */
const MAY_BE_SECRET = /:\/\/|@/;

const show = (value: unknown): string => {
  if (typeof value === 'string') {
    if (MAY_BE_SECRET.test(value)) return 'a string';
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value);
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'function' ? 'a function' : `an ${typeof value}`;
};

export const anything: Check = () => undefined;
export const boolean: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
export const text: Check = (value) =>
  typeof value === 'string' && value.trim() !== '' ? undefined : 'must be a string that is not blank';
export const record: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object';

/** A whole number of at least `least` (and at most `most`). */
export const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `must be a whole number of at least ${String(least)}${most < Number.MAX_SAFE_INTEGER ? ` and at most ${String(most)}` : ''}`;

/** A time limit in ms: a whole number, or `Infinity` for none. */
export const limitMs =
  (least: number): Check =>
  (value) =>
    value === Infinity ? undefined : whole(least)(value)?.replace(/$/, ', or Infinity');

/** Redis adds a time to its clock in ms, and so does JavaScript: the sum is to be exact. */
export const MOST_MS = 2 ** 52;

/** A time in whole ms that Redis is told. */
export const ms = (least: number): Check => whole(least, MOST_MS);

/** A time in seconds that Redis is told, in ms. */
export const seconds =
  (least: number): Check =>
  (value) =>
    number(least)(value) ??
    ((value as number) <= MOST_MS / 1000 ? undefined : `must be at most ${String(MOST_MS / 1000)}`);

/** A finite number of at least `least`. */
export const number =
  (least: number): Check =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) && value >= least
      ? undefined
      : `must be a finite number of at least ${String(least)}`;

/** The value of an option that does not exist may be anything: a number is shown where its name is not a secret's. */
function shownOf(key: string, value: unknown): string {
  const isPlain = typeof value === 'number' || typeof value === 'boolean';
  return isPlain && !/pas|pw|secret|token|auth|cred|conn|url|user|pin|key/i.test(key)
    ? ` (${String(value)})`
    : '';
}

const secrets = new WeakSet<Check>();

/** Marks the check of an option that may hold a secret: its value is never shown. */
export function secret(check: Check): Check {
  const marked: Check = (value) => check(value);
  secrets.add(marked);
  return marked;
}

/**
 * Checks options once, at the border, and returns what was checked: a plain object, whatever was given. So an option that
 * is inherited, or an accessor of a class, counts like any other, and what it says later changes nothing. Undefined
 * values count as absent.
 * @throws ConfigError (CMQ-004) that names the owner, the key and the nearest valid key, and the value where it cannot be
 * a secret: that of an option that does not exist may be anything.
 */
export function checkOptions<T extends object>(
  owner: string,
  schema: Schema<T>,
  given: T,
  required: readonly (keyof T & string)[] = [],
): T {
  const wrong = optionsObject(given);
  if (wrong !== undefined) throw new ConfigError(`${owner}: options ${wrong}.`);
  const options: Record<PropertyKey, unknown> = {};
  for (const key of keysOf(given, schema)) {
    const value = readOption(
      given,
      key,
      (problem, cause) => new ConfigError(`${owner}: ${problem}`, { cause }),
    );
    const check = Object.hasOwn(schema, key) ? schema[key as keyof T] : undefined;
    if (!check) throw unknownOption(owner, key, value, Object.keys(schema));
    if (value === undefined) continue;
    const fault = check(value);
    if (fault !== undefined) {
      const not = secrets.has(check) ? '' : `, not ${show(value)}`;
      throw new ConfigError(`${owner}: option "${key}" ${fault}${not}.`);
    }
    options[key] = check.read ? check.read(value) : value;
  }
  for (const key of required) {
    if (options[key] === undefined) throw new ConfigError(`${owner}: option "${key}" is missing.`);
  }
  for (const symbol of Object.getOwnPropertySymbols(given)) options[symbol] = given[symbol as keyof T];
  return options as T;
}

/** A promise that was not awaited, a Map or a Date has no options in it. */
export function optionsObject(given: unknown): string | undefined {
  // What stands in their place may be a URL.
  if (record(given) !== undefined)
    return `must be an object, not ${typeof given === 'string' ? 'a string' : show(given)}`;
  const kind = Object.prototype.toString.call(given).slice('[object '.length, -1);
  return kind === 'Object' ? undefined : `must be an object with options in it, not a ${kind}`;
}

/** The same options as a plain object, with all that was inherited, and what accessors say now. */
export function plainOptions<T extends object>(given: T): T {
  if (isPlain(given)) return given;
  const options: Record<string, unknown> = {};
  const failed = (problem: string, cause: unknown): Error => new ConfigError(problem, { cause });
  for (const key in given) if (!(key in Object.prototype)) options[key] = readOption(given, key, failed);
  for (
    let prototype: unknown = Object.getPrototypeOf(given);
    typeof prototype === 'object' && prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if ('get' in property && !(key in Object.prototype)) options[key] = readOption(given, key, failed);
    }
  }
  return options as T;
}

/** The value of an option, which may be an accessor that throws. */
function readOption(given: object, key: string, failed: (problem: string, cause: unknown) => Error): unknown {
  try {
    return (given as Record<string, unknown>)[key];
  } catch (error) {
    throw failed(`option ${shownKey(key)} cannot be read: its accessor threw.`, error);
  }
}

function isPlain(given: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(given);
  return prototype === Object.prototype || prototype === null;
}

/** The keys of a plain object; of any other those that it inherits too, and those of the schema that it answers to. */
function keysOf(given: object, schema: object): string[] {
  if (isPlain(given)) return Object.keys(given);
  const keys = new Set<string>();
  for (const key in given) if (!(key in Object.prototype)) keys.add(key);
  for (const key of Object.keys(schema)) if (key in given) keys.add(key);
  return [...keys];
}

function unknownOption(owner: string, key: string, value: unknown, known: readonly string[]): ConfigError {
  const nearest = nearestKey(key, known);
  const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
  return new ConfigError(`${owner}: unknown option ${shownKey(key)}${shownOf(key, value)}.${hint}`);
}

/** The name of an option that nobody knows. Text with an address in it stands there by mistake, and may hold a password. */
export function shownKey(key: string): string {
  return /:\/\/|@/.test(key) ? 'whose name looks like a URL' : `"${key}"`;
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) for anything but a string that is not blank */
export function checkText(what: string, value: unknown): asserts value is string {
  const wrong = text(value);
  if (wrong !== undefined) throw new ConfigTypeError(`${what} ${wrong}, not ${show(value)}.`);
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) for anything but an array */
export function checkList(what: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new ConfigTypeError(`${what} must be an array, not ${show(value)}.`);
}

/** @throws ConfigRangeError (a RangeError) for what is no number of things to take; Infinity is one */
export function checkLimit(limit: unknown): asserts limit is number {
  const wrong = limit === Infinity ? undefined : whole(0)(limit);
  if (wrong !== undefined) throw new ConfigRangeError(`limit ${wrong}, not ${show(limit)}.`);
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) for what is no point in time */
export function checkTime(what: string, value: unknown): asserts value is number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new ConfigTypeError(`${what} must be a Date or unix ms, not ${show(value)}.`);
  }
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) for anything but a whole number of at least 0 */
export function checkWhole(what: string, value: unknown): asserts value is number {
  const wrong = whole(0)(value);
  if (wrong !== undefined) throw new ConfigTypeError(`${what} ${wrong}, not ${show(value)}.`);
}

/** @throws ConfigTypeError (a TypeError, CMQ-004) for what cannot end a run, or hear of its errors */
export function checkRun(method: string, signal: unknown, onError: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new ConfigTypeError(`${method}: the signal must be an AbortSignal, not ${show(signal)}.`);
  }
  if (onError !== undefined && typeof onError !== 'function') {
    throw new ConfigTypeError(`${method}: onError must be a function, not ${show(onError)}.`);
  }
}

/** The key that differs in the fewest letters, if that is less than half of them. */
export function nearestKey(key: string, keys: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.ceil(key.length / 2));
  for (const candidate of keys) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

export const MAX_NAME_BYTES = 256;
export const MAX_ID_BYTES = 512;

/** @throws ConfigTypeError for anything but a string, ConfigError where it is too long or blank. */
export function checkQueueName(name: unknown): asserts name is string {
  if (typeof name !== 'string')
    throw new ConfigTypeError(`The queue name must be a string, not ${show(name)}.`);
  if (name.trim() === '' || Buffer.byteLength(name) > MAX_NAME_BYTES || /[{}]/.test(name)) {
    throw new ConfigError(
      `The queue name ${show(name)} must not be blank, longer than ${String(MAX_NAME_BYTES)} bytes, or hold a brace: keys are {chasqui:<queue>}:….`,
    );
  }
}

/** Dispatch names: any string, the empty one included, of at most 256 bytes. */
export function checkJobName(name: unknown): asserts name is string {
  if (typeof name !== 'string')
    throw new ConfigTypeError(`The job name must be a string, not ${show(name)}.`);
  // 85 characters cannot be more than 255 bytes.
  if (name.length > 85 && Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new ConfigError(
      `The job name ${show(name)} has ${String(Buffer.byteLength(name))} bytes; at most ${String(MAX_NAME_BYTES)} are allowed.`,
    );
  }
  if (name !== '' && name.trim() === '') throw new ConfigError('The job name must not be blank.');
}

/** @throws ConfigTypeError (a TypeError) for a blank id or no string, ConfigError for one that is too long. */
export function checkJobId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || id.trim() === '') {
    throw new ConfigTypeError(`jobId must be a string that is not blank, not ${show(id)}.`);
  }
  if (id.length * 3 > MAX_ID_BYTES && Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw new ConfigError(
      `jobId has ${String(Buffer.byteLength(id))} bytes; at most ${String(MAX_ID_BYTES)} are allowed.`,
    );
  }
}

/** @throws ConfigRangeError (a RangeError) for a negative or not finite delay or one that is no number. */
export function checkDelay(delay: unknown, maxDelayMs: number): asserts delay is number {
  if (typeof delay !== 'number' || !Number.isFinite(delay) || delay < 0) {
    throw new ConfigRangeError(`delay must be a finite number of ms of at least 0, not ${show(delay)}.`);
  }
  if (delay > maxDelayMs) {
    throw new ConfigError(
      `delay is ${String(delay)} ms; this queue accepts at most ${String(maxDelayMs)} ms (maxDelaySecs).`,
    );
  }
}

/** @throws ConfigError for what is no function, or one whose body would never run. */
export function checkProcessor(owner: string, processor: unknown): void {
  if (typeof processor !== 'function') throw new ConfigError(`${owner} must be a function (job) => Promise.`);
  if (types.isGeneratorFunction(processor)) {
    throw new ConfigError(
      `${owner} must not be a generator function (function*): calling it runs none of its code. Use an async function.`,
    );
  }
}
