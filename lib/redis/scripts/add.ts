import type { QueueKeys } from '../keys.js';
import type { ScriptArgument, ScriptRunner } from '../script-runner.js';
import { addColumn } from './lib/event-batch.js';
import { writeText16 } from './lib/tracked.js';
import type { EventOptions } from './lib/event-batch.js';

/** How a job meets another one that has its deduplication id: see lua/lib/deduplicate.lua. */
export interface AddedDedup {
  id: string;
  /** For how many ms the id is taken; 0 = until the end of the job. */
  ttl: number;
  extend: boolean;
  replace: boolean;
  reschedule: boolean;
  keepLastIfActive: boolean;
}

export interface AddedJob {
  id: string;
  /** Dispatch name. */
  name: string;
  /** ms from now, by Redis's clock. Absent or 0 = at once. */
  delayMs?: number | undefined;
  /** Unix ms; instead of `delayMs`. */
  runAtMs?: number | undefined;
  /** The id is the caller's: for how many ms it stays taken after the job has ended. */
  uniqueMs?: number | undefined;
  /** With `uniqueMs`: the id was made for this job, so no job can have had it. */
  isNewId?: boolean;
  /** Only with a new id. */
  dedup?: AddedDedup | undefined;
  /** Its place in the room, where it waits when it is due; undefined: it waits in the work stream. */
  room?: AddedRoom | undefined;
}

/** The place of a job in the room: see lua/lib/room.lua. */
export interface AddedRoom {
  /** 0 = before all others; 1 = no priority; else the priority plus 1. */
  rank: number;
  /** '' = none. */
  group: string;
  /** How many jobs may wait in the group; 0 = any number. */
  maxSize: number;
}

/** Jobs that are accepted or refused as a whole. */
export interface AddedGroup<T extends AddedJob> {
  readonly jobs: readonly T[];
}

/** How the msgpack Job is written. */
export interface JobWriter<T> {
  /** The most bytes that `write` needs. */
  bound(job: T): number;
  /** Writes at a position of a buffer; returns the position behind it. */
  write(to: Buffer, at: number, job: T): number;
}

export interface AddOptions<T extends AddedJob> extends EventOptions {
  /** The key of the ring of the producer's calls. */
  calls: string;
  /** The number of the call, counted by its producer. */
  sequence: number;
  /** Prolong Redis's memory of the producer's calls. */
  prolongs: boolean;
  /** Capacity of the work stream; 0 = unlimited. */
  maxStreamLen: number;
  groups: readonly AddedGroup<T>[];
  writer: JobWriter<T>;
  onSettled?: () => void;
}

export interface AddReply {
  /** The length of the work stream. */
  readonly length: number;
  /** Groups that were refused, by their index from 0: the stream is full, or the group of a job is. */
  readonly refused: readonly number[];
  /** Jobs whose id was taken, by their index from 0 over all groups. */
  readonly duplicates: readonly number[];
  /** The jobs that have the deduplication ids of the duplicates; '' or undefined for one whose own id was taken. */
  readonly holders: readonly string[];
  /** Of groups that were refused because the group of a job is full. */
  readonly full: readonly FullGroup[];
}

/** Why a group of a call was refused. */
export interface FullGroup {
  /** The group of the call, from 0. */
  readonly index: number;
  /** The first job that does not fit, from 0 over all groups. */
  readonly job: number;
  /** How many jobs wait in the group of that job. */
  readonly waiting: number;
}

/** Adds jobs to the work stream or the delayed set. */
export async function add<T extends AddedJob>(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: AddOptions<T>,
): Promise<AddReply> {
  const { calls, sequence, prolongs, maxStreamLen, eventsCap, eventsBatchFrom, groups, onSettled } = options;
  const { sizes, parts, names, anyDelayed, anyRoom, anyDedup } = pack(groups, options.writer);
  const batch = eventsCap > 0 && eventsBatchFrom > 0 ? eventBatchOf(groups, eventsBatchFrom) : NO_BATCH;
  let flags = anyDelayed || anyDedup ? 'd' : '';
  if (prolongs) flags += 't';
  if (batch.length > 0) flags += 'b';
  if (anyRoom) flags += 'p';
  if (anyDedup) flags += 'k';
  const args = [sequence, maxStreamLen, eventsCap, flags, sizes, parts.length, ...parts, ...batch, ...names];
  const reply = (await runner.run('add', keys, args, { calls, onSettled })) as Reply;
  if (typeof reply === 'number') return { ...NOTHING_LEFT_OUT, length: reply };
  const [length, refused, duplicates, , full, holders] = reply;
  return { length, refused, duplicates, holders, full: fullGroups(full) };
}

export function isImmediate(job: AddedJob): boolean {
  return !job.delayMs && job.runAtMs === undefined;
}

type Reply =
  | number
  | [length: number, refused: number[], duplicates: number[], due: string, full: number[], holders: string[]];

const NOTHING_LEFT_OUT: Omit<AddReply, 'length'> = { refused: [], duplicates: [], holders: [], full: [] };

function fullGroups(numbers: readonly number[]): readonly FullGroup[] {
  const groups: FullGroup[] = [];
  for (let i = 0; i < numbers.length; i += 3) {
    const [index = 0, job = 0, waiting = 0] = numbers.slice(i);
    groups.push({ index, job, waiting });
  }
  return groups;
}
const NO_BATCH: readonly ScriptArgument[] = [];

/** The events of all jobs as one entry; empty where each has its own. */
function eventBatchOf(groups: readonly AddedGroup<AddedJob>[], from: number): readonly ScriptArgument[] {
  const jobs =
    groups.length === 1 ? (groups[0] as AddedGroup<AddedJob>).jobs : groups.flatMap((group) => group.jobs);
  const [first] = jobs;
  if (!first || jobs.length < from) return NO_BATCH;
  const delayed = !isImmediate(first);
  // Only Redis knows how long it is until a job with a due time is due.
  if (!jobs.every((job) => isImmediate(job) !== delayed && job.runAtMs === undefined)) return NO_BATCH;
  const columns: ScriptArgument[] = [];
  addColumn(columns, 'ids', jobs, ({ id }) => id);
  addColumn(columns, 'names', jobs, ({ name }) => name);
  if (delayed) addColumn(columns, 'delays_ms', jobs, ({ delayMs = 0 }) => delayMs);
  return [delayed ? 'delayed' : 'waiting', columns.length, ...columns];
}

/** Most bytes of an argument that holds more than one job: a server's `proto-max-bulk-len` may be 1 MB. */
const MAX_PART_BYTES = 256 * 1024;

const FLAG_DELAYED = 1;
const FLAG_ABSOLUTE = 2;
const FLAG_UNIQUE = 4;
const FLAG_NEW_ID = 8;
const FLAG_DEDUP = 16;
const FLAG_ROOM = 32;

interface Packed {
  sizes: Buffer;
  parts: Buffer[];
  names: string[];
  anyDelayed: boolean;
  anyDedup: boolean;
  anyRoom: boolean;
}

/** One frame per job: see lua/add.lua. */
function pack<T extends AddedJob>(groups: readonly AddedGroup<T>[], writer: JobWriter<T>): Packed {
  const sizes = Buffer.allocUnsafe(groups.length * 4);
  let left = 0;
  groups.forEach((group, index) => {
    sizes.writeUInt32BE(group.jobs.length, index * 4);
    for (const job of group.jobs) left += boundOf(job, writer);
  });
  const parts: Buffer[] = [];
  const names: string[] = [];
  const indices = new Map<string, number>();
  let anyDelayed = false;
  let anyDedup = false;
  let anyRoom = false;
  let part = Buffer.allocUnsafe(Math.min(left, MAX_PART_BYTES));
  let at = 0;
  for (const group of groups) {
    for (const job of group.jobs) {
      let name = indices.get(job.name);
      if (name === undefined) {
        name = names.push(job.name) - 1;
        indices.set(job.name, name);
      }
      anyDelayed ||= !isImmediate(job);
      anyDedup ||= job.dedup !== undefined;
      anyRoom ||= job.room !== undefined;
      const bound = boundOf(job, writer);
      if (at + bound > part.length) {
        if (at > 0) parts.push(part.subarray(0, at));
        part = Buffer.allocUnsafe(Math.max(bound, Math.min(left, MAX_PART_BYTES)));
        at = 0;
      }
      at = writeFrame(part, at, job, name, writer);
      left -= bound;
    }
  }
  parts.push(part.subarray(0, at));
  return { sizes, parts, names, anyDelayed, anyRoom, anyDedup };
}

/** Head and tail of a frame, without the Job. */
const FRAME_BYTES = 23;
/** The same of the room, and of a deduplication id. */
const ROOM_BYTES = 10;
const DEDUP_BYTES = 11;

function boundOf<T extends AddedJob>(job: T, writer: JobWriter<T>): number {
  const room = job.room ? ROOM_BYTES + job.room.group.length * 3 : 0;
  const dedup = job.dedup ? DEDUP_BYTES + job.dedup.id.length * 3 : 0;
  return FRAME_BYTES + room + dedup + writer.bound(job);
}

function writeFrame<T extends AddedJob>(
  to: Buffer,
  at: number,
  job: T,
  name: number,
  writer: JobWriter<T>,
): number {
  const immediate = isImmediate(job);
  let flags = 0;
  if (!immediate) flags |= FLAG_DELAYED;
  if (job.runAtMs !== undefined) flags |= FLAG_ABSOLUTE;
  if (job.uniqueMs !== undefined) flags |= job.isNewId ? FLAG_UNIQUE | FLAG_NEW_ID : FLAG_UNIQUE;
  if (immediate && job.room) flags |= FLAG_ROOM;
  const body = at + 7;
  if (job.dedup !== undefined) flags |= FLAG_DEDUP;
  let end = writer.write(to, body, job);
  to[at] = flags;
  to.writeUInt16BE(name, at + 1);
  to.writeUInt32BE(end - body, at + 3);
  if (!immediate) end = to.writeDoubleBE(job.runAtMs ?? job.delayMs ?? 0, end);
  if (job.uniqueMs !== undefined) end = to.writeDoubleBE(job.uniqueMs, end);
  if (job.dedup) end = writeDedup(to, end, job.dedup);
  return immediate && job.room ? writeRoom(to, end, job.room) : end;
}

function writeDedup(to: Buffer, at: number, dedup: AddedDedup): number {
  const { extend, replace, reschedule, keepLastIfActive, ttl, id } = dedup;
  at = to.writeUInt8(
    (extend ? 1 : 0) | (replace ? 2 : 0) | (reschedule ? 4 : 0) | (keepLastIfActive ? 8 : 0),
    at,
  );
  return writeText16(to, to.writeDoubleBE(ttl, at), id);
}

function writeRoom(to: Buffer, at: number, { rank, group, maxSize }: AddedRoom): number {
  const length = to.write(group, at + 2);
  at = to.writeUInt16BE(length, at) + length;
  at = to.writeUInt32BE(rank, at);
  return to.writeUInt32BE(maxSize, at);
}
