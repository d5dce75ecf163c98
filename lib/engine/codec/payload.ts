import { Unpackr } from 'msgpackr';
import { MAX_DEPTH, encode } from './encode.js';
import { TIMESTAMP } from './msgpack.js';
import { DecodeError, messageOf } from '../base/errors.js';

export { MAX_DEPTH };

// Records, structures and extra types are extensions that only msgpackr reads.
const SETTINGS = {
  useRecords: false,
  mapsAsObjects: true,
  // With a view, a handler could change the bytes of its own retry or dead letter.
  copyBuffers: true,
};
// An integer of 64 bits is decoded as a number if that is exact, else as a bigint. `inspect` finds out whether a value has
// such an integer: msgpackr would take as long for it as for the rest of a small object.
const numbers = new Unpackr({ ...SETTINGS, int64AsType: 'number' });
// msgpackr accepts 'auto', and its types do not have it.
const bigints = new Unpackr({ ...SETTINGS, int64AsType: 'auto' as 'number' });
/** `inspect` found an integer that a number cannot hold exactly. */
let hasBigint = false;

/**
 * Encodes plain data as MessagePack; docs/payloads.md lists how each type arrives. A key whose value is `undefined` is
 * omitted; elsewhere `undefined` becomes null.
 * @param root the name of the data in errors
 * @throws EncodeError (CMQ-002) that names the path of a value that would not arrive unchanged: a cyclic value, a function,
 * a symbol, a promise, an Error, a typed array other than Uint8Array, an invalid Date, nesting deeper than 100, …
 */
export function encodePayload(data: unknown, root = 'data'): Buffer {
  return encode(data, root).bytes;
}

/** Prefix of a return value in an event that JSON cannot represent: the rest is its MessagePack in base64. */
const PACKED = 'msgpack:';

/**
 * A return value in its two forms: `stored` for Redis, and `inEvent` for its event. An event has JSON if JSON can
 * represent the value, and '' if the value is large or has a bigint.
 */
export function encodeResult(value: unknown, maxEventBytes: number): { stored: Buffer; inEvent: string } {
  const { bytes, isJson, hasBigint: isOmitted } = encode(value, 'returnvalue');
  if (bytes.length > maxEventBytes || isOmitted) return { stored: bytes, inEvent: '' };
  // From the bytes, and not from the value: its getters and its toJSON may answer differently the second time.
  const inEvent = isJson ? JSON.stringify(decodePayload(bytes)) : PACKED + bytes.toString('base64');
  return { stored: bytes, inEvent };
}

/** The return value in an event. Text in neither form is returned as it is: another program wrote it. */
export function decodeReturnValue(text: string): unknown {
  try {
    return text.startsWith(PACKED)
      ? decodePayload(Buffer.from(text.slice(PACKED.length), 'base64'))
      : (JSON.parse(text) as unknown);
  } catch {
    return text;
  }
}

/**
 * Decodes MessagePack. Integers beyond 2^53 become bigints.
 * @throws DecodeError (CMQ-003) unless the bytes are exactly one MessagePack value; also for extension types other than
 * timestamps, and for nesting deeper than 100.
 */
export function decodePayload(bytes: Buffer | Uint8Array, from = 0, to = bytes.length): unknown {
  inspect(bytes, from, to);
  try {
    range.start = from;
    range.end = to;
    return (hasBigint ? bigints : numbers).unpack(bytes, range) as unknown;
  } catch (error) {
    throw new DecodeError(`Not MessagePack: ${messageOf(error)}`, { cause: error });
  }
}

/** One object for all calls: msgpackr reads it during the call. */
const range = { start: 0, end: 0 };

/** How many values are left at each outer level. One array for all calls: `inspect` never runs inside itself. */
const stack: number[] = [];

/**
 * Walks the headers of one MessagePack value and builds nothing. It checks every length against the bytes that are left,
 * so a header that announces four billion elements costs nothing. It bounds the depth before msgpackr recurses.
 */
function inspect(bytes: Uint8Array, from: number, end: number): void {
  const remaining = stack;
  hasBigint = false;
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
          at += 8;
          break;
        case 0xcf:
          hasBigint ||= size(bytes, at, 4) >= 0x200000;
          at += 8;
          break;
        case 0xd3: {
          const high = size(bytes, at, 4) | 0;
          hasBigint ||= high >= 0x200000 || high <= -0x200000;
          at += 8;
          break;
        }
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
