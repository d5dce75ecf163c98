import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../lib/engine/index.js';
import { confirmStarts } from '../../../lib/redis/scripts/confirm-starts.js';
import { fullest } from '../../support/fullest.js';
import { runnerOn } from '../../support/script-runner.js';
import { jobsOf } from './groups-kit.js';
import { KEYS, eventually, useKit } from './kit.js';
import { join, rateLimits, redisNow, takeAs, untilAllConfirmed } from './starts-kit.js';

const redis = useKit();

async function confirm(consumerId: string, what: { starts: string } | { lostBefore: number }): Promise<void> {
  await confirmStarts(runnerOn(redis.client), KEYS, { consumerId, ...what });
}

/** One job may start, and no more for a window. */
async function oneAfterTheWindow(consumerId: string): Promise<void> {
  expect((await takeAs(redis, consumerId, 5)).jobs).toBe(0);
  await eventually(async () => {
    expect((await takeAs(redis, consumerId, 5)).jobs).toBe(1);
  });
}

describe.each(rateLimits(redis))('the rate limit of %s', (_, limit) => {
  test('a job that waits in its worker counts until it has started, and then for a window', async () => {
    await limit(2, 200);
    await redis.queue().addBulk(jobsOf('a', 10));
    await join(redis, 'one', 'two');
    const waits = await takeAs(redis, 'one', 1);
    const next = await takeAs(redis, 'one', 1, { before: waits.starts, isLate: true });
    expect(next.jobs).toBe(1);
    await confirm('one', { starts: next.starts as string });
    await delay(300);
    // The second one has left the window. The first one has not started.
    const third = await takeAs(redis, 'two', 5);
    expect(third.jobs).toBe(1);
    await delay(300);
    await confirm('one', { starts: waits.starts as string });
    // Sent twice.
    await confirm('one', { starts: waits.starts as string });
    await oneAfterTheWindow('one');
    // Of the third, nobody has said that it has started.
    expect((await takeAs(redis, 'one', 5, { before: waits.starts, isLate: true })).jobs).toBe(0);
  });

  test('it is said at any time that such a job has started, before or after the next jobs are asked for', async () => {
    await limit(1, 200);
    await redis.queue().addBulk(jobsOf('a', 10));
    await join(redis, 'one', 'two');
    const { starts } = await takeAs(redis, 'one', 1);
    await confirm('one', { starts: starts as string });
    // This call was sent before the job had started, and is late.
    expect((await takeAs(redis, 'one', 1, { before: starts, isLate: true })).jobs).toBe(0);
    await oneAfterTheWindow('two');
  });

  test('jobs that got lost on the way count until all that was lost has been found and has started', async () => {
    await limit(2, 200);
    await redis.queue().addBulk(jobsOf('a', 10));
    await join(redis, 'one', 'two');
    const arrived = await takeAs(redis, 'one', 1);
    // The reply to this is lost.
    expect((await takeAs(redis, 'one', 1, { before: arrived.starts, isLate: true })).jobs).toBe(1);
    expect((await takeAs(redis, 'one', 1, { before: arrived.starts, isLost: true })).jobs).toBe(0);
    await confirm('one', { starts: arrived.starts as string });
    await delay(300);
    expect((await takeAs(redis, 'two', 1)).jobs).toBe(1);
    // All was found that had got lost an hour ago: that says nothing of this job.
    await confirm('one', { lostBefore: (await redisNow(redis)) - 3_600_000 });
    await delay(300);
    expect((await takeAs(redis, 'one', 5)).jobs).toBe(0);
    await confirm('one', { lostBefore: await redisNow(redis) });
    await oneAfterTheWindow('one');
  });

  test('a call that never arrived leaves the deliveries before it as they are', async () => {
    await limit(2, 200);
    await redis.queue().addBulk(jobsOf('a', 10));
    await join(redis, 'one');
    const { starts } = await takeAs(redis, 'one', 1);
    // The call before was lost. By now, the job has started.
    expect((await takeAs(redis, 'one', 5, { before: starts, isLost: true })).jobs).toBe(1);
    await eventually(async () => {
      expect((await takeAs(redis, 'one', 5, { before: starts })).jobs).toBe(1);
    });
  });

  test('jobs that wait for a batch start within the limit', async () => {
    await limit(3, 250);
    await redis.queue().addBulk(jobsOf('a', 9));
    const times: number[] = [];
    const handler = (jobs: Job[]): void => {
      times.push(...jobs.map(() => performance.now()));
    };
    const batches = { size: 10, minSize: 10, timeoutMs: 400 };
    for (let i = 0; i < 2; i += 1) redis.worker(handler as never, { batches, concurrency: 2 });
    await eventually(() => {
      expect(times).toHaveLength(9);
    }, 10_000);
    expect(fullest(times, 250)).toBeLessThanOrEqual(3);
    await untilAllConfirmed(redis);
  });
});
