import { writeDelayedMember } from '../../codec/envelope.js';
import type { Delivery } from '../lease/delivery.js';

// Many values in one buffer: an argument for each would cost the client more than all else that it does for a job.

/** Entry ids with a space between, as lua/complete.lua takes them. */
export function packEntryIds(batch: readonly Delivery[]): Buffer {
  let length = 0;
  for (const { idTo, idFrom } of batch) length += idTo - idFrom + 1;
  const ids = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { idSource, idFrom, idTo } of batch) {
    for (let i = idFrom; i < idTo; i++) ids[at++] = idSource[i] as number;
    ids[at++] = SPACE;
  }
  return ids.subarray(0, at - 1);
}

export interface RetryFrame {
  delivery: Delivery;
  backoffMs: number;
  /** Attempts that are used from then on. */
  used: number;
}

const SPACE = 0x20;

/** Larger jobs travel as arguments of their own: the script would copy them out of the frame. */
const LARGE_BYTES = 4_096;

/** The frames of lua/retry.lua, and the delayed members that are too large for them. */
export function packRetries(retries: readonly RetryFrame[]): { frames: Buffer; large: Buffer[] } {
  let bound = 0;
  for (const { delivery } of retries) {
    const { name, jobId, from, to } = delivery;
    const size = to - from;
    bound += 80 + (size > LARGE_BYTES ? 0 : size) + (name.length + jobId.length) * 3;
  }
  const frames = Buffer.allocUnsafe(bound);
  const large: Buffer[] = [];
  let at = 0;
  for (const { delivery, backoffMs, used } of retries) {
    const { jobId, name, uniqueMs, from, to } = delivery;
    at = writeEntryId(frames, at, delivery);
    at = frames.writeDoubleBE(backoffMs, at);
    at = writeText(frames, at, uniqueMs === undefined ? '' : jobId);
    if (to - from > LARGE_BYTES) {
      const member = Buffer.allocUnsafe(16 + name.length * 3 + to - from);
      large.push(member.subarray(0, writeDelayedMember(member, 0, name, delivery, used)));
      at = frames.writeUInt32BE(0, at);
    } else {
      const end = writeDelayedMember(frames, at + 4, name, delivery, used);
      frames.writeUInt32BE(end - at - 4, at);
      at = end;
    }
  }
  return { frames: frames.subarray(0, at), large };
}

function writeEntryId(to: Buffer, at: number, { idSource, idFrom, idTo }: Delivery): number {
  to[at++] = idTo - idFrom;
  for (let i = idFrom; i < idTo; i++) to[at++] = idSource[i] as number;
  return at;
}

/** UTF-8 behind its length in two bytes. */
function writeText(to: Buffer, at: number, text: string): number {
  const length = to.write(text, at + 2);
  to[at] = length >>> 8;
  to[at + 1] = length;
  return at + 2 + length;
}
