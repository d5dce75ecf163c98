import { AsyncResource } from 'node:async_hooks';
import { bulkLength, bulkStart } from '../../../redis/reply-cursor.js';
import { compareStreamIds } from '../../../redis/replies.js';
import type { StreamEntry } from '../../../redis/replies.js';
import type { Keep } from '../../codec/keep.js';
import { keepOfRoomHead, partsOfRoomMember } from '../../codec/room.js';
import type { WireRetry } from '../../codec/envelope.js';
import type { JobCancelledError } from '../../base/errors.js';
import type { Job } from '../../job/job.js';
import type { Outcome } from './outcome.js';
import type { RunControl } from './run-control.js';
import { FETCHED } from './states.js';
import type { State } from './states.js';

/** One entry that was delivered to this worker: the record that every step of running a job works on. */
export class Delivery {
  /** Where the entry's id stands, in ASCII. */
  readonly idSource: Buffer;
  readonly idFrom: number;
  readonly idTo: number;
  /** Where the bytes of `d` stand; `from` is -1 where the entry has none. */
  readonly source: Buffer;
  readonly from: number;
  readonly to: number;
  /** Dispatch name. */
  readonly name: string;
  /** The entry's `u`: its id was the caller's, and stays taken for so many ms. */
  readonly uniqueMs: string | undefined;
  /** How many workers have died with it. The first may only have fetched it; the others had started it. */
  readonly crashes: number;
  /** Its place in the room, if it comes from there: see lua/lib/room.lua. */
  roomHead: Buffer | undefined = undefined;
  /** Where the job is in its life: see states.ts. Only `InFlight` changes it. */
  state: State = FETCHED;
  /** Attempts used by failures, as the envelope says. */
  used = 0;
  /** This attempt, from 1. */
  attempt: number;
  maxAttempts = 0;
  retry: WireRetry | undefined = undefined;
  jobId = '';
  job: Job | undefined = undefined;
  /** What is kept of the job. */
  keep: Keep | undefined = undefined;
  /** The handler was called. */
  ran = false;
  /** Monotonic ms. */
  startedAt = 0;
  durationUs = 0;
  /** Its `active` event is out or on its way, or it has none. */
  announced = false;
  /** How the job ends here; undefined where it completes, and while nothing is decided. */
  outcome: Outcome | undefined = undefined;
  /** The job was cancelled: it does not start, and a handler that fails is not retried. */
  cancelled: JobCancelledError | undefined = undefined;
  /** What else decides about the run than its handler; undefined for most jobs. */
  control: RunControl | undefined = undefined;
  /** MessagePack of the return value, where it is stored. */
  result: Buffer | undefined = undefined;
  /** The same as JSON for the event, or ''. */
  resultJson = '';
  /** The same entry, delivered again while this delivery was in flight: it runs if this one has lost its lease. */
  again: Delivery | undefined = undefined;
  /** The position among all entries that this worker has read: see {@link gapsOf}. NaN where the entry was reclaimed. */
  place = NaN;
  /** The neighbors among the in-flight jobs: see `InFlight`. */
  previous: Delivery | undefined = undefined;
  next: Delivery | undefined = undefined;
  // Not #private: that would cost each job more than a transition does.
  private abortReason: Error | undefined = undefined;
  private abortSignal: ((reason: Error) => void) | undefined = undefined;
  private madeSignal: AbortSignal | undefined = undefined;

  constructor(
    idSource: Buffer,
    idFrom: number,
    idTo: number,
    source: Buffer,
    from: number,
    to: number,
    name: string,
    uniqueMs: string | undefined,
    crashes: number,
  ) {
    this.idSource = idSource;
    this.idFrom = idFrom;
    this.idTo = idTo;
    this.source = source;
    this.from = from;
    this.to = to;
    this.name = name;
    this.uniqueMs = uniqueMs;
    this.crashes = crashes;
    this.attempt = crashes + 1;
  }

  /** Made on demand: for most jobs only the bytes are used. */
  get entryId(): string {
    return this.idSource.toString('latin1', this.idFrom, this.idTo);
  }

  /**
   * The signal of the handler; made on demand, because most handlers never ask. Its listeners are called in the async
   * context of the caller, usually the handler.
   */
  get signal(): AbortSignal {
    if (this.madeSignal) return this.madeSignal;
    const controller = new AbortController();
    this.madeSignal = controller.signal;
    this.abortSignal = AsyncResource.bind((reason: Error) => {
      controller.abort(reason);
    });
    if (this.abortReason) this.abortSignal(this.abortReason);
    return this.madeSignal;
  }

  /** Tells the handler that its work should end, or no longer counts. The first reason stays. */
  abort(reason: Error): void {
    if (this.abortReason) return;
    this.abortReason = reason;
    this.abortSignal?.(reason);
  }

  get isTracked(): boolean {
    return this.keep?.tracked === true;
  }

  /** The bytes of `d`; undefined where the entry has none. */
  get bytes(): Buffer | undefined {
    return this.from < 0 ? undefined : this.source.subarray(this.from, this.to);
  }
}

const NONE = Buffer.alloc(0);
const D = 0x64;
const N = 0x6e;
const R = 0x72;
const U = 0x75;
const DASH = 0x2d;
const MAX_NAME_BYTES = 256;
const MAX_UNIQUE_BYTES = 20;

/** @param crashes how many workers have died with the entry */
export function toDelivery([rawId, fields]: StreamEntry, crashes: number): Delivery {
  let bytes: Buffer | undefined;
  let name = '';
  let uniqueMs: string | undefined;
  let room: Buffer | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const field = fields[i] as Buffer;
    if (field.length !== 1) continue;
    const value = fields[i + 1] as Buffer;
    if (field[0] === D) bytes = value;
    else if (field[0] === N) name = nameOf(value, 0, value.length);
    else if (field[0] === U) uniqueMs = uniqueOf(value, 0, value.length);
    else if (field[0] === R) room = value;
  }
  const source = bytes ?? NONE;
  const from = bytes ? 0 : -1;
  const delivery = new Delivery(rawId, 0, rawId.length, source, from, source.length, name, uniqueMs, crashes);
  delivery.roomHead = room;
  return delivery;
}

/** The same of an entry that stands in the bytes of a reply: see `EntryTap`. */
export function readDelivery(
  source: Buffer,
  idFrom: number,
  idTo: number,
  fields: number,
  fieldsAt: number,
): Delivery {
  let from = -1;
  let to = 0;
  let name = '';
  let uniqueMs: string | undefined;
  let at = fieldsAt;
  let room: Buffer | undefined;
  for (let i = 0; i + 1 < fields; i += 2) {
    const fieldLength = bulkLength(source, at);
    const fieldAt = bulkStart(source, at);
    at = fieldAt + fieldLength + 2;
    const length = bulkLength(source, at);
    const valueAt = bulkStart(source, at);
    at = valueAt + length + 2;
    if (fieldLength !== 1) continue;
    const field = source[fieldAt];
    if (field === D) {
      from = valueAt;
      to = valueAt + length;
    } else if (field === N) name = nameOf(source, valueAt, valueAt + length);
    else if (field === U) uniqueMs = uniqueOf(source, valueAt, valueAt + length);
    else if (field === R) room = source.subarray(valueAt, valueAt + length);
  }
  const delivery = new Delivery(source, idFrom, idTo, source, from, to, name, uniqueMs, 0);
  delivery.roomHead = room;
  return delivery;
}

/** The same of an entry that comes as its Job and its name, and has no other fields. */
export function readNamed(
  source: Buffer,
  idFrom: number,
  idTo: number,
  from: number,
  to: number,
  nameFrom: number,
  nameTo: number,
): Delivery {
  const name = nameOf(source, nameFrom, nameTo);
  return new Delivery(source, idFrom, idTo, source, from, to, name, undefined, 0);
}

/** The same of an entry that comes as the member that its job had in the room. */
export function readMember(
  source: Buffer,
  idFrom: number,
  idTo: number,
  memberFrom: number,
  memberTo: number,
): Delivery {
  const member = source.subarray(memberFrom, memberTo);
  const parts = partsOfRoomMember(member);
  // Other bytes are a Job without a name: see lua/lib/room.lua.
  if (!parts) return new Delivery(source, idFrom, idTo, source, memberFrom, memberTo, '', undefined, 0);
  const head = member.subarray(0, parts.headBytes);
  const keepMs = keepOfRoomHead(head);
  const from = memberFrom + parts.jobAt;
  const name = nameOf(source, memberFrom + parts.nameAt, from);
  const uniqueMs = keepMs >= 0 ? keepMs.toFixed() : undefined;
  const delivery = new Delivery(source, idFrom, idTo, source, from, memberTo, name, uniqueMs, 0);
  delivery.roomHead = head;
  return delivery;
}

/** Most entries in a row have the same name: its string is made once. */
let lastName = '';
let lastNameBytes = NONE;

function nameOf(source: Buffer, from: number, end: number): string {
  const to = Math.min(end, from + MAX_NAME_BYTES);
  if (!isLastName(source, from, to)) {
    lastName = source.toString('utf8', from, to);
    lastNameBytes = Buffer.from(source.subarray(from, to));
  }
  return lastName;
}

function isLastName(source: Buffer, from: number, to: number): boolean {
  if (to - from !== lastNameBytes.length) return false;
  for (let i = from; i < to; i++) if (source[i] !== lastNameBytes[i - from]) return false;
  return true;
}

function uniqueOf(source: Buffer, from: number, end: number): string | undefined {
  const text = source.toString('latin1', from, Math.min(end, from + MAX_UNIQUE_BYTES));
  return /^\d{1,15}$/.test(text) ? text : undefined;
}

/** The smallest and the largest entry id of some deliveries; at least one must be given. */
export function boundsOf(deliveries: readonly Delivery[]): [first: string, last: string] {
  let first = deliveries[0] as Delivery;
  let last = first;
  for (const delivery of deliveries) {
    if (compareIds(delivery, last) > 0) last = delivery;
    else if (compareIds(delivery, first) < 0) first = delivery;
  }
  return [first.entryId, last.entryId];
}

/** A batch may be removed as a range although so many places of its row are empty: each costs a look. */
const MAX_GAPS = 8;
const UNKNOWN = '-';

/** Gives the entries of one read their places, from `place` on; returns the place for the next read, which leaves a gap. */
export function numberPlaces(read: readonly Delivery[], place: number): number {
  for (const delivery of read) delivery.place = place++;
  return place + 1;
}

/**
 * Where the stream may have entries between those of a batch that are not the batch's own, as lua/lib/fence.lua takes it:
 * entries in a row in one read have none between them. `-` where that is not known, or would cost too much to ask.
 */
export function gapsOf(batch: readonly Delivery[]): string {
  let from = Infinity;
  let to = -Infinity;
  for (const { place } of batch) {
    if (place < from) from = place;
    if (place > to) to = place;
    if (Number.isNaN(place)) return UNKNOWN;
  }
  const width = to - from + 1;
  if (width === batch.length) return '';
  if (width > batch.length + MAX_GAPS) return UNKNOWN;
  const row: (Delivery | undefined)[] = new Array<Delivery | undefined>(width).fill(undefined);
  for (const delivery of batch) row[delivery.place - from] = delivery;
  const ends: string[] = [];
  for (let i = 1; i < width; i++) {
    const before = row[i - 1];
    if (row[i] !== undefined || before === undefined) continue;
    const after = row.find((delivery, index) => index > i && delivery !== undefined);
    if (after) ends.push(before.entryId, after.entryId);
  }
  return ends.join(' ');
}

function compareIds(a: Delivery, b: Delivery): number {
  if (!isOfOurTime(a) || !isOfOurTime(b) || a.idTo - a.idFrom !== b.idTo - b.idFrom) {
    return compareStreamIds(a.entryId, b.entryId);
  }
  for (let i = a.idFrom, j = b.idFrom; i < a.idTo; i++, j++) {
    const difference = (a.idSource[i] as number) - (b.idSource[j] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A time of 13 digits, as from 2001 to 2286: then ids of one length are in the order of their bytes. */
function isOfOurTime({ idSource, idFrom }: Delivery): boolean {
  return idSource[idFrom + 13] === DASH;
}
