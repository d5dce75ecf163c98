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

/** Undefined for bytes that are no member of the room. */
export function readRoomMember(member: Buffer): RoomMember | undefined {
  if (member.length < 2) return undefined;
  const at = 2 + member.readUInt16BE();
  const nameAt = at + PLACE_BYTES + 4;
  if (member.length < nameAt) return undefined;
  const jobAt = nameAt + member.readUInt32LE(at + PLACE_BYTES);
  if (member.length < jobAt) return undefined;
  const rank = member.readUInt32BE(at);
  const number = Number(member.readBigUInt64BE(at + 4));
  const lifo = rank === 0;
  return {
    group: member.toString('utf8', 2, at),
    priority: Math.max(0, rank - 1),
    lifo,
    since: Math.floor((lifo ? 2 ** 53 - number : number) / NUMBERS_PER_MS),
    name: member.toString('utf8', nameAt, jobAt),
    job: member.subarray(jobAt),
  };
}
