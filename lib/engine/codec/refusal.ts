import { EncodeError, messageOf } from '../base/errors.js';

/** Why a value cannot be encoded, and its path in the data, the innermost step first. */
export class Refusal extends Error {
  readonly path: (string | number)[] = [];
}

export const TOO_DEEP = 'it refers to itself, or is nested too deep';
export const PROTO = 'a key named "__proto__" would arrive under another name';

/** Adds one step to the path of an error. A getter, a toJSON or a Proxy may have thrown anything. */
export function within(error: unknown, step: string | number): Refusal {
  let refusal: Refusal;
  if (error instanceof Refusal) refusal = error;
  else if (error instanceof RangeError && /call stack/i.test(error.message)) refusal = new Refusal(TOO_DEEP);
  else refusal = new Refusal(`reading it failed: ${messageOf(error)}`, { cause: error });
  refusal.path.push(step);
  return refusal;
}

/** @param root the name of the data in the message */
export function toEncodeError(error: unknown, root: string): EncodeError {
  const path = error instanceof Refusal ? pathOf(root, error.path) : root;
  const cause = error instanceof Refusal && error.cause !== undefined ? error.cause : error;
  return new EncodeError(
    `The data cannot be written as MessagePack: at ${path}, ${messageOf(error)}. Use plain data: null, booleans, numbers, strings, Dates, Buffers, arrays and objects of these.`,
    { cause },
  );
}

/** How many steps of a long path are shown at each end. */
const SHOWN = 8;

function pathOf(root: string, path: readonly (string | number)[]): string {
  const steps = [...path].reverse().map((step) => {
    if (typeof step === 'number') return `[${String(step)}]`;
    return /^[\w$]{1,60}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 60))}]`;
  });
  if (steps.length > 2 * SHOWN) steps.splice(SHOWN, steps.length - 2 * SHOWN, ' … ');
  return root + steps.join('');
}

/** Why an object that is not plain data is refused; undefined for an instance of a class of the user's own. */
export function refusalOf(value: object): Refusal | undefined {
  const tag = tagOf(value);
  if (ArrayBuffer.isView(value)) return new Refusal(`send a ${tag} as bytes (Buffer) or as an array`);
  if (/^(Shared)?ArrayBuffer$/.test(tag)) return new Refusal(`send an ${tag} as bytes: Buffer.from(it)`);
  if (typeof (value as { then?: unknown }).then === 'function')
    return new Refusal('a promise cannot be sent: an await is missing');
  if (tag === 'Object') return undefined;
  return new Refusal(HINTS[tag] ?? `${/^[AEIOU]/.test(tag) ? 'an' : 'a'} ${tag} cannot be sent`);
}

/** The built-in kind of an object, not its class: `Error` for each error, `String` for a boxed string. */
function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1).slice(0, 40);
}

const HINTS: Readonly<Record<string, string>> = {
  Error: 'an Error cannot be sent: send its message, or fields of your own',
  RegExp: 'a RegExp cannot be sent: send its source and flags',
  URLSearchParams: 'URLSearchParams cannot be sent: send String(params) or Object.fromEntries(params)',
  Headers: 'Headers cannot be sent: send Object.fromEntries(headers)',
  FormData: 'FormData cannot be sent: send Object.fromEntries(form)',
  Blob: 'a Blob cannot be sent: send its bytes, Buffer.from(await blob.arrayBuffer())',
  File: 'a File cannot be sent: send its name and its bytes, Buffer.from(await file.arrayBuffer())',
  String: 'a String object cannot be sent: send a string, String(it)',
  Number: 'a Number object cannot be sent: send a number, Number(it)',
  Boolean: 'a Boolean object cannot be sent: send a boolean',
  BigInt: 'a BigInt object cannot be sent: send a bigint, BigInt(it)',
};
