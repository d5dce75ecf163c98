import type { TappedRead } from '../../../redis/entry-tap.js';
import { streamsOf } from '../../../redis/replies.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { toDelivery } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';

/** What a reply has brought: jobs, in parts of entries that stand next to each other; and entries of other streams, by key. */
export interface Brought {
  readonly parts: readonly (readonly Delivery[])[];
  readonly others: readonly (readonly [key: string, entries: readonly StreamEntry[]])[];
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
    if (stream !== workKey) others.push([stream, entries]);
    else if (entries.length > 0) parts.push(entries.map((entry) => toDelivery(entry, 0)));
  }
  return { parts, others };
}

export function bytesOf(work: readonly Delivery[]): number {
  let bytes = 0;
  for (const { from, to } of work) bytes += to - from;
  return bytes;
}
