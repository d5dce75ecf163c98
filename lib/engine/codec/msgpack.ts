// Writers of MessagePack values. Each writes at `at`, without checking for room, and returns the position behind it.

/** The extension type of a MessagePack timestamp, -1. */
export const TIMESTAMP = 0xff;

/** Most bytes that a header, a number or a timestamp takes. */
export const MAX_SCALAR_BYTES = 15;

/** Most bytes of a string with `length` characters, header included. */
export function stringBound(length: number): number {
  return 5 + length * 3;
}

/** Strings up to this length are written here. For longer ones the call into C++ is faster. */
const SHORT = 48;

export function writeNil(to: Buffer, at: number): number {
  to[at] = 0xc0;
  return at + 1;
}

export function writeBoolean(to: Buffer, at: number, value: boolean): number {
  to[at] = value ? 0xc3 : 0xc2;
  return at + 1;
}

/** A number: a safe integer in its shortest form, anything else (also -0) as a double. */
export function writeNumber(to: Buffer, at: number, value: number): number {
  if (!Number.isSafeInteger(value) || (value === 0 && 1 / value < 0)) return writeDouble(to, at, value);
  return value >= 0 ? writeUint(to, at, value) : writeNegative(to, at, value);
}

export function writeDouble(to: Buffer, at: number, value: number): number {
  to[at] = 0xcb;
  return to.writeDoubleBE(value, at + 1);
}

export function writeUint(to: Buffer, at: number, value: number): number {
  if (value < 0x80) {
    to[at] = value;
    return at + 1;
  }
  if (value < 0x100) {
    to[at] = 0xcc;
    to[at + 1] = value;
    return at + 2;
  }
  if (value < 0x10000) {
    to[at] = 0xcd;
    to[at + 1] = value >>> 8;
    to[at + 2] = value;
    return at + 3;
  }
  if (value <= 0xffffffff) {
    to[at] = 0xce;
    return to.writeUInt32BE(value, at + 1);
  }
  return writeUint64(to, at, value);
}

/** Always in its longest form. */
export function writeUint64(to: Buffer, at: number, value: number): number {
  to[at] = 0xcf;
  return writeInt64(to, at + 1, value);
}

function writeNegative(to: Buffer, at: number, value: number): number {
  if (value >= -32) {
    to[at] = value + 0x100;
    return at + 1;
  }
  if (value >= -0x80) {
    to[at] = 0xd0;
    to[at + 1] = value + 0x100;
    return at + 2;
  }
  if (value >= -0x8000) {
    to[at] = 0xd1;
    return to.writeInt16BE(value, at + 1);
  }
  if (value >= -0x80000000) {
    to[at] = 0xd2;
    return to.writeInt32BE(value, at + 1);
  }
  to[at] = 0xd3;
  return writeInt64(to, at + 1, value);
}

/** The eight bytes of a safe integer, without a header. */
function writeInt64(to: Buffer, at: number, value: number): number {
  const high = Math.floor(value / 2 ** 32);
  to.writeUInt32BE(high >>> 0, at);
  return to.writeUInt32BE(value - high * 2 ** 32, at + 4);
}

/** A bigint of at most 64 bits. */
export function writeBigint(to: Buffer, at: number, value: bigint): number {
  to[at] = value >= 0n ? 0xcf : 0xd3;
  return value >= 0n ? to.writeBigUInt64BE(value, at + 1) : to.writeBigInt64BE(value, at + 1);
}

/** Needs {@link stringBound} bytes. */
export function writeString(to: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length < SHORT) {
    // Most strings are ASCII, with one byte for each character.
    let end = length < 32 ? at + 1 : at + 2;
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      to[end++] = code;
    }
    if (i === length) {
      writeStringHeader(to, at, length);
      return end;
    }
  }
  // The bytes come first, behind the header that ASCII text of this length has. A longer header moves them.
  const guess = stringHeaderBytes(length);
  const size = to.write(text, at + guess);
  const header = stringHeaderBytes(size);
  if (header !== guess) to.copyWithin(at + header, at + guess, at + guess + size);
  writeStringHeader(to, at, size);
  return at + header + size;
}

function stringHeaderBytes(size: number): number {
  return size < 32 ? 1 : size < 0x100 ? 2 : size < 0x10000 ? 3 : 5;
}

function writeStringHeader(to: Buffer, at: number, size: number): void {
  if (size < 32) to[at] = 0xa0 | size;
  else if (size < 0x100) {
    to[at] = 0xd9;
    to[at + 1] = size;
  } else if (size < 0x10000) {
    to[at] = 0xda;
    to.writeUInt16BE(size, at + 1);
  } else {
    to[at] = 0xdb;
    to.writeUInt32BE(size, at + 1);
  }
}

export function writeBinary(to: Buffer, at: number, bytes: Uint8Array): number {
  const { length } = bytes;
  if (length < 0x100) {
    to[at++] = 0xc4;
    to[at++] = length;
  } else if (length < 0x10000) {
    to[at] = 0xc5;
    at = to.writeUInt16BE(length, at + 1);
  } else {
    to[at] = 0xc6;
    at = to.writeUInt32BE(length, at + 1);
  }
  to.set(bytes, at);
  return at + length;
}

export function writeArrayHeader(to: Buffer, at: number, length: number): number {
  return writeHeader(to, at, length, 0x90, 0xdc);
}

export function writeMapHeader(to: Buffer, at: number, length: number): number {
  return writeHeader(to, at, length, 0x80, 0xde);
}

/** `short`: the first byte up to 15 elements; `long`: the first byte of a header with a length of 16 bits. */
function writeHeader(to: Buffer, at: number, length: number, short: number, long: number): number {
  if (length < 16) {
    to[at] = short | length;
    return at + 1;
  }
  if (length < 0x10000) {
    to[at] = long;
    return to.writeUInt16BE(length, at + 1);
  }
  to[at] = long + 1;
  return to.writeUInt32BE(length, at + 1);
}

/** Gives the header of a map another length. The header keeps its width, which MessagePack allows. */
export function patchMapHeader(to: Buffer, at: number, width: number, length: number): void {
  if (width === 1) to[at] = 0x80 | length;
  else if (width === 3) to.writeUInt16BE(length, at + 1);
  else to.writeUInt32BE(length, at + 1);
}

/** The timestamp extension, for a time in whole unix ms. */
export function writeTimestamp(to: Buffer, at: number, ms: number): number {
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = (ms - seconds * 1000) * 1_000_000;
  if (nanoseconds === 0 && seconds >= 0 && seconds < 2 ** 32) {
    to[at] = 0xd6;
    to[at + 1] = TIMESTAMP;
    return to.writeUInt32BE(seconds, at + 2);
  }
  if (seconds >= 0 && seconds < 2 ** 34) {
    to[at] = 0xd7;
    to[at + 1] = TIMESTAMP;
    at = to.writeUInt32BE(nanoseconds * 4 + Math.floor(seconds / 2 ** 32), at + 2);
    return to.writeUInt32BE(seconds % 2 ** 32, at);
  }
  to[at] = 0xc7;
  to[at + 1] = 12;
  to[at + 2] = TIMESTAMP;
  at = to.writeUInt32BE(nanoseconds, at + 3);
  return writeInt64(to, at, seconds);
}
