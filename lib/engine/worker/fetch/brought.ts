import type { EntriesAsStrings, TappedRead, WorkOfReply } from '../../../redis/entry-tap.js';
import { streamsOf } from '../../../redis/replies.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { NAMED_KEY, ROOM_KEY } from '../../../redis/scripts/take.js';
import { readDelivery, readMember, readNamed, toDelivery } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';

/** What a reply has brought: jobs, in parts of entries that stand next to each other; and entries of other streams, by key. */
export interface Brought {
  readonly parts: readonly (readonly Delivery[])[];
  readonly others: readonly (readonly [key: string, entries: readonly StreamEntry[]])[];
}

const EMPTY = Buffer.alloc(0);

const AS_STRINGS: ReadonlyMap<string, EntriesAsStrings<Delivery>> = new Map([
  [ROOM_KEY, { strings: 2, make: readMember }],
  [NAMED_KEY, { strings: 3, make: readNamed }],
]);

/** How replies bring jobs. */
export function workOf(stream: string): WorkOfReply<Delivery> {
  return { key: stream, make: readDelivery, asStrings: AS_STRINGS };
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
    const asStrings = AS_STRINGS.get(stream);
    if (asStrings) parts.push(deliveriesOf(entries as unknown as Buffer[], asStrings));
    else if (stream !== workKey) others.push([stream, entries]);
    else if (entries.length > 0) parts.push(entries.map((entry) => toDelivery(entry, 0)));
  }
  return { parts, others };
}

function deliveriesOf(all: readonly Buffer[], { strings, make }: EntriesAsStrings<Delivery>): Delivery[] {
  const deliveries: Delivery[] = [];
  for (let i = 0; i + strings <= all.length; i += strings) {
    const [id, second, last = EMPTY] = all.slice(i, i + strings) as [Buffer, Buffer, Buffer?];
    const bytes = Buffer.concat([id, second, last]);
    const to = id.length + second.length;
    deliveries.push(make(bytes, 0, id.length, id.length, to, to, bytes.length));
  }
  return deliveries;
}

export function bytesOf(work: readonly Delivery[]): number {
  let bytes = 0;
  for (const { from, to } of work) bytes += to - from;
  return bytes;
}
