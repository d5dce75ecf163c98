import { types } from 'node:util';
import {
  MAX_SCALAR_BYTES,
  patchMapHeader,
  stringBound,
  writeArrayHeader,
  writeBigint as putBigint,
  writeBinary,
  writeBoolean,
  writeMapHeader,
  writeNil,
  writeNumber,
  writeString,
  writeTimestamp,
} from './msgpack.js';
import { PROTO, Refusal, TOO_DEEP, refusalOf, toEncodeError, within } from './refusal.js';

// A library does not do this: integers must be written as integers, data that would arrive as something else must be
// refused with its path, and all of that in one walk, because each job pays for it.

/** How deep arrays and maps of a payload may nest. */
export const MAX_DEPTH = 100;

const CHUNK_BYTES = 64 * 1024;
/** A larger chunk is not kept for the next call. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** More than any payload may have. */
const MAX_BYTES = 1024 * 1024 * 1024;
/** An array may have four billion holes, which would take minutes to write. */
const MAX_ELEMENTS = 64 * 1024 * 1024;

// The chunk that is written to. Bytes before `start` belong to earlier results and do not change any more.
let bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
let start = 0;
let at = 0;
// What is known of the value that is being written: see Encoded.
let isJson = true;
let hasBigint = false;
let isBusy = false;

export interface Encoded {
  bytes: Buffer;
  /** True if JSON can represent the value: it has no Date, bytes, bigint, or number that JSON does not have. */
  isJson: boolean;
  hasBigint: boolean;
}

/**
 * Encodes a value as MessagePack.
 * @param root the name of the value in errors
 * @throws EncodeError (CMQ-002) that names the path of what cannot be encoded
 */
export function encode(data: unknown, root: string): Encoded {
  if (isBusy) return encodeNested(data, root);
  isBusy = true;
  start = at;
  isJson = true;
  hasBigint = false;
  try {
    writeValue(data, 0);
    return { bytes: finish(), isJson, hasBigint };
  } catch (error) {
    at = start;
    throw toEncodeError(error, root);
  } finally {
    isBusy = false;
  }
}

/** For a call by a getter or a toJSON of the value that is being encoded. */
function encodeNested(data: unknown, root: string): Encoded {
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

/** The bytes that were written. A large result is copied, so that it keeps no chunk alive. */
function finish(): Buffer {
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

function reserve(count: number): void {
  if (at + count > bytes.length) grow(count);
}

function grow(count: number): void {
  const written = at - start;
  if (written + count > MAX_BYTES) throw new Refusal('it has more than 1 GB');
  // Small data shares a chunk with the data after it.
  const size = written + count < CHUNK_BYTES / 8 ? CHUNK_BYTES : 2 * (written + count);
  const larger = Buffer.allocUnsafeSlow(size);
  bytes.copy(larger, 0, start, at);
  bytes = larger;
  start = 0;
  at = written;
}

function writeValue(value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string':
      reserve(stringBound(value.length));
      at = writeString(bytes, at, value);
      return;
    case 'number':
      // JSON has no NaN, Infinity and -0.
      if (!Number.isFinite(value) || Object.is(value, -0)) isJson = false;
      reserve(MAX_SCALAR_BYTES);
      at = writeNumber(bytes, at, value);
      return;
    case 'boolean':
      reserve(MAX_SCALAR_BYTES);
      at = writeBoolean(bytes, at, value);
      return;
    case 'undefined':
      reserve(MAX_SCALAR_BYTES);
      at = writeNil(bytes, at);
      return;
    case 'object':
      if (value === null) {
        reserve(MAX_SCALAR_BYTES);
        at = writeNil(bytes, at);
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
  reserve(MAX_SCALAR_BYTES);
  at = writeArrayHeader(bytes, at, length);
  let index = 0;
  try {
    for (; index < length; index++) writeValue(list[index], depth);
  } catch (error) {
    throw within(error, index);
  }
}

/** @param usesToJson whether a toJSON of the object decides what is sent */
function writeObject(value: object, depth: number, usesToJson: boolean): void {
  if (depth > MAX_DEPTH) throw new Refusal(TOO_DEEP);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && writeSpecial(value, depth, usesToJson)) return;
  const keys = Object.keys(value);
  reserve(MAX_SCALAR_BYTES);
  // Relative to `start`, which changes when the chunk grows.
  const headerAt = at - start;
  at = writeMapHeader(bytes, at, keys.length);
  const width = at - start - headerAt;
  let written = 0;
  let key = '';
  try {
    for (key of keys) {
      const item = (value as Record<string, unknown>)[key];
      if (item === undefined) continue;
      if (key === '__proto__') throw new Refusal(PROTO);
      if (key === 'toJSON' && typeof item === 'function' && usesToJson) {
        at = start + headerAt;
        writeToJson(value, depth);
        return;
      }
      reserve(stringBound(key.length));
      at = writeString(bytes, at, key);
      writeValue(item, depth);
      written += 1;
    }
  } catch (error) {
    throw within(error, key);
  }
  if (written < keys.length) patchMapHeader(bytes, start + headerAt, width, written);
}

/** Writes what the object's own toJSON returns. Like JSON.stringify, it calls toJSON once. */
function writeToJson(value: object, depth: number): void {
  const json = (value as { toJSON: (key: string) => unknown }).toJSON('');
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) writeObject(json, depth, false);
  else writeValue(json, depth);
}

/** Writes an object that is not plain. Returns false for an instance of a class, which is sent by its own fields. */
function writeSpecial(value: object, depth: number, usesToJson: boolean): boolean {
  // `instanceof` does not work: in Jest, a Buffer belongs to another realm.
  if (types.isUint8Array(value)) writeBytes(value);
  else if (types.isDate(value)) writeDate(value);
  else if (types.isMap(value)) writeMap(value, depth);
  else if (types.isSet(value)) {
    isJson = false;
    writeArray([...value], depth);
  } else if (usesToJson && typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    writeToJson(value, depth);
  } else {
    const refusal = refusalOf(value);
    if (refusal) throw refusal;
    return false;
  }
  return true;
}

function writeMap(map: ReadonlyMap<unknown, unknown>, depth: number): void {
  if (depth > MAX_DEPTH) throw new Refusal(TOO_DEEP);
  isJson = false;
  const entries = [...map].filter(([, item]) => item !== undefined);
  reserve(MAX_SCALAR_BYTES);
  at = writeMapHeader(bytes, at, entries.length);
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
  reserve(MAX_SCALAR_BYTES);
  at = writeTimestamp(bytes, at, ms);
}

function writeBytes(value: Uint8Array): void {
  isJson = false;
  reserve(MAX_SCALAR_BYTES + value.length);
  at = writeBinary(bytes, at, value);
}

function writeBigint(value: bigint): void {
  isJson = false;
  hasBigint = true;
  if (value >= 2n ** 64n || value < -(2n ** 63n)) throw new Refusal('a bigint beyond 64 bits cannot be sent');
  reserve(MAX_SCALAR_BYTES);
  at = putBigint(bytes, at, value);
}
