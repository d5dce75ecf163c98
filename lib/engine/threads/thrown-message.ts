import * as errors from '../base/errors.js';
import * as threadErrors from '../base/thread-errors.js';
import { attempt, isArray, isError, isObject, isUnrecoverable, readProperty } from '../base/safe-access.js';
import { messageOf } from '../base/thrown.js';

/** Most causes of an error, and most errors of an AggregateError, that cross. */
const MAX_DEPTH = 8;
const MAX_ERRORS = 20;
/** Most fields of an error that cross. */
const MAX_FIELDS = 50;
/** Longest name of a class, in characters. */
const MAX_NAME = 200;
const MAX_TEXT = 100_000;
/** Fields that are not copied as they are. */
const OWN = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/** A thrown value on its way between threads. Structured clone alone would lose the class of an error. */
export type ThrownMessage =
  | { readonly kind: 'value'; readonly value: unknown }
  | {
      readonly kind: 'error';
      /** Names of its class and of the base classes, nearest first. */
      readonly classes: readonly string[];
      readonly isUnrecoverable: boolean;
      readonly name: string | undefined;
      readonly message: string;
      readonly stack: string | undefined;
      readonly fields: Readonly<Record<string, unknown>>;
      readonly cause: ThrownMessage | undefined;
      readonly errors: readonly ThrownMessage[] | undefined;
    };

/** What crosses of any thrown value. What cannot be cloned is left out, or becomes text. Never throws. */
export function toThrownMessage(thrown: unknown, depth = 0): ThrownMessage {
  if (!isError(thrown)) return { kind: 'value', value: cloneable(thrown) ? thrown : messageOf(thrown) };
  const cause = readProperty(thrown, 'cause');
  const list = readProperty(thrown, 'errors');
  const isDeep = depth >= MAX_DEPTH;
  return {
    kind: 'error',
    classes: classesOf(thrown),
    isUnrecoverable: isUnrecoverable(thrown),
    name: textOf(readProperty(thrown, 'name')),
    message: textOf(readProperty(thrown, 'message')) ?? messageOf(thrown),
    stack: textOf(readProperty(thrown, 'stack')),
    fields: fieldsOf(thrown),
    cause: cause === undefined || isDeep ? undefined : toThrownMessage(cause, depth + 1),
    errors:
      isArray(list) && !isDeep
        ? list.slice(0, MAX_ERRORS).map((error) => toThrownMessage(error, depth + 1))
        : undefined,
  };
}

/** The value that was thrown in the other thread. An error has its class again, if it is built in or of this package. */
export function fromThrownMessage(message: ThrownMessage): unknown {
  if (message.kind === 'value') return message.value;
  const { classes, name, stack, fields, cause, errors: list } = message;
  const options = cause ? { cause: fromThrownMessage(cause) } : undefined;
  const error = list
    ? new AggregateError(list.map(fromThrownMessage), message.message, options)
    : new Error(message.message, options);
  const prototype = classes.map((known) => KNOWN.get(known)).find((found) => found !== undefined);
  if (prototype) Object.setPrototypeOf(error, prototype);
  for (const [key, value] of Object.entries(fields)) define(error, key, value);
  if (name !== undefined && name !== error.name) define(error, 'name', name);
  if (message.isUnrecoverable && !isUnrecoverable(error)) define(error, 'name', 'UnrecoverableError');
  define(error, 'stack', stack);
  return error;
}

/** By the name of the class. */
const KNOWN: ReadonlyMap<string, object> = new Map(
  [
    Error,
    TypeError,
    RangeError,
    SyntaxError,
    ReferenceError,
    EvalError,
    URIError,
    AggregateError,
    ...Object.values({ ...errors, ...threadErrors }),
  ].flatMap((value: unknown) => {
    if (typeof value !== 'function') return [];
    const prototype: unknown = value.prototype;
    return isObject(prototype) && (prototype === Error.prototype || prototype instanceof Error)
      ? [[value.name, prototype] as const]
      : [];
  }),
);

function classesOf(error: Error): string[] {
  const names: string[] = [];
  attempt(() => {
    for (
      let proto: unknown = Object.getPrototypeOf(error);
      proto !== null && names.length < MAX_DEPTH;
      proto = Object.getPrototypeOf(proto)
    ) {
      const name = readProperty(readProperty(proto, 'constructor'), 'name');
      if (typeof name === 'string') names.push(name.slice(0, MAX_NAME));
    }
  });
  return names;
}

function fieldsOf(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const keys = attempt(() => Object.keys(error)) ?? [];
  for (const key of keys.slice(0, MAX_FIELDS)) {
    if (OWN.has(key)) continue;
    const value = readProperty(error, key);
    if (value !== undefined && cloneable(value)) fields[key] = value;
  }
  return fields;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : undefined;
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: !OWN.has(key) });
}

function cloneable(value: unknown): boolean {
  if (!isObject(value)) return typeof value !== 'symbol';
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
