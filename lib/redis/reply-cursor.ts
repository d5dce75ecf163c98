const BULK = 0x24;
const CR = 0x0d;

/**
 * A read position in the bytes of a reply. A method returns -1 if the bytes end before what it reads; `needed` then says how
 * many bytes there must be before another attempt makes sense.
 */
export class ReplyCursor {
  at = 0;
  /** Where the last bulk string starts. */
  from = 0;
  needed = 0;

  constructor(readonly bytes: Buffer) {}

  /** The type of what comes next. */
  peek(): number | undefined {
    return this.bytes[this.at];
  }

  /** Reads the number behind one of two types. */
  head(type: number, other: number): number {
    const { bytes } = this;
    let at = this.at;
    const first = bytes[at++];
    if (first === undefined) return this.#more(at);
    if (first !== type && first !== other) throw new ProtocolError(first);
    let value = 0;
    for (let byte = bytes[at]; byte !== CR; byte = bytes[++at]) {
      if (byte === undefined) return this.#more(at + 2);
      if (byte < 0x30 || byte > 0x39) throw new ProtocolError(byte);
      value = value * 10 + byte - 0x30;
    }
    if (at + 2 > bytes.length) return this.#more(at + 2);
    this.at = at + 2;
    return value;
  }

  /** Reads a bulk string, which starts at `from`; returns where it ends. */
  bulk(): number {
    const length = this.head(BULK, BULK);
    if (length < 0) return -1;
    const from = this.at;
    const end = from + length;
    if (end + 2 > this.bytes.length) return this.#more(end + 2);
    this.from = from;
    this.at = end + 2;
    return end;
  }

  #more(needed: number): -1 {
    this.needed = needed;
    return -1;
  }
}

class ProtocolError extends Error {
  constructor(byte: number) {
    super(
      `The reply of Redis to a blocking read contains something other than entries (byte 0x${byte.toString(16)}).`,
    );
  }
}

/** Where the bulk string at `at` starts: behind its length. Only for bytes that a cursor has read. */
export function bulkStart(bytes: Buffer, at: number): number {
  while (bytes[at] !== CR) at += 1;
  return at + 2;
}

/** The length of the bulk string at `at`. Only for bytes that a cursor has read. */
export function bulkLength(bytes: Buffer, at: number): number {
  let length = 0;
  for (let byte = bytes[++at] as number; byte !== CR; byte = bytes[++at] as number) {
    length = length * 10 + byte - 0x30;
  }
  return length;
}
