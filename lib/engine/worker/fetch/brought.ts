import type { TappedRead, WorkOfReply } from '../../../redis/entry-tap.js';
import { streamsOf } from '../../../redis/replies.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { ROOM_KEY } from '../../../redis/scripts/take.js';
import { readDelivery, readMember, toDelivery } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';

/** What a reply has brought: jobs, in parts of entries that stand next to each other; and entries of other streams, by key. */
export interface Brought {
  readonly parts: readonly (readonly Delivery[])[];
  readonly others: readonly (readonly [key: string, entries: readonly StreamEntry[]])[];
}

/** How replies bring jobs. */
export function workOf(stream: string): WorkOfReply<Delivery> {
  return { key: stream, make: readDelivery, stringsKey: ROOM_KEY, makeFromString: readMember };
}

export function tappedParts({ work, parts, others }: TappedRead<Delivery>): Brought {
  if (parts.length === 0) return { parts: work.length > 0 ? [work] : [], others };
  const starts = [0, ...parts];
  return { parts: starts.map((from, index) => work.slice(from, starts[index + 1])), others };
}

/** The same of a reply that ioredis has decoded. */
export function decodedParts(reply: unknown, workKey: string): Brought {
  const parts: Delivery[][] = [];
  const others: [string, StreamEntry[]][] = [];
  for (const [key, entries] of streamsOf(reply)) {
    const stream = key.toString();
    if (stream === ROOM_KEY) parts.push(deliveriesOf(entries as unknown as Buffer[]));
    else if (stream !== workKey) others.push([stream, entries]);
    else if (entries.length > 0) parts.push(entries.map((entry) => toDelivery(entry, 0)));
  }
  return { parts, others };
}

/** @param strings entry ids and members of the room, in turns */
function deliveriesOf(strings: readonly Buffer[]): Delivery[] {
  const deliveries: Delivery[] = [];
  for (let i = 0; i + 1 < strings.length; i += 2) {
    const [id, member] = [strings[i] as Buffer, strings[i + 1] as Buffer];
    const both = Buffer.concat([id, member]);
    deliveries.push(readMember(both, 0, id.length, id.length, both.length));
  }
  return deliveries;
}

export function bytesOf(work: readonly Delivery[]): number {
  let bytes = 0;
  for (const { from, to } of work) bytes += to - from;
  return bytes;
}
