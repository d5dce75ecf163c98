import { Packr, Unpackr } from 'msgpackr';
import { DecodeError, EncodeError, messageOf } from './errors.js';

/** How deep arrays and maps of a payload may nest. */
export const MAX_DEPTH = 100;

/** The extension type of a MessagePack timestamp, -1. */
const TIMESTAMP = 0xff;

// Records, structures and extra types are extensions that only msgpackr reads; without them the bytes are plain
// MessagePack, which a worker in any language understands and which never builds an object of a class.
const packr = new Packr({
  useRecords: false,
  moreTypes: false,
  encodeUndefinedAsNil: true,
  variableMapSize: true,
  writeFunction: () => {
    throw new TypeError('a function cannot be sent');
  },
  onInvalidDate: () => {
    throw new TypeError('an invalid Date cannot be sent');
  },
});
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  // A view would let a handler change the bytes that its retry, or its dead letter, is written from.
  copyBuffers: true,
  // Known to msgpackr, missing in its types: a number where it is exact, a bigint where it is not.
  int64AsType: 'auto' as 'number',
});

/**
 * MessagePack of any plain data: null, booleans, numbers, bigints, strings, Dates, Buffers, arrays, objects. `undefined`
 * becomes null.
 * @throws EncodeError (CMQ-002) for a cyclic value, a function, a symbol, a promise, a typed array other than Uint8Array,
 * an invalid Date, or nesting deeper than 100.
 */
export function encodePayload(data: unknown): Buffer {
  let bytes: Buffer;
  try {
    if (typeof data === 'object' && data !== null) refuse(data, 1);
    bytes = packr.pack(data);
  } catch (error) {
    const reason =
      error instanceof RangeError && /call stack/i.test(error.message)
        ? 'it refers to itself, or is nested too deep'
        : messageOf(error);
    throw new EncodeError(
      `The data cannot be written as MessagePack: ${reason}. Use plain data: null, booleans, numbers, strings, Dates, Buffers, arrays and objects of these.`,
      { cause: error },
    );
  }
  // Each level takes a byte at least, so short data cannot be too deep.
  if (bytes.length > MAX_DEPTH) {
    try {
      inspect(bytes, 0, bytes.length);
    } catch (error) {
      throw new EncodeError(`The data cannot be sent: ${messageOf(error)}.`, { cause: error });
    }
  }
  return bytes;
}

/**
 * Refuses what the encoder would take without a word and write wrong: a typed array of wider elements (it copies one byte
 * of each, and as many of unused memory as are missing), a promise (an empty map), a key that cannot be read back.
 */
function refuse(value: object, depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError('it refers to itself, or is nested too deep');
  if (Array.isArray(value)) {
    for (const item of value as unknown[])
      if (typeof item === 'object' && item !== null) refuse(item, depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Uint8Array || value instanceof Date) return;
    if (ArrayBuffer.isView(value))
      throw new TypeError(`send a ${value.constructor.name} as bytes (Buffer) or as an array`);
    if (value instanceof Promise) throw new TypeError('a promise cannot be sent: an await is missing');
    // Its result is what is sent; what it hides does not matter.
    if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return;
    if (value instanceof Map || value instanceof Set) {
      for (const [key, item] of value.entries() as Iterable<[unknown, unknown]>) {
        if (value instanceof Map && typeof key === 'object')
          throw new TypeError('a key of a Map must be a string or a number');
        if (typeof item === 'object' && item !== null) refuse(item, depth + 1);
      }
      return;
    }
  }
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (typeof item === 'object' && item !== null) refuse(item, depth + 1);
  }
}

/**
 * Data of MessagePack bytes. Integers beyond 2^53 come back as bigint.
 * @throws DecodeError (CMQ-003) for anything that is not exactly one MessagePack value, for extension types other than
 * timestamps, and for nesting deeper than 100.
 */
export function decodePayload(bytes: Buffer | Uint8Array, from = 0, to = bytes.length): unknown {
  inspect(bytes, from, to);
  try {
    range.start = from;
    range.end = to;
    return unpackr.unpack(bytes, range) as unknown;
  } catch (error) {
    throw new DecodeError(`Not MessagePack: ${messageOf(error)}`, { cause: error });
  }
}

/** One object for all calls: msgpackr reads it at once. */
const range = { start: 0, end: 0 };

/** What is left to walk at each outer level; one array for all calls, because none is under way twice. */
const stack: number[] = [];

/**
 * Walks the headers of one MessagePack value without building anything: every length is checked against the bytes that
 * are left, so a header that announces four billion elements costs nothing, and depth is bounded before anything recurses.
 */
function inspect(bytes: Uint8Array, from: number, end: number): void {
  const remaining = stack;
  if (remaining.length > 0) remaining.length = 0;
  let at = from;
  let left = 1;
  for (;;) {
    while (left === 0) {
      const outer = remaining.pop();
      if (outer === undefined) {
        if (at !== end) throw new DecodeError(`Not MessagePack: ${String(end - at)} bytes too many`);
        return;
      }
      left = outer;
    }
    left -= 1;
    if (at >= end) throw new DecodeError('Not MessagePack: the bytes end too early');
    const head = bytes[at++] as number;
    let children = 0;
    if (head <= 0x7f || head >= 0xe0) continue;
    if (head >= 0xa0 && head <= 0xbf) at += head & 0x1f;
    else if (head <= 0x8f) children = (head & 0x0f) * 2;
    else if (head <= 0x9f) children = head & 0x0f;
    else {
      switch (head) {
        case 0xc0:
        case 0xc2:
        case 0xc3:
          break;
        case 0xc4:
        case 0xd9:
          at += 1 + size(bytes, at, 1);
          break;
        case 0xc5:
        case 0xda:
          at += 2 + size(bytes, at, 2);
          break;
        case 0xc6:
        case 0xdb:
          at += 4 + size(bytes, at, 4);
          break;
        case 0xcc:
        case 0xd0:
          at += 1;
          break;
        case 0xcd:
        case 0xd1:
          at += 2;
          break;
        case 0xca:
        case 0xce:
        case 0xd2:
          at += 4;
          break;
        case 0xcb:
        case 0xcf:
        case 0xd3:
          at += 8;
          break;
        case 0xd6:
          at = timestamp(bytes, at, 4);
          break;
        case 0xd7:
          at = timestamp(bytes, at, 8);
          break;
        case 0xc7:
          if (size(bytes, at, 1) !== 12) throw new DecodeError('Not plain MessagePack: an extension type');
          at = timestamp(bytes, at + 1, 12);
          break;
        case 0xdc:
          children = size(bytes, at, 2);
          at += 2;
          break;
        case 0xdd:
          children = size(bytes, at, 4);
          at += 4;
          break;
        case 0xde:
          children = size(bytes, at, 2) * 2;
          at += 2;
          break;
        case 0xdf:
          children = size(bytes, at, 4) * 2;
          at += 4;
          break;
        default:
          throw new DecodeError(`Not plain MessagePack: byte 0x${head.toString(16)} at ${String(at - 1)}`);
      }
    }
    if (at > end) throw new DecodeError('Not MessagePack: the bytes end too early');
    if (children > 0) {
      if (children > end - at)
        throw new DecodeError('Not MessagePack: it announces more elements than it has bytes');
      remaining.push(left);
      if (remaining.length > MAX_DEPTH) throw new DecodeError(`nested deeper than ${String(MAX_DEPTH)}`);
      left = children;
    }
  }
}

function timestamp(bytes: Uint8Array, at: number, length: number): number {
  if (bytes[at] !== TIMESTAMP) throw new DecodeError('Not plain MessagePack: an extension type');
  return at + 1 + length;
}

function size(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) throw new DecodeError('Not MessagePack: the bytes end too early');
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}
