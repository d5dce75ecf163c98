import { writeDelayedMember } from '../envelope.js';
import type { Delivery } from './delivery.js';

// Many values in one buffer: an argument for each would cost the client more than all else that it does for a job.

/** The frames of lua/complete.lua, and the names they refer to. */
export function packCompletions(
  batch: readonly Delivery[],
  events: boolean,
): { frames: Buffer; names: readonly string[] } {
  let bound = 0;
  for (const { idTo, idFrom, jobId } of batch)
    bound += idTo - idFrom + 1 + (events ? jobId.length * 3 + 40 : 0);
  const frames = Buffer.allocUnsafe(bound);
  const names = new Names();
  let at = 0;
  for (const delivery of batch) {
    at = writeEntryId(frames, at, delivery);
    if (!events) continue;
    at = writeText(frames, at, delivery.jobId);
    at = writeShort(frames, at, names.indexOf(delivery.name));
    at = writeDecimal(frames, at, delivery.attempt);
    at = writeDecimal(frames, at, delivery.durationUs);
  }
  return { frames: frames.subarray(0, at), names: names.values };
}

export interface RetryFrame {
  delivery: Delivery;
  reason: string;
  backoffMs: number;
}

/** Larger jobs travel as arguments of their own: the script would copy them out of the frame. */
const LARGE_BYTES = 4_096;

/** The frames of lua/retry.lua, the names they refer to, and the delayed members that are too large for them. */
export function packRetries(
  retries: readonly RetryFrame[],
  events: boolean,
): { frames: Buffer; names: readonly string[]; large: Buffer[] } {
  let bound = 0;
  for (const { delivery, reason } of retries) {
    const { name, jobId, from, to } = delivery;
    const size = to - from;
    bound += 160 + (size > LARGE_BYTES ? 0 : size) + (name.length + jobId.length + reason.length) * 3;
  }
  const frames = Buffer.allocUnsafe(bound);
  const names = new Names();
  const large: Buffer[] = [];
  let at = 0;
  for (const { delivery, reason, backoffMs } of retries) {
    const { jobId, name, attempt, durationUs, uniqueMs, from, to } = delivery;
    const isUnique = uniqueMs !== undefined;
    at = writeEntryId(frames, at, delivery);
    at = frames.writeDoubleBE(backoffMs, at);
    frames[at++] = isUnique ? 1 : 0;
    if (to - from > LARGE_BYTES) {
      const member = Buffer.allocUnsafe(16 + name.length * 3 + to - from);
      large.push(member.subarray(0, writeDelayedMember(member, 0, name, delivery, attempt)));
      at = frames.writeUInt32BE(0, at);
    } else {
      const end = writeDelayedMember(frames, at + 4, name, delivery, attempt);
      frames.writeUInt32BE(end - at - 4, at);
      at = end;
    }
    if (events || isUnique) at = writeText(frames, at, jobId);
    if (!events) continue;
    at = writeShort(frames, at, names.indexOf(name));
    at = writeDecimal(frames, at, attempt);
    at = writeDecimal(frames, at, durationUs);
    at = writeText(frames, at, reason);
  }
  return { frames: frames.subarray(0, at), names: names.values, large };
}

/** Distinct names, and the place of each, from 0. */
class Names {
  readonly values: string[] = [];
  #last: string | undefined;
  #lastIndex = 0;

  indexOf(name: string): number {
    // Most jobs in a row have the same name.
    if (name !== this.#last) {
      this.#last = name;
      this.#lastIndex = this.values.indexOf(name);
      if (this.#lastIndex < 0) this.#lastIndex = this.values.push(name) - 1;
    }
    return this.#lastIndex;
  }
}

function writeEntryId(to: Buffer, at: number, { idSource, idFrom, idTo }: Delivery): number {
  to[at++] = idTo - idFrom;
  for (let i = idFrom; i < idTo; i++) to[at++] = idSource[i] as number;
  return at;
}

/** UTF-8 behind its length in two bytes. */
function writeText(to: Buffer, at: number, text: string): number {
  const length = to.write(text, at + 2);
  return writeShort(to, at, length) + length;
}

/** A whole number in decimal, behind its length in one byte. */
function writeDecimal(to: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits += 1;
  to[at] = digits;
  let left = value;
  for (let i = at + digits; i > at; i--) {
    to[i] = 0x30 + (left % 10);
    left = Math.floor(left / 10);
  }
  return at + 1 + digits;
}

function writeShort(to: Buffer, at: number, value: number): number {
  to[at] = value >>> 8;
  to[at + 1] = value;
  return at + 2;
}
