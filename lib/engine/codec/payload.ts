import { Unpackr } from 'msgpackr';
import { MAX_DEPTH, encode } from './encode.js';
import { DecodeError, messageOf } from '../base/errors.js';

export { MAX_DEPTH };

/** The extension type of a MessagePack timestamp, -1. */
const TIMESTAMP = 0xff;

// Records, structures and extra types are extensions that only msgpackr reads.
const SETTINGS = {
  useRecords: false,
  mapsAsObjects: true,
  // A view would let a handler change the bytes that its retry, or its dead letter, is written from.
  copyBuffers: true,
};
// An integer of 64 bits is a number where that is exact, and a bigint where it is not. To find out for each takes msgpackr
// as long as all the rest of a small object, so `inspect` does.
const numbers = new Unpackr({ ...SETTINGS, int64AsType: 'number' });
// Known to msgpackr, missing in its types.
const bigints = new Unpackr({ ...SETTINGS, int64AsType: 'auto' as 'number' });
/** `inspect` has met an integer that no number is exact for. */
let hasBigint = false;

/**
 * MessagePack of any plain data: docs/payloads.md says what arrives as what. A key whose value is `undefined` is left out;
 * elsewhere `undefined` becomes null.
 * @param root what the data is called in errors
 * @throws EncodeError (CMQ-002) that names the place of what would not arrive as it is: a cyclic value, a function, a
 * symbol, a promise, an Error, a typed array other than Uint8Array, an invalid Date, nesting deeper than 100, …
 */
export function encodePayload(data: unknown, root = 'data'): Buffer {
  return encode(data, root).bytes;
}

/** What stands before the MessagePack of a return value, in base64, where JSON cannot say the same. */
const PACKED = 'msgpack:';

/** A return value as it is stored, and as its event tells it, if it is small and has no bigint: JSON, where that says the same. */
export function encodeResult(value: unknown, maxEventBytes: number): { stored: Buffer; told: string } {
  const { bytes, isJson, hasBigint: isUntold } = encode(value, 'returnvalue');
  if (bytes.length > maxEventBytes || isUntold) return { stored: bytes, told: '' };
  // Not of the value itself: what its getters and its toJSON say may change from one time to the next.
  const told = isJson ? JSON.stringify(decodePayload(bytes)) : PACKED + bytes.toString('base64');
  return { stored: bytes, told };
}

/** The return value that an event tells. Text that is neither is what somebody else wrote. */
export function decodeTold(text: string): unknown {
  try {
    return text.startsWith(PACKED)
      ? decodePayload(Buffer.from(text.slice(PACKED.length), 'base64'))
      : (JSON.parse(text) as unknown);
  } catch {
    return text;
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
    return (hasBigint ? bigints : numbers).unpack(bytes, range) as unknown;
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
