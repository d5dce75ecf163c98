import type { Socket } from 'node:net';
import type { StreamEntry } from './replies.js';
import { ReplyCursor } from './reply-cursor.js';

/** The entries of one blocking read. */
export interface TappedRead<Work> {
  work: Work[];
  /** Where a further part of the work begins, which need not stand next to the one before: indices in `work`. */
  parts: number[];
  /** Entries of the other streams, by key. */
  others: [key: string, entries: StreamEntry[]][];
}

/**
 * Makes the record of an entry of the work stream from the bytes of a reply.
 * @param fields how many bulk strings the fields are; all of them have arrived
 * @param fieldsAt where the first of them starts
 */
export type MakeEntry<Work> = (
  source: Buffer,
  idFrom: number,
  idTo: number,
  fields: number,
  fieldsAt: number,
) => Work;

/** Entries that come as strings instead of their fields. */
export interface EntriesAsStrings<Work> {
  /** How many strings an entry is: its id, and one or two others. */
  readonly strings: 2 | 3;
  /** Makes the record of an entry. All its strings have arrived; `from` to `to` is the second, `lastFrom` to `lastTo` the last. */
  readonly make: (
    source: Buffer,
    idFrom: number,
    idTo: number,
    from: number,
    to: number,
    lastFrom: number,
    lastTo: number,
  ) => Work;
}

/** What a reply has of the work stream. */
export interface WorkOfReply<Work> {
  /** The stream. */
  readonly key: string;
  readonly make: MakeEntry<Work>;
  /** By the keys under which they come. */
  readonly asStrings: ReadonlyMap<string, EntriesAsStrings<Work>>;
}

const NIL = Buffer.from('*-1\r\n');
const NULL = Buffer.from('_\r\n');
const ARRAY = 0x2a;
const MAP = 0x25;
const MINUS = 0x2d;
const ONE = 0x31;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Reads the replies to XREADGROUP from the socket before ioredis decodes them, and passes ioredis an empty reply instead.
 * ioredis makes five Buffers and three arrays of each entry: a quarter of what a worker did for a job whose handler is short.
 * Here an entry is a few offsets into the bytes of the socket.
 *
 * The tap stands between the socket and ioredis's only listener of `data`. If there is not exactly one listener, there is no
 * tap, and ioredis decodes the replies. It also decodes whatever arrives while the tap is not armed: the handshake, and the
 * reply to a command that it sends again on a new connection.
 */
export class EntryTap<Work> {
  readonly #of: WorkOfReply<Work>;
  readonly #socket: Socket;
  readonly #decode: (chunk: Buffer) => void;
  #state: 'passing' | 'armed' | 'reading' = 'passing';
  /** Bytes of an entry that has not arrived as a whole, and how many bytes it needs at least. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #needed = 0;
  #streamsLeft = 0;
  #entriesLeft = 0;
  #key: string | undefined;
  #asStrings: EntriesAsStrings<Work> | undefined;
  #others: StreamEntry[] | undefined;
  #read: TappedRead<Work> = { work: [], parts: [], others: [] };
  #finished: TappedRead<Work> | undefined;

  private constructor(socket: Socket, decode: (chunk: Buffer) => void, of: WorkOfReply<Work>) {
    this.#socket = socket;
    this.#decode = decode;
    this.#of = of;
  }

  /** Undefined if the socket does not have exactly one listener of `data`. */
  static on<Work>(socket: Socket | undefined, of: WorkOfReply<Work>): EntryTap<Work> | undefined {
    const listeners = socket?.listeners('data') ?? [];
    if (!socket || listeners.length !== 1) return undefined;
    const decode = listeners[0] as (chunk: Buffer) => void;
    const tap = new EntryTap(socket, decode, of);
    socket.on('data', tap.#onData);
    socket.off('data', decode);
    return tap;
  }

  /**
   * Call this when XREADGROUP is sent and no other call is under way. The next bytes are its reply, or the last ones of the
   * reply before: of as few as there are, see {@link lastOfReplyBefore}.
   */
  arm(): void {
    this.#state = 'armed';
    this.#finished = undefined;
    this.#rest = [];
  }

  /** The read that was armed last; undefined if ioredis has decoded the reply. */
  finish(): TappedRead<Work> | undefined {
    const finished = this.#finished;
    this.#finished = undefined;
    this.#state = 'passing';
    return finished;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#state === 'armed') {
      if (this.#rest.length === 0) {
        const owed = lastOfReplyBefore(chunk);
        if (owed > 0) {
          this.#decode(chunk.subarray(0, owed));
          if (owed === chunk.length) return;
          chunk = chunk.subarray(owed);
        }
      } else chunk = Buffer.concat([...this.#rest, chunk]);
      this.#rest = [];
      if (isCutEmptyReply(chunk)) {
        this.#rest = [chunk];
        return;
      }
      // Otherwise: a timeout (nil), an error, or the reply to another command.
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
      // The position in the reply is lost, so the connection cannot be used any more. The heartbeat finds the delivered entries.
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
    this.#read = { work: [], parts: [], others: [] };
  }

  /** Continues where the last chunk ended, entry by entry. */
  #parse(bytes: Buffer): void {
    const reply = new ReplyCursor(bytes);
    let done = 0;
    while (this.#streamsLeft !== 0) {
      if (!this.#step(reply)) {
        this.#keep(bytes, done, reply.needed);
        return;
      }
      done = reply.at;
    }
    this.#state = 'passing';
    this.#finished = this.#read;
    this.#rest = [];
    this.#decode(NIL);
    if (done < bytes.length) this.#decode(bytes.subarray(done));
  }

  /** Reads one header or one entry; false if its end has not arrived. */
  #step(reply: ReplyCursor): boolean {
    if (this.#streamsLeft < 0) {
      const streams = reply.head(ARRAY, MAP);
      if (streams < 0) return false;
      this.#streamsLeft = streams;
      return true;
    }
    if (this.#key === undefined) {
      // A stream is a pair in RESP2, and an element of a map in RESP3.
      if (reply.peek() === ARRAY && reply.head(ARRAY, ARRAY) < 0) return false;
      const end = reply.bulk();
      if (end < 0) return false;
      const key = reply.bytes.toString('utf8', reply.from, end);
      const entries = reply.head(ARRAY, ARRAY);
      if (entries < 0) return false;
      this.#key = key;
      this.#asStrings = this.#of.asStrings.get(key);
      this.#entriesLeft = this.#asStrings ? entries / this.#asStrings.strings : entries;
      if (key !== this.#of.key && !this.#asStrings) {
        this.#others = [];
        this.#read.others.push([key, this.#others]);
      } else if (this.#read.work.length > 0) this.#read.parts.push(this.#read.work.length);
    } else {
      if (!(this.#asStrings ? this.#strings(reply, this.#asStrings) : this.#entry(reply))) return false;
      this.#entriesLeft -= 1;
    }
    if (this.#entriesLeft === 0) {
      this.#key = undefined;
      this.#others = undefined;
      this.#streamsLeft -= 1;
    }
    return true;
  }

  #entry(reply: ReplyCursor): boolean {
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
    else this.#read.work.push(this.#of.make(bytes, idFrom, idTo, fields, fieldsAt));
    return true;
  }

  #strings(reply: ReplyCursor, { strings, make }: EntriesAsStrings<Work>): boolean {
    const idTo = reply.bulk();
    if (idTo < 0) return false;
    const idFrom = reply.from;
    const to = reply.bulk();
    if (to < 0) return false;
    const from = reply.from;
    const lastTo = strings === 2 ? to : reply.bulk();
    if (lastTo < 0) return false;
    this.#read.work.push(make(reply.bytes, idFrom, idTo, from, to, reply.from, lastTo));
    return true;
  }

  #keep(bytes: Buffer, from: number, needed: number): void {
    this.#rest = [bytes.subarray(from)];
    this.#restBytes = bytes.length - from;
    this.#needed = needed - from;
  }
}

/**
 * How many bytes are the end of the reply before. ioredis 6.0 ends a call before the last bytes of its reply are here: a
 * null at `*-`, anything else at its last CR. So the next read may be armed before `1\r\n` or `\n` comes. No reply starts
 * with these bytes.
 */
function lastOfReplyBefore(bytes: Buffer): number {
  let at = 0;
  for (let byte = bytes[0]; byte === ONE || byte === CR || byte === LF; byte = bytes[at]) at += 1;
  return at;
}

/**
 * Whether these bytes may be the start of an empty reply (`*-1`, `_`) that has not arrived as a whole. An empty reply starts
 * like entries do. The tap passes it on as a whole, so that ioredis does not end the call before all of it is here.
 */
function isCutEmptyReply(bytes: Buffer): boolean {
  const whole = bytes[0] === ARRAY ? NIL : bytes[0] === NULL[0] ? NULL : undefined;
  if (!whole || bytes.length >= whole.length) return false;
  return whole.subarray(0, bytes.length).equals(bytes);
}
