import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { EXPIRED } from '../../../lib/engine/admin/ownerless.js';
import { confirmStarts } from '../../../lib/redis/scripts/confirm-starts.js';
import { reclaim } from '../../../lib/redis/scripts/reclaim.js';
import type { ReclaimReply } from '../../../lib/redis/scripts/reclaim.js';
import { runnerOn } from '../../support/script-runner.js';
import { fullest } from '../../support/fullest.js';
import { Diary, allOf, jobsOf } from './groups-kit.js';
import { KEYS, eventually, useKit } from './kit.js';
import { GROUP, join, rateLimits, takeAs, untilAllConfirmed } from './starts-kit.js';

const redis = useKit();

const HOUR = 3_600_000;
const DEAD = 'dead-00000000-0000-4000-8000-000000000000;lease=600';

/** What a worker takes over from all others, whatever their leases. */
function reclaimAs(consumerId: string, count = 100): Promise<ReclaimReply> {
  return reclaim(runnerOn(redis.client), KEYS, {
    group: GROUP,
    consumerId,
    leaseMs: 0,
    steadyMs: HOUR,
    latest: Number.MAX_SAFE_INTEGER,
    count,
    quarantined: 100,
    maxBytes: 1e6,
    eventsCap: 0,
  });
}

describe.each(rateLimits(redis))('the rate limit of %s', (_, limit) => {
  test('a job that was delivered, and may have started, counts when it is reclaimed', async () => {
    await limit(1, HOUR);
    await redis.queue().addBulk(jobsOf('a', 3));
    await join(redis, 'one');
    expect((await takeAs(redis, 'one', 5)).jobs).toBe(1);
    expect((await reclaimAs('two')).entries).toEqual([]);
    await limit(2, HOUR);
    expect((await reclaimAs('two')).entries).toHaveLength(1);
    await limit(3, HOUR);
    expect((await takeAs(redis, 'three', 5)).jobs).toBe(1);
    expect((await reclaimAs('four')).entries).toEqual([]);
  });

  test('a job that is reclaimed counts from its start on', async () => {
    await limit(2, 300);
    await redis.queue().addBulk(jobsOf('a', 3));
    await join(redis, 'one');
    const { starts } = await takeAs(redis, 'one', 1);
    await confirmStarts(runnerOn(redis.client), KEYS, { consumerId: 'one', starts: starts as string });
    const { entries, unconfirmed } = await reclaimAs('two');
    expect(entries).toHaveLength(1);
    await delay(400);
    // What one has started has left the window. What two has got has not started, as far as Redis knows.
    expect((await takeAs(redis, 'three', 1)).jobs).toBe(1);
    expect((await takeAs(redis, 'four', 1)).jobs).toBe(0);
    await confirmStarts(runnerOn(redis.client), KEYS, { consumerId: 'two', starts: unconfirmed as string });
    expect((await takeAs(redis, 'four', 1)).jobs).toBe(0);
    await eventually(async () => {
      expect((await takeAs(redis, 'four', 1)).jobs).toBe(1);
    });
  });

  test(
    'jobs of a worker that has died come before those that wait, within the limit',
    { timeout: 20_000 },
    async () => {
      await limit(5, 150);
      await redis.queue().addBulk(jobsOf('a', 120));
      await join(redis, DEAD);
      const { starts } = await takeAs(redis, DEAD, 4);
      await confirmStarts(runnerOn(redis.client), KEYS, { consumerId: DEAD, starts: starts as string });
      const diary = new Diary();
      for (let i = 0; i < 2; i += 1)
        redis.worker(diary.processor(), { concurrency: 4, claimMinIdleMs: 600, blockMs: 300 });
      await allOf(diary, 120, 15_000);
      const last = Math.max(...[0, 1, 2, 3].map((data) => diary.started.indexOf(`a${String(data)}`)));
      // A lease, two scans, and what starts meanwhile.
      expect(last).toBeLessThan(80);
      expect(fullest(diary.times.get('a') ?? [], 150)).toBeLessThanOrEqual(5);
      await untilAllConfirmed(redis);
    },
  );

  test(
    'jobs of a worker that has died before it said a word of their starts hold up nothing for longer than its lease and a window',
    { timeout: 20_000 },
    async () => {
      await limit(3, 300);
      await redis.queue().addBulk(jobsOf('a', 12));
      await join(redis, DEAD);
      expect((await takeAs(redis, DEAD, 5)).jobs).toBe(3);
      const diary = new Diary();
      redis.worker(diary.processor(), { concurrency: 4, claimMinIdleMs: 600, blockMs: 300 });
      // Else it takes 30 seconds until the first of them starts.
      await allOf(diary, 12, 12_000);
      expect(fullest(diary.times.get('a') ?? [], 300)).toBeLessThanOrEqual(3);
      await untilAllConfirmed(redis);
    },
  );

  test('jobs of a worker that has died, and that the limit keeps from their start, are out of its reach', async () => {
    const queue = redis.queue();
    await limit(2, HOUR);
    await queue.addBulk(jobsOf('a', 3));
    await join(redis, 'one');
    const { starts } = await takeAs(redis, 'one', 5);
    const pending = async (): Promise<string[]> =>
      ((await redis.client.xpending(KEYS.stream, GROUP, '-', '+', 10)) as string[][]).map(
        ([, of]) => of as string,
      );
    expect(await pending()).toEqual(['one', 'one']);
    expect((await reclaimAs('two', 1)).entries).toEqual([]);
    expect(await pending()).toEqual([EXPIRED, EXPIRED]);
    expect((await queue.getActive()).map(({ processedBy }) => processedBy)).toEqual([undefined, undefined]);
    // It wakes up. They count as started already.
    await confirmStarts(runnerOn(redis.client), KEYS, { consumerId: 'one', starts: starts as string });
    await limit(3, HOUR);
    expect((await reclaimAs('two')).entries).toHaveLength(1);
    await limit(4, HOUR);
    expect((await reclaimAs('three')).entries).toHaveLength(1);
    expect((await takeAs(redis, 'four', 5)).jobs).toBe(0);
  });

  test('what was not confirmed goes when no worker comes any more', async () => {
    await limit(5, 1_000);
    await redis.queue().addBulk(jobsOf('a', 3));
    await join(redis, 'one');
    await takeAs(redis, 'one', 1);
    await reclaimAs('two');
    const keys = (await redis.keys()).filter((key) => key.endsWith('taking'));
    expect(keys).toHaveLength(1);
    // A worker has 30 seconds to start a job, which then is in the window for a second.
    const left = await redis.client.pttl(keys[0] as string);
    expect(left).toBeGreaterThan(30_000);
    expect(left).toBeLessThan(60_000);
  });
});
