import type { StreamEntry } from '../../replies.js';

/** A job as scripts reply it: lua/lib/job-rows.lua. */
export type JobRow = WorkEntry | DelayedMember | RoomJob | DeadLetter;

/** A job of the work stream. */
export interface WorkEntry {
  readonly kind: 'entry';
  readonly entryId: string;
  /** '' if the entry has none. */
  readonly id: string;
  /** The msgpack Job; empty if the entry has none. */
  readonly bytes: Buffer;
  readonly name: string;
  /** Who has it; undefined if it waits. */
  readonly consumer: string | undefined;
  /** How many runs of it have started; 0 if it waits. */
  readonly starts: number;
}

/** A job of the delayed set. */
export interface DelayedMember {
  readonly kind: 'member';
  /** '' if the member has none. */
  readonly id: string;
  readonly member: Buffer;
  /** When it is due, in unix ms, as Redis writes it. */
  readonly score: string;
}

/** A job of the room: see lua/lib/room.lua. */
export interface RoomJob {
  readonly kind: 'room';
  /** '' if the member has none. */
  readonly id: string;
  readonly member: Buffer;
}

export interface DeadLetter {
  readonly kind: 'letter';
  readonly letter: StreamEntry;
}

/** A row as ioredis returns it. */
export type RawRow =
  | [kind: Buffer, entryId: Buffer, id: Buffer, bytes: Buffer, name: Buffer, consumer: Buffer, starts: number]
  | [kind: Buffer, id: Buffer, member: Buffer, score: Buffer]
  | [kind: Buffer, id: Buffer, member: Buffer, none: Buffer, none: Buffer]
  | [kind: Buffer, id: Buffer, fields: Buffer[]];

export function toRow(row: RawRow): JobRow {
  if (row.length === 3) return { kind: 'letter', letter: [row[1], row[2]] };
  if (row.length === 4) {
    const [, id, member, score] = row;
    return { kind: 'member', id: id.toString(), member, score: score.toString() };
  }
  if (row.length === 5) return { kind: 'room', id: row[1].toString(), member: row[2] };
  const [, entryId, id, bytes, name, consumer, starts] = row;
  return {
    kind: 'entry',
    entryId: entryId.toString(),
    id: id.toString(),
    bytes,
    name: name.toString(),
    consumer: consumer.length === 0 ? undefined : consumer.toString(),
    starts,
  };
}
