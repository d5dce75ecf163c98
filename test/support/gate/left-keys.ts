import type { Redis } from 'ioredis';
import type { QueueKeys } from '../../../lib/redis/keys.js';

/** The keys of the gate that are there and do not expire. */
export async function leftKeys(client: Redis, { prefix }: QueueKeys): Promise<string[]> {
  const left: string[] = [];
  for (const key of await client.keys(`${prefix}*`)) {
    const isOther = /}:(stream|events|dlq|calls:.*|wake:worker:.*|wake:promoter|wake:scheduler)$/.test(key);
    // An id stays taken for a while after its job.
    // -2: it has expired meanwhile.
    if (!isOther && (await client.pttl(key)) === -1) left.push(key);
  }
  return left;
}
