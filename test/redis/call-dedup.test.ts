import { expect, it } from 'vitest';
import { ConnectionError, Queue } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

/** Adds one job per call, with many calls in flight. Resolves with how many were refused. */
async function addOneByOne(queue: Queue<number>, count: number): Promise<number> {
  let refused = 0;
  const adds: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    adds.push(
      queue.add('job', i).catch((error: unknown) => {
        if (!(error instanceof ConnectionError)) throw error;
        refused += 1;
      }),
    );
    await new Promise((resolve) => process.nextTick(() => setImmediate(resolve)));
    if (adds.length >= 200) await Promise.all(adds.splice(0));
  }
  await Promise.all(adds);
  return refused;
}

// The server remembers the calls of a producer, so that it carries out none of them twice. A call that it refused, or never
// received, must not count as carried out for later calls.
it('adds that failed do not make later adds fail', { timeout: 60_000 }, async () => {
  await using queue = new Queue<number>('jobs', { connection: redis.connection, eventsEnabled: false });
  expect(await addOneByOne(queue, 9_000)).toBe(0);
  await redis.client.config('SET', 'maxmemory', '1');
  expect(await addOneByOne(queue, 500)).toBe(500);
  await redis.client.config('SET', 'maxmemory', '0');
  expect(await addOneByOne(queue, 9_000)).toBe(0);
  expect(await redis.client.xlen(queue.keys.stream)).toBe(18_000);
});
