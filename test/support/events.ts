import type { Redis } from 'ioredis';
import { readBatch } from '../../lib/engine/codec/event-batch.js';

/** The entries of an events stream as they stand there. */
export async function eventEntries(client: Redis, key: string): Promise<Record<string, string>[]> {
  const entries = await client.xrange(key, '-', '+');
  return entries.map(([, flat]) => {
    const pairs = Array.from({ length: flat.length / 2 }, (_, at) => flat.slice(at * 2, at * 2 + 2));
    return Object.fromEntries(pairs) as Record<string, string>;
  });
}

/** The events in a stream, whether or not they share entries. */
export async function eventsIn(client: Redis, key: string): Promise<Record<string, string>[]> {
  const entries = await eventEntries(client, key);
  return entries.flatMap((entry) => {
    if (entry.e !== 'batch') return [entry];
    return readBatch(entry).flatMap(({ event, jobs, fieldsOf }) =>
      Array.from({ length: jobs }, (_, index) => ({ e: event, ...fieldsOf(index) })),
    );
  });
}
