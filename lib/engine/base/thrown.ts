import { inspect, types } from 'node:util';
import { printable } from './printable.js';

// What user code may throw is any value: no object, an object that throws on every access, an error whose message is no
// string. Everything here takes whatever was thrown and never throws itself; nothing else in lib/ touches such a value.

/** Longest text of a thrown value, in characters. */
const MAX_TEXT = 2_000;
/** Longest stack that is kept, in characters. */
const MAX_STACK = 8_000;
/** Causes that are followed. */
const MAX_CAUSES = 8;
/** Errors of an AggregateError that are listed. */
const MAX_ERRORS = 5;
/** Values that the JSON of a thrown object has at most. */
const MAX_VALUES = 200;
/** Prototypes that are looked at. A proxy may answer with another one forever. */
const MAX_PROTOTYPES = 100;

const UNPRINTABLE = 'an error that cannot be printed';

/** A property of any value; undefined where reading it throws. */
export function read(value: unknown, key: string): unknown {
  if (!isObject(value)) return undefined;
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Sets a property of an object that user code may have frozen or given an accessor. */
export function write<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
  try {
    target[key] = value;
  } catch {
    // User code made it read-only; nothing of ours depends on it.
  }
}

/** True for every error, also for one of another realm (a `vm` context, as Jest uses). */
export function isError(value: unknown): value is Error {
  if (!isObject(value)) return false;
  if (types.isNativeError(value)) return true;
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

/** True for `UnrecoverableError`, and for any error that, itself or by a base class, has its name. */
export function isUnrecoverable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  if (read(error, 'name') === 'UnrecoverableError') return true;
  try {
    let proto: unknown = Object.getPrototypeOf(error);
    for (let depth = 0; proto !== null && depth < MAX_PROTOTYPES; depth++) {
      if (read(read(proto, 'constructor'), 'name') === 'UnrecoverableError') return true;
      proto = Object.getPrototypeOf(proto);
    }
  } catch {
    // A proxy that refuses to tell its prototype.
  }
  return false;
}

/**
 * A text for any thrown value, of at most 2,000 characters: the message of an error, the JSON of an object. It is raw:
 * use `printable` before you print it.
 */
export function messageOf(value: unknown): string {
  return total(() => ownText(value));
}

/**
 * The text of any thrown value for events, dead letters and logs, of at most 2,000 characters: the message, the error's
 * `code`, the errors of an AggregateError, and the chain of causes. It is raw: use `printable` before you print it.
 */
export function detailOf(value: unknown): string {
  return total(() => {
    const texts: string[] = [];
    const seen = new Set<unknown>();
    let error = value;
    // Counts errors, not texts: an accessor may answer with a new error of the same text forever.
    while (seen.size < MAX_CAUSES && !seen.has(error)) {
      seen.add(error);
      const text = fullText(error);
      // Many messages quote the message of their cause.
      if (!texts.some((known) => known.includes(text))) texts.push(text);
      if (!isError(error) || tellsItsCause(error)) break;
      const cause = read(error, 'cause');
      if (cause === undefined || cause === null || typeof cause === 'function') break;
      error = cause;
    }
    return texts.join('; caused by: ');
  });
}

/**
 * The stacks of an error and of its causes, of at most 8,000 characters; undefined where there is none. Only the frames
 * have lines of their own: a message that looks like a line of a log cannot forge one.
 */
export function stackOf(value: unknown): string | undefined {
  const stacks: string[] = [];
  const seen = new Set<unknown>();
  let error = value;
  while (stacks.length < MAX_CAUSES && isError(error) && !seen.has(error)) {
    seen.add(error);
    const stack = read(error, 'stack');
    if (typeof stack !== 'string' || stack === '') break;
    stacks.push((stacks.length > 0 ? 'Caused by: ' : '') + printableStack(stack.slice(0, MAX_STACK)));
    error = read(error, 'cause');
  }
  return stacks.length === 0 ? undefined : cut(stacks.join('\n'), MAX_STACK);
}

/** The value itself where it is an error with a message; else an error that has the value as its `cause`. */
export function toError(value: unknown): Error {
  if (
    isError(value) &&
    typeof read(value, 'message') === 'string' &&
    typeof read(value, 'name') === 'string'
  ) {
    const stack = read(value, 'stack');
    if (stack === undefined || typeof stack === 'string') return value;
  }
  const error = new Error(messageOf(value), { cause: value });
  if (isUnrecoverable(value)) error.name = 'UnrecoverableError';
  // Where this error was made says nothing about what was thrown.
  error.stack = stackOf(value) ?? `${error.name}: ${printable(error.message)}`;
  return error;
}

/** At most `most` characters of a text, in whole characters. */
export function cut(text: string, most = MAX_TEXT): string {
  const short = text.length > most ? `${text.slice(0, most)}…` : text;
  // Half of a surrogate pair is no UTF-8, and no JSON to Redis's scripts.
  return LONE_SURROGATE.test(short) ? short.replace(LONE_SURROGATES, '\ufffd') : short;
}

const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;

function total(text: () => string): string {
  try {
    return cut(text());
  } catch {
    // The stack is full, say.
    return UNPRINTABLE;
  }
}

/** Message, code, and what an AggregateError is made of. */
function fullText(error: unknown): string {
  let text = ownText(error);
  if (!isError(error)) return text;
  const code = read(error, 'code');
  if ((typeof code === 'string' || typeof code === 'number') && !isOurCode(code)) {
    if (!text.includes(String(code))) text += ` [${cut(String(code), 100)}]`;
  }
  const errors = read(error, 'errors');
  const count = isArray(errors) ? Number(read(errors, 'length')) : 0;
  if (count > 0) {
    const listed = Array.from({ length: Math.min(count, MAX_ERRORS) }, (_, index) =>
      cut(ownText(read(errors, String(index))), MAX_TEXT / MAX_ERRORS),
    );
    if (count > MAX_ERRORS) listed.push('…');
    text += ` (${String(count)} error${count === 1 ? '' : 's'}: ${listed.join('; ')})`;
  }
  return text;
}

function isOurCode(code: unknown): boolean {
  return typeof code === 'string' && code.startsWith('CMQ-');
}

/** The messages of our errors say what caused them; an UnrecoverableError, which users throw, has theirs. */
function tellsItsCause(error: Error): boolean {
  const code = read(error, 'code');
  return isOurCode(code) && code !== 'CMQ-011';
}

function ownText(value: unknown): string {
  if (isError(value)) return errorText(value);
  if (typeof value === 'function') return `function ${ownText(read(value, 'name'))}`;
  return isObject(value) ? objectText(value) : primitiveText(value);
}

function primitiveText(value: unknown): string {
  return value === '' ? 'an empty text' : String(value);
}

function errorText(error: Error): string {
  const message = read(error, 'message');
  if (typeof message === 'string' && message.trim() !== '') return message;
  if (typeof message !== 'string' && message !== undefined && message !== null) {
    return isObject(message) ? objectText(message) : primitiveText(message);
  }
  const given = read(error, 'name');
  const name = typeof given === 'string' && given.trim() !== '' ? given : 'Error';
  // The stack has the message with which the error was made: `error.message = undefined` leaves it there.
  const stack = read(error, 'stack');
  if (typeof stack !== 'string') return name;
  const header = headerOf(stack.slice(0, MAX_STACK));
  const made = /^[\w$]+(?: \[[^\]]*\])?: ([^]*)$/.exec(header)?.[1]?.trim();
  return made === undefined || made === '' || made === 'undefined' ? name : made;
}

function objectText(value: object): string {
  if (!isArray(value) && !ArrayBuffer.isView(value)) {
    // eslint-disable-next-line @typescript-eslint/no-base-to-string -- the default is recognized below
    const text = attempt(() => String(value));
    if (text !== undefined && text.trim() !== '' && !/^\[object [^\]]*\]$/.test(text)) return text;
  }
  const json = ArrayBuffer.isView(value) ? undefined : jsonOf(value);
  if (json !== undefined && json !== '{}') return json;
  if (attempt(() => Object.getPrototypeOf(value) === null && Reflect.ownKeys(value).length === 0)) {
    return UNPRINTABLE;
  }
  // It shows what JSON leaves out, runs no code of the value, and sees through proxies.
  const options = { depth: 2, maxArrayLength: 20, maxStringLength: 500, breakLength: Infinity };
  return attempt(() => inspect(value, { ...options, customInspect: false, getters: false })) ?? UNPRINTABLE;
}

/** Undefined where a `toJSON` or an accessor throws. */
function jsonOf(value: object): string | undefined {
  let left = MAX_VALUES;
  const seen = new Set<unknown>();
  return attempt(() =>
    JSON.stringify(value, (_key, item: unknown) => {
      if (--left < 0) return undefined;
      if (typeof item === 'bigint') return String(item);
      if (typeof item === 'string') return cut(item);
      if (!isObject(item)) return item;
      if (seen.has(item)) return '[Circular]';
      seen.add(item);
      // An answer with a body of many megabytes would hold the event loop for seconds.
      if (ArrayBuffer.isView(item)) return `[${String(item.byteLength)} bytes]`;
      if (isArray(item) && item.length > left) return item.slice(0, left);
      return isError(item) ? ownText(item) : item;
    }),
  );
}

/** Frames, each in its line; everything else in one line. */
function printableStack(stack: string): string {
  const lines: string[] = [];
  for (const line of stack.split('\n')) {
    const last = lines.pop();
    if (last === undefined) lines.push(printable(line));
    else if (isFrame(line)) lines.push(last, printable(line));
    else lines.push(`${last}\\n${printable(line)}`);
  }
  return lines.join('\n');
}

function headerOf(stack: string): string {
  const lines = stack.split('\n');
  const frames = lines.findIndex(isFrame);
  return (frames < 0 ? lines : lines.slice(0, frames)).join('\n');
}

function isFrame(line: string): boolean {
  return /^ {4}at \S/.test(line);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function isArray(value: unknown): value is unknown[] {
  // A revoked proxy throws.
  return attempt(() => Array.isArray(value)) ?? false;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
