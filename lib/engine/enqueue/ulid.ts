import { randomFillSync } from 'node:crypto';
import { incrementBase32, TIME_LEN, ulid } from 'ulid';

const randomBytes = new Uint8Array(4_096);
let nextByte = randomBytes.length;

/** From 0 to below 1, in 256 steps; a character of a ULID takes 32. On its own, ulid asks the system for each byte. */
function random(): number {
  if (nextByte === randomBytes.length) {
    randomFillSync(randomBytes);
    nextByte = 0;
  }
  return (randomBytes[nextByte++] as number) / 256;
}

let idTime = 0;
let timePart = '';
let randomPart = '';

/** ULIDs that ascend within this process, as `monotonicFactory` of ulid makes them. Most ids share the time of the last. */
export function nextUlid(now: number): string {
  if (now > idTime) {
    const id = ulid(now, random);
    idTime = now;
    timePart = id.slice(0, TIME_LEN);
    randomPart = id.slice(TIME_LEN);
    return id;
  }
  randomPart = incrementBase32(randomPart);
  return timePart + randomPart;
}
