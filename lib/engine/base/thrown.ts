import { inspect } from 'node:util';
import { printable } from './printable.js';
import { attempt, isArray, isError, isObject, isUnrecoverable, readProperty } from './safe-access.js';

// The text of thrown values. These functions accept every value and never throw: see safe-access.ts.

/** Longest text of a thrown value, in characters. */
const MAX_TEXT = 2_000;
/** Longest stack that is kept, in characters. */
const MAX_STACK = 8_000;
/** Most causes that are followed. */
const MAX_CAUSES = 8;
/** Most errors of an AggregateError that are listed. */
const MAX_ERRORS = 5;
/** Most values in the JSON of a thrown object. */
const MAX_VALUES = 200;

const UNPRINTABLE = 'an error that cannot be printed';

/**
 * A text for any thrown value, of at most 2,000 characters: the message of an error, the JSON of an object. The text is
 * not escaped: use `printable` before you print it.
 */
export function messageOf(value: unknown): string {
  return total(() => ownText(value));
}

/**
 * The text of any thrown value for events, dead letters and logs, of at most 2,000 characters: the message, the error's
 * `code`, the errors of an AggregateError, and the chain of causes. The text is not escaped: use `printable` before you
 * print it.
 */
export function detailOf(value: unknown): string {
  return total(() => {
    const texts: string[] = [];
    const seen = new Set<unknown>();
    let error = value;
    // Counts errors, not texts: an accessor may return a new error with the same text forever.
    while (seen.size < MAX_CAUSES && !seen.has(error)) {
      seen.add(error);
      const text = fullText(error);
      // Many messages quote the message of their cause.
      if (!texts.some((known) => known.includes(text))) texts.push(text);
      if (!isError(error) || includesItsCause(error)) break;
      const cause = readProperty(error, 'cause');
      if (cause === undefined || cause === null || typeof cause === 'function') break;
      error = cause;
    }
    return texts.join('; caused by: ');
  });
}

/**
 * The stacks of an error and of its causes, of at most 8,000 characters; undefined if there is none. Only frames start a
 * new line, so a message cannot forge a line of a log.
 */
export function stackOf(value: unknown): string | undefined {
  const stacks: string[] = [];
  const seen = new Set<unknown>();
  let error = value;
  while (stacks.length < MAX_CAUSES && isError(error) && !seen.has(error)) {
    seen.add(error);
    const stack = readProperty(error, 'stack');
    if (typeof stack !== 'string' || stack === '') break;
    stacks.push((stacks.length > 0 ? 'Caused by: ' : '') + printableStack(stack.slice(0, MAX_STACK)));
    error = readProperty(error, 'cause');
  }
  return stacks.length === 0 ? undefined : cut(stacks.join('\n'), MAX_STACK);
}

/** Returns the value itself if it is an error with a message; otherwise an error with the value as its `cause`. */
export function toError(value: unknown): Error {
  if (
    isError(value) &&
    typeof readProperty(value, 'message') === 'string' &&
    typeof readProperty(value, 'name') === 'string'
  ) {
    const stack = readProperty(value, 'stack');
    if (stack === undefined || typeof stack === 'string') return value;
  }
  const error = new Error(messageOf(value), { cause: value });
  if (isUnrecoverable(value)) error.name = 'UnrecoverableError';
  // The stack of this error says nothing about the thrown value.
  error.stack = stackOf(value) ?? `${error.name}: ${printable(error.message)}`;
  return error;
}

/** Cuts a text to `most` characters, and replaces halves of surrogate pairs. */
export function cut(text: string, most = MAX_TEXT): string {
  const short = text.length > most ? `${text.slice(0, most)}…` : text;
  // Half of a surrogate pair is not valid UTF-8, and not valid JSON for the scripts.
  return LONE_SURROGATE.test(short) ? short.replace(LONE_SURROGATES, '\ufffd') : short;
}

const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;

function total(text: () => string): string {
  try {
    return cut(text());
  } catch {
    // For example, the call stack is full.
    return UNPRINTABLE;
  }
}

/** Message, code, and the errors of an AggregateError. */
function fullText(error: unknown): string {
  let text = ownText(error);
  if (!isError(error)) return text;
  const code = readProperty(error, 'code');
  if ((typeof code === 'string' || typeof code === 'number') && !isOurCode(code)) {
    if (!text.includes(String(code))) text += ` [${cut(String(code), 100)}]`;
  }
  const errors = readProperty(error, 'errors');
  const count = isArray(errors) ? Number(readProperty(errors, 'length')) : 0;
  if (count > 0) {
    const listed = Array.from({ length: Math.min(count, MAX_ERRORS) }, (_, index) =>
      cut(ownText(readProperty(errors, String(index))), MAX_TEXT / MAX_ERRORS),
    );
    if (count > MAX_ERRORS) listed.push('…');
    text += ` (${String(count)} error${count === 1 ? '' : 's'}: ${listed.join('; ')})`;
  }
  return text;
}

function isOurCode(code: unknown): boolean {
  return typeof code === 'string' && code.startsWith('CMQ-');
}

/** Messages of this package include their cause. An UnrecoverableError has a message of the user. */
function includesItsCause(error: Error): boolean {
  const code = readProperty(error, 'code');
  return isOurCode(code) && code !== 'CMQ-011';
}

function ownText(value: unknown): string {
  if (isError(value)) return errorText(value);
  if (typeof value === 'function') return `function ${ownText(readProperty(value, 'name'))}`;
  return isObject(value) ? objectText(value) : primitiveText(value);
}

function primitiveText(value: unknown): string {
  return value === '' ? 'an empty text' : String(value);
}

function errorText(error: Error): string {
  const message = readProperty(error, 'message');
  if (typeof message === 'string' && message.trim() !== '') return message;
  if (typeof message !== 'string' && message !== undefined && message !== null) {
    return isObject(message) ? objectText(message) : primitiveText(message);
  }
  const ownName = readProperty(error, 'name');
  const name = typeof ownName === 'string' && ownName.trim() !== '' ? ownName : 'Error';
  // The stack still has the original message after `error.message = undefined`.
  const stack = readProperty(error, 'stack');
  if (typeof stack !== 'string') return name;
  const header = headerOf(stack.slice(0, MAX_STACK));
  const made = /^[\w$]+(?: \[[^\]]*\])?: ([^]*)$/.exec(header)?.[1]?.trim();
  return made === undefined || made === '' || made === 'undefined' ? name : made;
}

function objectText(value: object): string {
  if (!isArray(value) && !ArrayBuffer.isView(value)) {
    // eslint-disable-next-line @typescript-eslint/no-base-to-string -- the next line detects the default text
    const text = attempt(() => String(value));
    if (text !== undefined && text.trim() !== '' && !/^\[object [^\]]*\]$/.test(text)) return text;
  }
  const json = ArrayBuffer.isView(value) ? undefined : jsonOf(value);
  if (json !== undefined && json !== '{}') return json;
  if (attempt(() => Object.getPrototypeOf(value) === null && Reflect.ownKeys(value).length === 0)) {
    return UNPRINTABLE;
  }
  // `inspect` shows what JSON omits, runs no code of the value, and sees through proxies.
  const options = { depth: 2, maxArrayLength: 20, maxStringLength: 500, breakLength: Infinity };
  return attempt(() => inspect(value, { ...options, customInspect: false, getters: false })) ?? UNPRINTABLE;
}

/** Undefined if a `toJSON` or an accessor throws. */
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
      // A response with a body of many megabytes would block the event loop for seconds.
      if (ArrayBuffer.isView(item)) return `[${String(item.byteLength)} bytes]`;
      if (isArray(item) && item.length > left) return item.slice(0, left);
      return isError(item) ? ownText(item) : item;
    }),
  );
}

/** Puts each frame on a line of its own, and everything else on one line. */
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
