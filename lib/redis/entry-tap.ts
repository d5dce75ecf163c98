import type { Socket } from 'node:net';
import type { StreamEntry } from './replies.js';

/** What one blocking read has brought. */
export interface TappedRead<Work> {
  work: Work[];
  /** Entries of the other streams, by key. */
  others: [key: string, entries: StreamEntry[]][];
}

/**
 * Makes an entry of the work stream from the bytes of a reply.
 * @param fieldsAt where the first of `fields` bulk strings starts; all of them are there
 */
export type MakeEntry<Work> = (
  source: Buffer,
  idFrom: number,
  idTo: number,
  fields: number,
  fieldsAt: number,
) => Work;

const NIL = Buffer.from('*-1\r\n');
const NULL = Buffer.from('_\r\n');
const ARRAY = 0x2a;
const MAP = 0x25;
const BULK = 0x24;
const MINUS = 0x2d;
const CR = 0x0d;

/**
 * Takes the replies of XREADGROUP off a connection before ioredis decodes them, and lets it see an empty reply in their
 * place. ioredis makes five Buffers and three arrays of each entry, through a decoder that keeps its state in WeakMaps:
 * a quarter of all that a worker did for a job whose handler is short. Here an entry is a few offsets into the bytes that
 * the socket has brought.
 *
 * It stands between the socket and ioredis's one listener of `data`. Where that is not what it finds, there is no tap,
 * and replies are decoded as ever; they are too while it is not armed: for the handshake, and for a command that ioredis
 * sends again on a new connection.
 */
export class EntryTap<Work> {
  readonly #workKey: string;
  readonly #make: MakeEntry<Work>;
  readonly #socket: Socket;
  readonly #decode: (chunk: Buffer) => void;
  #state: 'passing' | 'armed' | 'reading' = 'passing';
  /** Bytes of an entry that is not whole yet, and how many it takes at least. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #needed = 0;
  #streamsLeft = 0;
  #entriesLeft = 0;
  #key: string | undefined;
  #others: StreamEntry[] | undefined;
  #read: TappedRead<Work> = { work: [], others: [] };
  #taken: TappedRead<Work> | undefined;

  private constructor(
    socket: Socket,
    decode: (chunk: Buffer) => void,
    workKey: string,
    make: MakeEntry<Work>,
  ) {
    this.#socket = socket;
    this.#decode = decode;
    this.#workKey = workKey;
    this.#make = make;
  }

  /** Undefined where the socket is not listened to as expected. */
  static on<Work>(
    socket: Socket | undefined,
    workKey: string,
    make: MakeEntry<Work>,
  ): EntryTap<Work> | undefined {
    const listeners = socket?.listeners('data') ?? [];
    if (!socket || listeners.length !== 1) return undefined;
    const decode = listeners[0] as (chunk: Buffer) => void;
    const tap = new EntryTap(socket, decode, workKey, make);
    socket.on('data', tap.#onData);
    socket.off('data', decode);
    return tap;
  }

  /** The next bytes are the reply to XREADGROUP: nothing else is under way, and it is being sent now. */
  arm(): void {
    this.#state = 'armed';
    this.#taken = undefined;
    this.#rest = [];
  }

  /** What was read since `arm()`; undefined where ioredis was given the reply. */
  take(): TappedRead<Work> | undefined {
    const taken = this.#taken;
    this.#taken = undefined;
    this.#state = 'passing';
    return taken;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#state === 'armed') {
      if (this.#rest.length > 0) chunk = Buffer.concat([...this.#rest, chunk]);
      this.#rest = [];
      if (isCutEmptyReply(chunk)) {
        this.#rest = [chunk];
        return;
      }
      // A timeout (nil), an error, or the answer to something else.
      const isReply = (chunk[0] === ARRAY && chunk[1] !== MINUS) || chunk[0] === MAP;
      this.#state = isReply ? 'reading' : 'passing';
      if (isReply) this.#begin();
    }
    if (this.#state === 'passing') {
      this.#decode(chunk);
      return;
    }
    this.#rest.push(chunk);
    this.#restBytes += chunk.length;
    if (this.#restBytes < this.#needed) return;
    const bytes = this.#rest.length === 1 ? chunk : Buffer.concat(this.#rest, this.#restBytes);
    try {
      this.#parse(bytes);
    } catch (error) {
      // The place in the reply is lost, so the connection is of no use any more. What was delivered is found again.
      this.#state = 'passing';
      this.#socket.destroy(error as Error);
    }
  };

  #begin(): void {
    this.#rest = [];
    this.#restBytes = 0;
    this.#needed = 0;
    this.#streamsLeft = -1;
    this.#entriesLeft = 0;
    this.#key = undefined;
    this.#others = undefined;
    this.#read = { work: [], others: [] };
  }

  /** Goes on from where it stopped, entry by entry. */
  #parse(bytes: Buffer): void {
    const reply = new Reply(bytes);
    let done = 0;
    while (this.#streamsLeft !== 0) {
      if (!this.#step(reply)) {
        this.#keep(bytes, done, reply.needed);
        return;
      }
      done = reply.at;
    }
    this.#state = 'passing';
    this.#taken = this.#read;
    this.#rest = [];
    this.#decode(NIL);
    if (done < bytes.length) this.#decode(bytes.subarray(done));
  }

  /** Reads one head or one entry; false where its end is not there yet. */
  #step(reply: Reply): boolean {
    if (this.#streamsLeft < 0) {
      const streams = reply.head(ARRAY, MAP);
      if (streams < 0) return false;
      this.#streamsLeft = streams;
      return true;
    }
    if (this.#key === undefined) {
      // RESP2 has a pair for each stream, RESP3 a map.
      if (reply.peek() === ARRAY && reply.head(ARRAY, ARRAY) < 0) return false;
      const end = reply.bulk();
      if (end < 0) return false;
      const key = reply.bytes.toString('utf8', reply.from, end);
      const entries = reply.head(ARRAY, ARRAY);
      if (entries < 0) return false;
      this.#key = key;
      this.#entriesLeft = entries;
      if (key !== this.#workKey) {
        this.#others = [];
        this.#read.others.push([key, this.#others]);
      }
    } else {
      if (!this.#entry(reply)) return false;
      this.#entriesLeft -= 1;
    }
    if (this.#entriesLeft === 0) {
      this.#key = undefined;
      this.#others = undefined;
      this.#streamsLeft -= 1;
    }
    return true;
  }

  #entry(reply: Reply): boolean {
    const { bytes } = reply;
    if (reply.head(ARRAY, ARRAY) < 0) return false;
    const idTo = reply.bulk();
    if (idTo < 0) return false;
    const idFrom = reply.from;
    const fields = reply.head(ARRAY, ARRAY);
    if (fields < 0) return false;
    const fieldsAt = reply.at;
    const values: Buffer[] | undefined = this.#others ? [] : undefined;
    for (let i = 0; i < fields; i++) {
      const to = reply.bulk();
      if (to < 0) return false;
      values?.push(bytes.subarray(reply.from, to));
    }
    if (values) this.#others?.push([bytes.subarray(idFrom, idTo), values]);
    else this.#read.work.push(this.#make(bytes, idFrom, idTo, fields, fieldsAt));
    return true;
  }

  #keep(bytes: Buffer, from: number, needed: number): void {
    this.#rest = [bytes.subarray(from)];
    this.#restBytes = bytes.length - from;
    this.#needed = needed - from;
  }
}

/**
 * Whether these bytes may be the start of an empty reply (`*-1`, `_`) and are not all of it. An empty reply begins like
 * entries do, and ioredis 6.0 takes one that comes in pieces for something else, so it is given it whole.
 */
function isCutEmptyReply(bytes: Buffer): boolean {
  const whole = bytes[0] === ARRAY ? NIL : bytes[0] === NULL[0] ? NULL : undefined;
  if (!whole || bytes.length >= whole.length) return false;
  return whole.subarray(0, bytes.length).equals(bytes);
}

/** A read position in a reply. Every method gives -1 where the bytes end too early. */
class Reply {
  at = 0;
  /** Where the last bulk string starts. */
  from = 0;
  /** How many bytes there must be before going on makes sense. */
  needed = 0;

  constructor(readonly bytes: Buffer) {}

  peek(): number | undefined {
    return this.bytes[this.at];
  }

  /** The number behind one of two types. */
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

  /** Where a bulk string ends; it starts at `from`. */
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
    super(`Redis answered a blocking read with something else than entries (byte 0x${byte.toString(16)}).`);
  }
}

/** Where the bulk string at `at` starts: behind its length. For bytes that were walked already. */
export function bulkStart(bytes: Buffer, at: number): number {
  while (bytes[at] !== CR) at += 1;
  return at + 2;
}

/** The length of the bulk string at `at`. For bytes that were walked already. */
export function bulkLength(bytes: Buffer, at: number): number {
  let length = 0;
  for (let byte = bytes[++at] as number; byte !== CR; byte = bytes[++at] as number) {
    length = length * 10 + byte - 0x30;
  }
  return length;
}
