import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { RedisSentinel } from '../../lib/testing/index.js';
import { failOver } from '../support/fault/fail-over.js';
import { eventually } from '../redis/contract/kit.js';

const IDS = Array.from({ length: 20 }, (_, i) => `house ${String(i)}`);

it(
  'ids stay taken over a failover, and are free when their jobs have ended',
  { timeout: 90_000 },
  async () => {
    await using sentinel = await RedisSentinel.start();
    const connection = { sentinels: [...sentinel.sentinelAddresses], name: sentinel.name };
    const queue = new Queue('mail', { connection });
    const client = new Redis({ ...connection, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    const addAll = () =>
      queue.addBulk(IDS.map((id) => ({ name: 'a', data: id, opts: { deduplication: { id } } })));
    const first = await addAll();
    // The replica has them; what it has not is lost, and its id is free.
    expect(await client.set('marker', 1)).toBe('OK');
    expect(await client.wait(1, 5_000)).toBe(1);

    await failOver(sentinel);
    const second = await eventuallyResolves(addAll);
    expect(second.map(({ id, duplicate }) => [id, duplicate])).toEqual(first.map(({ id }) => [id, true]));
    const runs: unknown[] = [];
    const worker = new Worker('mail', ({ data }) => void runs.push(data), { connection });
    worker.on('error', () => undefined);
    await eventually(async () => {
      expect(runs.toSorted()).toEqual(IDS.toSorted());
      expect(await client.keys('*dedup:*')).toEqual([]);
    }, 20_000);
    expect((await addAll()).some(({ duplicate }) => duplicate)).toBe(false);

    await worker.close();
    await queue.close();
    client.disconnect();
  },
);

/** The first calls may meet the old master. */
async function eventuallyResolves<T>(call: () => Promise<T>): Promise<T> {
  let result: T | undefined;
  await eventually(async () => {
    result = await call();
  }, 20_000);
  return result as T;
}
