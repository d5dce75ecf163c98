import { ConfigError, NotSupportedError } from '../base/errors.js';
import { insteadOfBullMq } from './bullmq-options.js';
import { isSecret, record, show } from './checks.js';
import type { Check } from './checks.js';
import { nearestKey } from './nearest-key.js';

/** A check for each option of `T`. */
export type Schema<T> = { readonly [K in keyof Required<T>]: Check };

/**
 * Checks options once, at the boundary, and returns them as a plain object. Inherited options and accessors of a class
 * count like any other option. The result is a copy, so later changes of the given object have no effect. Undefined
 * values count as absent.
 * @throws ConfigError (CMQ-004) that names the owner, the key and the nearest valid key. It shows the value only if the
 * value cannot be a secret: a password may stand in an option that does not exist. NotSupportedError (CMQ-100) for an option
 * of BullMQ that does not exist here.
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
      const not = isSecret(check) || fault.includes(', not ') ? '' : `, not ${show(value)}`;
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

/** Checks a single option, whose owner `what` names. @throws ConfigError (CMQ-004) unless the check lets the value pass */
export function checkOption(check: Check, what: string, value: unknown): void {
  const wrong = check(value);
  if (wrong !== undefined) throw new ConfigError(`${what} ${wrong}, not ${show(value)}.`);
}

/** A check for options within options. */
export const nested = <T extends object>(
  owner: string,
  schema: Schema<T>,
  required: readonly (keyof T & string)[] = [],
): Check =>
  Object.assign((value: unknown) => record(value), {
    read: (value: unknown) => checkOptions(owner, schema, value as T, required),
  });

/** Says what is wrong with an options object: a promise that was not awaited, a Map or a Date has no options in it. */
export function optionsObject(given: unknown): string | undefined {
  // A string is not shown: it may be a URL with a password.
  if (record(given) !== undefined)
    return `must be an object, not ${typeof given === 'string' ? 'a string' : show(given)}`;
  const kind = Object.prototype.toString.call(given).slice('[object '.length, -1);
  return kind === 'Object' ? undefined : `must be an object with options in it, not a ${kind}`;
}

/** Copies options to a plain object, with inherited options and the current values of accessors. */
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

/** The name of an unknown option, for a message. A name that looks like a URL is not shown: it may hold a password. */
export function shownKey(key: string): string {
  return /:\/\/|@/.test(key) ? 'whose name looks like a URL' : `"${key}"`;
}

/** Reads an option, which may be an accessor that throws. */
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

/** The own keys of a plain object. For any other object also its inherited keys, and the accessors that the schema names. */
function keysOf(given: object, schema: object): string[] {
  if (isPlain(given)) return Object.keys(given);
  const keys = new Set<string>();
  for (const key in given) if (!(key in Object.prototype)) keys.add(key);
  for (const key of Object.keys(schema)) if (key in given) keys.add(key);
  return [...keys];
}

function unknownOption(owner: string, key: string, value: unknown, known: readonly string[]): Error {
  const instead = insteadOfBullMq(key);
  if (instead !== undefined)
    return new NotSupportedError(`${owner}: option "${key}" of BullMQ does not exist here: ${instead}.`);
  const nearest = nearestKey(key, known);
  const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
  return new ConfigError(`${owner}: unknown option ${shownKey(key)}${shownValue(key, value)}.${hint}`);
}

/** The value of an unknown option: only a number or a boolean, and only if the name does not sound like a secret. */
function shownValue(key: string, value: unknown): string {
  const isPlainValue = typeof value === 'number' || typeof value === 'boolean';
  return isPlainValue && !/pas|pw|secret|token|auth|cred|conn|url|user|pin|key/i.test(key)
    ? ` (${String(value)})`
    : '';
}
