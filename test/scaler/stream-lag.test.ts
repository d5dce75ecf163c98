import { afterEach, beforeEach, expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import { scaleReport } from '../../lib/scaler/scale-report.js';
import { useRedis } from '../support/redis.js';

// What docs/monitoring.md says about KEDA's redis-streams trigger: what it reads, beside what the scaler reads.
const redis = useRedis();
let queue: Queue;

beforeEach(() => {
  queue = new Queue('mail', { connection: redis.connection });
});

afterEach(() => queue.close());

const wanted = async (): Promise<number> => scaleReport('mail', await queue.getBacklog()).jobsWanted;

/** The lag that Redis has for the group; null if it does not know it. */
async function lag(): Promise<number | null> {
  const [group] = (await redis.client.xinfo('GROUPS', queue.keys.stream)) as [unknown[]];
  const at = group.indexOf('lag');
  return at === -1 ? null : (group[at + 1] as number | null);
}

it('lagCount: after a waiting job was removed, Redis does not know the lag', async () => {
  const [, removed] = await queue.addBulk([1, 2, 3].map((data) => ({ name: 'send', data })));
  await redis.client.xgroup('CREATE', queue.keys.stream, 'default', '0');
  await removed!.remove();
  expect(await lag()).toBeNull();
  expect(await wanted()).toBe(2);
});

it('pendingEntriesCount: without a worker, nothing is pending', async () => {
  await queue.add('send', 1);
  await redis.client.xgroup('CREATE', queue.keys.stream, 'default', '0');
  expect((await redis.client.xpending(queue.keys.stream, 'default'))[0]).toBe(0);
  expect(await wanted()).toBe(1);
});

it('streamLength: due jobs and due schedules are not in the stream, and jobs of a paused queue are', async () => {
  await queue.add('send', 1, { delay: 1 });
  await queue.upsertJobScheduler('poll', { every: 20 });
  await expect.poll(wanted).toBe(2);
  expect(await redis.client.xlen(queue.keys.stream)).toBe(0);
  await queue.pauseJobScheduler('poll');
  await queue.add('send', 2);
  await queue.pause();
  expect(await redis.client.xlen(queue.keys.stream)).toBe(1);
  expect(await wanted()).toBe(0);
});
