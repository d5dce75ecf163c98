import { types } from 'node:util';
import { EncodeError, messageOf } from '../base/errors.js';

// MessagePack is written here, and not by a library: it must write integers as integers, refuse what would arrive as
// something else, and say where that stands; and all in one walk, because data is written for each job.

/** How deep arrays and maps of a payload may nest. */
export const MAX_DEPTH = 100;

/** The extension type of a MessagePack timestamp, -1. */
const TIMESTAMP = 0xff;
/** Strings up to this length are written here; for longer ones it pays to call into C++. */
const SHORT = 48;
const CHUNK_BYTES = 64 * 1024;
/** A larger chunk is let go of. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** More than any payload may have. */
const MAX_BYTES = 1024 * 1024 * 1024;
/** A list may have four billion holes, which would take minutes to write. */
const MAX_ELEMENTS = 64 * 1024 * 1024;

/** What has been handed out stays as it is: only what is behind it is written to. */
let bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
let start = 0;
let at = 0;
/** JSON would say the same of what was written. */
let isJson = true;
let hasBigint = false;
let isBusy = false;

export interface Encoded {
  bytes: Buffer;
  /** True where JSON says the same: no Date, no bytes, no bigint, no number that JSON does not have. */
  isJson: boolean;
  hasBigint: boolean;
}

/**
 * Writes a value as MessagePack.
 * @param root what it is called in errors
 * @throws EncodeError (CMQ-002) that names the place of what cannot be written
 */
export function encode(data: unknown, root: string): Encoded {
  if (isBusy) return encodeInside(data, root);
  isBusy = true;
  start = at;
  isJson = true;
  hasBigint = false;
  try {
    writeValue(data, 0);
    return { bytes: taken(), isJson, hasBigint };
  } catch (error) {
    at = start;
    throw refused(error, root);
  } finally {
    isBusy = false;
  }
}

/** Called by a getter, or a toJSON, of what is being written. */
function encodeInside(data: unknown, root: string): Encoded {
  const outer = { bytes, start, at, isJson, hasBigint };
  bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  at = 0;
  isBusy = false;
  try {
    return encode(data, root);
  } finally {
    ({ bytes, start, at, isJson, hasBigint } = outer);
    isBusy = true;
  }
}

/** What was written. What is large is copied, so that it does not keep alive more than itself. */
function taken(): Buffer {
  const written = bytes.subarray(start, at);
  if (written.length < CHUNK_BYTES / 8) return written;
  const copy = Buffer.allocUnsafeSlow(written.length);
  written.copy(copy);
  at = start;
  if (bytes.length > KEPT_BYTES) {
    bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    at = 0;
  }
  return copy;
}

/** Why something cannot be written, and where it stands: names and places, the innermost first. */
class Refusal extends Error {
  readonly path: (string | number)[] = [];
}

function refused(error: unknown, root: string): EncodeError {
  const place = error instanceof Refusal ? pathOf(root, error.path) : root;
  const cause = error instanceof Refusal && error.cause !== undefined ? error.cause : error;
  return new EncodeError(
    `The data cannot be written as MessagePack: at ${place}, ${messageOf(error)}. Use plain data: null, booleans, numbers, strings, Dates, Buffers, arrays and objects of these.`,
    { cause },
  );
}

/** Levels that are shown of a long path, at each end. */
const SHOWN = 8;

function pathOf(root: string, path: readonly (string | number)[]): string {
  const steps = [...path].reverse().map((step) => {
    if (typeof step === 'number') return `[${String(step)}]`;
    return /^[\w$]{1,60}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 60))}]`;
  });
  if (steps.length > 2 * SHOWN) steps.splice(SHOWN, steps.length - 2 * SHOWN, ' … ');
  return root + steps.join('');
}

/** The error, with one more step of its path; a getter, a toJSON or a Proxy may throw anything. */
function within(error: unknown, step: string | number): Refusal {
  let refusal: Refusal;
  if (error instanceof Refusal) refusal = error;
  else if (error instanceof RangeError && /call stack/i.test(error.message)) refusal = new Refusal(TOO_DEEP);
  else refusal = new Refusal(`reading it failed: ${messageOf(error)}`, { cause: error });
  refusal.path.push(step);
  return refusal;
}

const TOO_DEEP = 'it refers to itself, or is nested too deep';

function writeValue(value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string':
      writeString(value);
      return;
    case 'number':
      writeNumber(value);
      return;
    case 'boolean':
      reserve(1);
      bytes[at++] = value ? 0xc3 : 0xc2;
      return;
    case 'undefined':
      reserve(1);
      bytes[at++] = 0xc0;
      return;
    case 'object':
      if (value === null) {
        reserve(1);
        bytes[at++] = 0xc0;
      } else if (Array.isArray(value)) writeArray(value, depth + 1);
      else writeObject(value, depth + 1, true);
      return;
    case 'bigint':
      writeBigint(value);
      return;
    case 'function':
      throw new Refusal('a function cannot be sent');
    case 'symbol':
      throw new Refusal('a symbol cannot be sent');
  }
}

function writeArray(list: readonly unknown[], depth: number): void {
  if (depth > MAX_DEPTH) throw new Refusal(TOO_DEEP);
  const { length } = list;
  if (length > MAX_ELEMENTS) throw new Refusal(`it has more than ${String(MAX_ELEMENTS)} elements`);
  writeHeader(length, 0x90, 0xdc);
  let index = 0;
  try {
    for (; index < length; index++) writeValue(list[index], depth);
  } catch (error) {
    throw within(error, index);
  }
}

/** @param asks whether a toJSON of the object says what is sent */
function writeObject(value: object, depth: number, asks: boolean): void {
  if (depth > MAX_DEPTH) throw new Refusal(TOO_DEEP);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && writeSpecial(value, depth, asks)) return;
  const keys = Object.keys(value);
  const from = at;
  writeHeader(keys.length, 0x80, 0xde);
  const first = at - start;
  const header = at - from;
  let written = 0;
  let key = '';
  try {
    for (key of keys) {
      const item = (value as Record<string, unknown>)[key];
      if (item === undefined) continue;
      if (key === '__proto__') throw new Refusal(PROTO);
      if (key === 'toJSON' && typeof item === 'function' && asks) {
        at = start + first - header;
        writeJson(value, depth);
        return;
      }
      writeString(key);
      writeValue(item, depth);
      written += 1;
    }
  } catch (error) {
    throw within(error, key);
  }
  if (written < keys.length) patchHeader(start + first - header, header, written);
}

const PROTO = 'a key named "__proto__" would arrive under another name';

/** Fewer than were announced: the header keeps its width, which MessagePack allows. */
function patchHeader(headerAt: number, width: number, count: number): void {
  if (width === 1) bytes[headerAt] = 0x80 | count;
  else if (width === 3) bytes.writeUInt16BE(count, headerAt + 1);
  else bytes.writeUInt32BE(count, headerAt + 1);
}

/** What its own toJSON says: as JSON.stringify asks it, and once. */
function writeJson(value: object, depth: number): void {
  const json = (value as { toJSON: (key: string) => unknown }).toJSON('');
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) writeObject(json, depth, false);
  else writeValue(json, depth);
}

/** What is not a plain object. False for an instance of a class, which is sent by its own fields. */
function writeSpecial(value: object, depth: number, asks: boolean): boolean {
  // Not by `instanceof`: in Jest, a Buffer is made by another realm.
  if (types.isUint8Array(value)) {
    writeBytes(value);
    return true;
  }
  if (types.isDate(value)) {
    writeDate(value);
    return true;
  }
  if (types.isMap(value)) {
    writeMap(value, depth);
    return true;
  }
  if (types.isSet(value)) {
    isJson = false;
    writeArray([...value], depth);
    return true;
  }
  if (asks && typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    writeJson(value, depth);
    return true;
  }
  if (ArrayBuffer.isView(value))
    throw new Refusal(`send a ${nameOf(value)} as bytes (Buffer) or as an array`);
  if (types.isAnyArrayBuffer(value)) throw new Refusal(`send an ${nameOf(value)} as bytes: Buffer.from(it)`);
  if (typeof (value as { then?: unknown }).then === 'function')
    throw new Refusal('a promise cannot be sent: an await is missing');
  const tag = nameOf(value);
  if (tag !== 'Object') throw new Refusal(HINTS[tag] ?? `${article(tag)} ${tag} cannot be sent`);
  return false;
}

/** What it is by its nature, not by its class: `Error` for each error, `String` for one in a box. */
function nameOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1).slice(0, 40);
}

function article(name: string): string {
  return /^[AEIOU]/.test(name) ? 'an' : 'a';
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

function writeMap(map: ReadonlyMap<unknown, unknown>, depth: number): void {
  if (depth > MAX_DEPTH) throw new Refusal(TOO_DEEP);
  isJson = false;
  const entries = [...map].filter(([, item]) => item !== undefined);
  writeHeader(entries.length, 0x80, 0xde);
  for (const [key, item] of entries) {
    if (typeof key !== 'string' && typeof key !== 'number')
      throw new Refusal('a key of a Map must be a string or a number');
    if (key === '__proto__') throw within(new Refusal(PROTO), key);
    writeValue(key, depth);
    try {
      writeValue(item, depth);
    } catch (error) {
      throw within(error, key);
    }
  }
}

function writeDate(date: Date): void {
  const ms = Date.prototype.getTime.call(date);
  if (Number.isNaN(ms)) throw new Refusal('an invalid Date cannot be sent');
  isJson = false;
  reserve(15);
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = (ms - seconds * 1000) * 1_000_000;
  if (nanoseconds === 0 && seconds >= 0 && seconds < 2 ** 32) {
    bytes[at] = 0xd6;
    bytes[at + 1] = TIMESTAMP;
    at = bytes.writeUInt32BE(seconds, at + 2);
  } else if (seconds >= 0 && seconds < 2 ** 34) {
    bytes[at] = 0xd7;
    bytes[at + 1] = TIMESTAMP;
    at = bytes.writeUInt32BE(nanoseconds * 4 + Math.floor(seconds / 2 ** 32), at + 2);
    at = bytes.writeUInt32BE(seconds % 2 ** 32, at);
  } else {
    bytes[at] = 0xc7;
    bytes[at + 1] = 12;
    bytes[at + 2] = TIMESTAMP;
    at = bytes.writeUInt32BE(nanoseconds, at + 3);
    writeInt64(seconds);
  }
}

function writeBytes(value: Uint8Array): void {
  isJson = false;
  const { length } = value;
  reserve(5 + length);
  if (length < 0x100) {
    bytes[at++] = 0xc4;
    bytes[at++] = length;
  } else if (length < 0x10000) {
    bytes[at] = 0xc5;
    at = bytes.writeUInt16BE(length, at + 1);
  } else {
    bytes[at] = 0xc6;
    at = bytes.writeUInt32BE(length, at + 1);
  }
  bytes.set(value, at);
  at += length;
}

function writeString(text: string): void {
  const { length } = text;
  reserve(5 + length * 3);
  if (length < SHORT) {
    // Most are ASCII, and then as long as they look.
    let to = length < 32 ? at + 1 : at + 2;
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      bytes[to++] = code;
    }
    if (i === length) {
      if (length < 32) bytes[at] = 0xa0 | length;
      else {
        bytes[at] = 0xd9;
        bytes[at + 1] = length;
      }
      at = to;
      return;
    }
  }
  // Its bytes first, behind a header as long as they have if it is all ASCII.
  const guess = headerOf(length);
  const size = bytes.write(text, at + guess);
  const header = headerOf(size);
  if (header !== guess) bytes.copyWithin(at + header, at + guess, at + guess + size);
  if (header === 1) bytes[at] = 0xa0 | size;
  else if (header === 2) {
    bytes[at] = 0xd9;
    bytes[at + 1] = size;
  } else if (header === 3) {
    bytes[at] = 0xda;
    bytes.writeUInt16BE(size, at + 1);
  } else {
    bytes[at] = 0xdb;
    bytes.writeUInt32BE(size, at + 1);
  }
  at += header + size;
}

/** Bytes of the header of a string with so many. */
function headerOf(size: number): number {
  return size < 32 ? 1 : size < 0x100 ? 2 : size < 0x10000 ? 3 : 5;
}

function writeNumber(value: number): void {
  reserve(9);
  if (Number.isSafeInteger(value) && (value !== 0 || 1 / value > 0)) {
    if (value >= 0) writeUint(value);
    else if (value >= -32) bytes[at++] = value + 0x100;
    else if (value >= -0x80) {
      bytes[at++] = 0xd0;
      bytes[at++] = value + 0x100;
    } else if (value >= -0x8000) {
      bytes[at] = 0xd1;
      at = bytes.writeInt16BE(value, at + 1);
    } else if (value >= -0x80000000) {
      bytes[at] = 0xd2;
      at = bytes.writeInt32BE(value, at + 1);
    } else {
      bytes[at++] = 0xd3;
      writeInt64(value);
    }
    return;
  }
  // JSON has none of NaN, Infinity and -0.
  if (!Number.isFinite(value) || value === 0) isJson = false;
  bytes[at] = 0xcb;
  at = bytes.writeDoubleBE(value, at + 1);
}

function writeUint(value: number): void {
  if (value < 0x80) bytes[at++] = value;
  else if (value < 0x100) {
    bytes[at++] = 0xcc;
    bytes[at++] = value;
  } else if (value < 0x10000) {
    bytes[at++] = 0xcd;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
  } else if (value <= 0xffffffff) {
    bytes[at] = 0xce;
    at = bytes.writeUInt32BE(value, at + 1);
  } else {
    bytes[at++] = 0xcf;
    writeInt64(value);
  }
}

/** Eight bytes of a safe integer. */
function writeInt64(value: number): void {
  const high = Math.floor(value / 2 ** 32);
  at = bytes.writeInt32BE(high, at);
  at = bytes.writeUInt32BE(value - high * 2 ** 32, at);
}

function writeBigint(value: bigint): void {
  isJson = false;
  hasBigint = true;
  reserve(9);
  if (value >= 2n ** 64n || value < -(2n ** 63n)) throw new Refusal('a bigint beyond 64 bits cannot be sent');
  if (value >= 0n) {
    bytes[at] = 0xcf;
    at = bytes.writeBigUInt64BE(value, at + 1);
  } else {
    bytes[at] = 0xd3;
    at = bytes.writeBigInt64BE(value, at + 1);
  }
}

/** Of a list, or of a map, by the head of a short one and that of one with 16 bits for its length. */
function writeHeader(length: number, short: number, long: number): void {
  reserve(5);
  if (length < 16) bytes[at++] = short | length;
  else if (length < 0x10000) {
    bytes[at] = long;
    at = bytes.writeUInt16BE(length, at + 1);
  } else {
    bytes[at] = long + 1;
    at = bytes.writeUInt32BE(length, at + 1);
  }
}

function reserve(count: number): void {
  if (at + count > bytes.length) grow(count);
}

function grow(count: number): void {
  const written = at - start;
  if (written + count > MAX_BYTES) throw new Refusal('it has more than 1 GB');
  // Small data shares a chunk with what comes after it.
  const size = written + count < CHUNK_BYTES / 8 ? CHUNK_BYTES : 2 * (written + count);
  const larger = Buffer.allocUnsafeSlow(size);
  bytes.copy(larger, 0, start, at);
  bytes = larger;
  start = 0;
  at = written;
}
