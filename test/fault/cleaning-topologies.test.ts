import { expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import type { ConnectionOptions } from '../../lib/engine/index.js';
import { RedisCluster, RedisSentinel } from '../../lib/testing/index.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { failOver } from '../support/fault/fail-over.js';

/** Fills and drains, then fills and obliterates a queue that has a live worker. Then the worker goes on. */
async function cleans(connection: ConnectionOptions, before: () => Promise<void>): Promise<void> {
  const queue = new Queue('mail', { connection });
  const other = new Queue('other', { connection });
  let ran = 0;
  const worker = new Worker('mail', () => void (ran += 1), { connection });
  const fill = (of: Queue): Promise<unknown> =>
    of.addBulk(
      Array.from({ length: 3_000 }, (_, i) => ({
        name: 'a',
        data: i,
        opts: { delay: i % 2 === 0 ? 3_600_000 : 0, ...(i % 3 === 0 && { jobId: `j${String(i)}` }) },
      })),
    );
  try {
    await queue.pause();
    await fill(queue);
    await fill(other);
    await before();
    await queue.drain(true);
    expect(await queue.count()).toBe(0);
    await fill(queue);
    expect((await queue.getJobCounts('paused', 'delayed')).paused).toBe(1_500);
    await queue.obliterate();
    expect(await queue.getJobCounts('waiting', 'paused', 'delayed', 'failed')).toEqual({
      waiting: 0,
      paused: 0,
      delayed: 0,
      failed: 0,
    });
    expect(await queue.isPaused()).toBe(false);
    expect(ran).toBe(0);
    expect(await other.count()).toBe(3_000);
    // The ids are free, and the worker that lived through it runs what is added now.
    expect((await queue.add('a', 1, { jobId: 'j3' })).duplicate).toBe(false);
    await waitUntil('The worker', 10_000, () => Promise.resolve(ran === 1 ? undefined : 'no job ran'));
  } finally {
    await Promise.all([worker.close(), queue.close(), other.close()]);
  }
}

it('a queue on a cluster is drained and obliterated', async () => {
  await using cluster = await RedisCluster.start();
  await cleans({ cluster: [...cluster.startNodes] }, () => Promise.resolve());
}, 60_000);

it('a queue is drained and obliterated after a failover', async () => {
  await using sentinel = await RedisSentinel.start();
  await cleans({ sentinels: [...sentinel.sentinelAddresses], name: sentinel.name }, () => failOver(sentinel));
}, 90_000);
