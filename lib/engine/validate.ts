import { types } from 'node:util';
import { ConfigError, ConfigRangeError, ConfigTypeError } from './errors.js';

/** Says what is wrong with a value, or undefined where it is right. */
export type Check = (value: unknown) => string | undefined;

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
 * Checks options once, at the border. Undefined values count as absent.
 * @throws ConfigError (CMQ-004) that names the owner, the key and the nearest valid key, and the value where it cannot be
 * a secret: that of an option that does not exist may be anything.
 */
export function checkOptions<T extends object>(
  owner: string,
  schema: Schema<T>,
  given: T,
  required: readonly (keyof T & string)[] = [],
): void {
  if (record(given)) {
    // What stands in their place may be a URL.
    const what = typeof given === 'string' ? 'a string' : show(given);
    throw new ConfigError(`${owner}: options must be an object, not ${what}.`);
  }
  for (const [key, value] of Object.entries(given)) {
    const check = Object.hasOwn(schema, key) ? schema[key as keyof T] : undefined;
    if (!check) {
      const nearest = nearestKey(key, Object.keys(schema));
      throw new ConfigError(
        `${owner}: unknown option "${key}"${shownOf(key, value)}.${nearest ? ` Did you mean "${nearest}"?` : ''}`,
      );
    }
    if (value === undefined) continue;
    const wrong = check(value);
    if (wrong === undefined) continue;
    const not = secrets.has(check) ? '' : `, not ${show(value)}`;
    throw new ConfigError(`${owner}: option "${key}" ${wrong}${not}.`);
  }
  for (const key of required) {
    if (given[key] === undefined) throw new ConfigError(`${owner}: option "${key}" is missing.`);
  }
}

/** @throws ConfigRangeError (a RangeError) for what is no number of things to take; Infinity is one */
export function checkLimit(limit: unknown): asserts limit is number {
  const wrong = limit === Infinity ? undefined : whole(0)(limit);
  if (wrong !== undefined) throw new ConfigRangeError(`limit ${wrong}, not ${show(limit)}.`);
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
