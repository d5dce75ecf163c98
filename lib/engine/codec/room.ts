// The member of a job in the room, where jobs with a priority, with lifo or in a group wait: see lua/lib/room.lua.

/** The place of a job in the room, and its bytes. */
export interface RoomMember {
  /** '' = none. */
  readonly group: string;
  /** The priority; 0 = none. */
  readonly priority: number;
  /** Before all jobs with and without a priority. */
  readonly lifo: boolean;
  /** When the job came into the room, in unix ms. */
  readonly since: number;
  readonly name: string;
  /** The msgpack Job, and its extras. */
  readonly job: Buffer;
}

/** Behind the group id: rank, number, keep. */
const PLACE_BYTES = 20;
const NUMBERS_PER_MS = 2_048;

/** The group and the time of a place in the room: the bytes that a member begins with, or the field `r` of an entry. */
export function readRoomHead(head: Buffer): Pick<RoomMember, 'group' | 'since'> | undefined {
  if (head.length < 2) return undefined;
  const at = 2 + head.readUInt16BE();
  if (head.length < at + PLACE_BYTES) return undefined;
  const number = Number(head.readBigUInt64BE(at + 4));
  const since = head.readUInt32BE(at) === 0 ? 2 ** 53 - number : number;
  return { group: head.toString('utf8', 2, at), since: Math.floor(since / NUMBERS_PER_MS) };
}

/** The bytes of the group id in a place in the room; undefined if it has no group. */
export function groupOfRoomHead(head: Buffer): Buffer | undefined {
  if (head.length < 2) return undefined;
  const length = head.readUInt16BE();
  return length > 0 && head.length === 2 + length + PLACE_BYTES ? head.subarray(2, 2 + length) : undefined;
}

/** Where the parts of a member stand. */
export interface RoomMemberParts {
  /** Its place in the room. */
  readonly headBytes: number;
  readonly nameAt: number;
  readonly jobAt: number;
}

/** Undefined for bytes that are no member of the room. */
export function partsOfRoomMember(member: Buffer): RoomMemberParts | undefined {
  if (member.length < 2) return undefined;
  const headBytes = 2 + member.readUInt16BE() + PLACE_BYTES;
  const nameAt = headBytes + 4;
  if (member.length < nameAt) return undefined;
  const jobAt = nameAt + member.readUInt32LE(headBytes);
  return member.length < jobAt ? undefined : { headBytes, nameAt, jobAt };
}

/** For how many ms the id of the job stays taken after the job; negative if the id is not the caller's. */
export function keepOfRoomHead(head: Buffer): number {
  return head.readDoubleBE(head.length - 8);
}

/** Undefined for bytes that are no member of the room. */
export function readRoomMember(member: Buffer): RoomMember | undefined {
  const parts = partsOfRoomMember(member);
  if (!parts) return undefined;
  const { headBytes, nameAt, jobAt } = parts;
  const rank = member.readUInt32BE(headBytes - PLACE_BYTES);
  return {
    group: member.toString('utf8', 2, headBytes - PLACE_BYTES),
    priority: Math.max(0, rank - 1),
    lifo: rank === 0,
    since: readRoomHead(member)?.since ?? 0,
    name: member.toString('utf8', nameAt, jobAt),
    job: member.subarray(jobAt),
  };
}
