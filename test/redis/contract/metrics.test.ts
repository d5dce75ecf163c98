import { describe, expect, test, vi } from 'vitest';
import { UnrecoverableError } from '../../../lib/engine/index.js';
import { countEnded } from '../../../lib/redis/scripts/count-ended.js';
import { readMetrics } from '../../../lib/redis/scripts/read-metrics.js';
import { runnerOn } from '../../support/script-runner.js';
import { KEYS, useKit } from './kit.js';

const kit = useKit();
const HASH = `${KEYS.prefix}metrics:completed`;
const minute = (): number => Math.floor(Date.now() / 60_000);

describe('counts by the minute', () => {
  test('a worker with maxDataPoints counts what completes and what becomes a dead letter', async () => {
    const queue = kit.queue();
    const worker = kit.worker(
      (job) => {
        if (job.name === 'bad') throw new UnrecoverableError('no');
      },
      { metrics: { maxDataPoints: 60 } },
    );
    await queue.addBulk([...Array(20).keys()].map((n) => ({ name: n % 4 === 0 ? 'bad' : 'good', data: n })));
    await vi.waitFor(async () => {
      expect(await queue.getFailedCount()).toBe(5);
      expect(await queue.count()).toBe(0);
      expect(await queue.getActiveCount()).toBe(0);
    });
    // Closing sends what was not sent yet.
    await worker.close();
    const { meta, data } = await queue.getMetrics('completed');
    expect(meta.count).toBe(15);
    // The minute may have changed in between.
    expect(meta.count - meta.prevCount + data.reduce((sum, n) => sum + n, 0)).toBe(15);
    expect(Math.abs(meta.prevTS / 60_000 - minute())).toBeLessThanOrEqual(1);
    expect((await queue.getMetrics('failed')).meta.count).toBe(5);
  });

  test('a worker without it writes nothing', async () => {
    const queue = kit.queue();
    const worker = kit.worker(() => undefined, { metrics: {} });
    await queue.add('x', 1);
    await vi.waitFor(async () => expect(await queue.getActiveCount()).toBe(0));
    await worker.close();
    expect((await kit.keys()).filter((key) => key.includes('metrics'))).toEqual([]);
    expect(await queue.getMetrics('completed')).toEqual({
      meta: { count: 0, prevTS: 0, prevCount: 0 },
      data: [],
      count: 0,
    });
  });

  test('minutes without jobs are zeros, the latest minute comes first, and indexes select', async () => {
    const now = minute();
    await kit.client.hset(HASH, {
      count: 100,
      first: now - 6,
      last: now - 1,
      [now - 6]: 6,
      [now - 3]: 3,
      [now - 1]: 1,
    });
    const queue = kit.queue();
    const all = await queue.getMetrics('completed');
    expect(all).toEqual({
      meta: { count: 100, prevTS: (now - 1) * 60_000, prevCount: 99 },
      data: [0, 3, 0, 0, 6],
      count: 5,
    });
    expect((await queue.getMetrics('completed', 1, 2)).data).toEqual([3, 0]);
    expect((await queue.getMetrics('completed', -1)).data).toEqual([6]);
    expect((await queue.getMetrics('completed', 2, 900)).data).toEqual([0, 0, 6]);
    expect((await queue.getMetrics('completed', 7)).data).toEqual([]);
    await expect(queue.getMetrics('active' as never)).rejects.toMatchObject({ code: 'CMQ-004' });
    await expect(queue.getMetrics('failed', 0.5)).rejects.toThrow(RangeError);
  });

  test('old minutes go, a few thousand at a time, and more than 4,000 can be read', async () => {
    const now = minute();
    const old = Object.fromEntries([...Array(9_000).keys()].map((n) => [String(now - 9_000 + n), 1]));
    await kit.client.hset(HASH, { ...old, count: 9_000, first: now - 9_000, last: now - 1 });
    expect((await kit.queue().getMetrics('completed')).data.length).toBe(8_999);
    const run = runnerOn(kit.client);
    const count = (call: number) => countEnded(run, KEYS, { most: 100, completed: 1, failed: 0, call });
    await count(1);
    const { count: all, points } = await readMetrics(run, KEYS, { kind: 'completed', start: 0, end: -1 });
    expect(all).toBe(9_001);
    expect(points).toBeGreaterThanOrEqual(5_000);
    expect(points).toBeLessThanOrEqual(5_001);
    for (let call = 2; call < 5; call += 1) {
      // As if a minute had begun.
      await kit.client.hdel(HASH, String(minute()));
      await count(call);
    }
    expect(await kit.client.hlen(HASH)).toBeLessThanOrEqual(103);
  });

  test('a call that arrives twice counts once', async () => {
    const run = runnerOn(kit.client);
    for (let i = 0; i < 2; i += 1) await countEnded(run, KEYS, { most: 9, completed: 3, failed: 2, call: 7 });
    expect((await kit.queue().getMetrics('completed')).meta.count).toBe(3);
    expect((await kit.queue().getMetrics('failed')).meta.count).toBe(2);
  });

  test('counts that Redis refuses are sent again, and obliterate deletes them', async () => {
    const queue = kit.queue();
    await kit.client.set(HASH, 'of another type');
    const worker = kit.worker(() => undefined, { metrics: { maxDataPoints: 5 } });
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'x', data })));
    await vi.waitFor(() => expect(kit.errors.join()).toContain('WRONGTYPE'), 5_000);
    kit.errors.length = 0;
    await kit.client.del(HASH);
    await vi.waitFor(async () => expect((await queue.getMetrics('completed')).meta.count).toBe(3), 5_000);
    await worker.close();
    await queue.obliterate();
    expect((await kit.keys()).filter((key) => key.includes('metrics'))).toEqual([]);
  });

  test.each([0, 1.5, -1, 525_601, '5'])('maxDataPoints: %j is refused', (maxDataPoints) => {
    expect(() =>
      kit.worker(() => undefined, { metrics: { maxDataPoints: maxDataPoints as number } }),
    ).toThrow(/maxDataPoints/);
  });
});
