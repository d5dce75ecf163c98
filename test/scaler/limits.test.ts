import { describe, expect, it } from 'vitest';
import { scaleReport } from '../../lib/scaler/scale-report.js';
import { Latch, next, useKit } from '../redis/contract/kit.js';

const kit = useKit();

const HOUR_MS = 3_600_000;

async function jobsWanted(): Promise<number> {
  return scaleReport('mail', await kit.queue().getBacklog()).jobsWanted;
}

const add = (count: number, opts = {}): Promise<unknown> =>
  kit.queue().addBulk([...Array(count).keys()].map((data) => ({ name: 'a', data, opts })));

describe('jobsWanted never exceeds what may run', () => {
  it.each([{}, { priority: 3 }, { lifo: true }])('with a global concurrency, jobs %j', async (opts) => {
    const queue = kit.queue();
    await add(10, opts);
    expect(await jobsWanted()).toBe(10);
    await queue.setGlobalConcurrency(3);
    expect(await jobsWanted()).toBe(3);
    const latch = new Latch();
    const worker = kit.worker(() => latch.opened, { concurrency: 2 });
    await next(worker, 'active');
    await expect.poll(() => queue.getActiveCount()).toBe(2);
    expect(await jobsWanted()).toBe(3);
    await queue.setGlobalConcurrency(1);
    // Those that run go on.
    expect(await jobsWanted()).toBe(2);
    await queue.removeGlobalConcurrency();
    expect(await jobsWanted()).toBe(10);
    latch.open();
  });

  it('with a rate limit: at most as many as may start in one window', async () => {
    const queue = kit.queue();
    await add(10);
    await queue.setGlobalRateLimit(4, 1_000);
    expect(await jobsWanted()).toBe(4);
    // The window is full now, but not for long: the workers stay.
    const worker = kit.worker(() => Promise.resolve());
    await expect.poll(() => queue.count()).toBe(6);
    await worker.close();
    expect(await jobsWanted()).toBe(4);
  });

  it('with a rate limit of an hour: those that may start in it', async () => {
    const queue = kit.queue();
    await add(10);
    await queue.setGlobalRateLimit(4, HOUR_MS);
    expect(await jobsWanted()).toBe(4);
    const worker = kit.worker(() => Promise.resolve());
    await expect.poll(() => queue.count()).toBe(6);
    expect(await jobsWanted()).toBe(0);
    await queue.removeRateLimitKey();
    await expect.poll(() => queue.count()).toBe(2);
    await worker.close();
  });

  it('while a service asks to come back later', async () => {
    const queue = kit.queue();
    await add(10);
    await queue.rateLimit(HOUR_MS);
    expect(await jobsWanted()).toBe(0);
    await queue.rateLimit(20_000);
    expect(await jobsWanted()).toBe(10);
    await queue.removeRateLimitKey();
    await queue.pause();
    expect(await jobsWanted()).toBe(0);
  });

  it('the smallest of several limits counts', async () => {
    const queue = kit.queue();
    await add(10);
    await queue.setGlobalConcurrency(5);
    await queue.setGlobalRateLimit(3, 1_000);
    expect(await jobsWanted()).toBe(3);
    await queue.setGlobalConcurrency(2);
    expect(await jobsWanted()).toBe(2);
  });

  it('with groups: what each of them may run, and no job of a paused one', async () => {
    const queue = kit.queue();
    const group = (id: string): object => ({ group: { id } });
    await add(10, group('big'));
    await add(1, group('small'));
    await add(3);
    expect(await jobsWanted()).toBe(14);
    await queue.setGroupDefaults({ concurrency: 2 });
    expect(await jobsWanted()).toBe(6);
    await queue.setGroupConcurrency('big', 4);
    expect(await jobsWanted()).toBe(8);
    await queue.setGlobalConcurrency(7);
    expect(await jobsWanted()).toBe(7);
    await queue.removeGlobalConcurrency();
    const latch = new Latch();
    const worker = kit.worker(() => latch.opened, { concurrency: 20 });
    await next(worker, 'active');
    await expect.poll(() => queue.getActiveCount()).toBe(8);
    expect(await queue.count()).toBe(6);
    // The six others wait for the four of their group.
    expect(await jobsWanted()).toBe(8);
    latch.open();
    await expect.poll(() => queue.count()).toBe(0);
    await worker.close();
    await add(5, group('big'));
    await queue.pauseGroup('big');
    expect(await jobsWanted()).toBe(0);
    await queue.resumeGroup('big');
    await queue.setGroupRateLimit('big', 3, 1_000);
    expect(await jobsWanted()).toBe(3);
  });

  it('with thousands of groups, in one short call', async () => {
    const queue = kit.queue();
    const jobs = [...Array(6_000).keys()].map((n) => ({
      name: 'a',
      data: n,
      opts: { group: { id: `tenant ${String(n % 3_000)}` } },
    }));
    await queue.addBulk(jobs);
    await queue.setGroupDefaults({ concurrency: 1 });
    expect(await jobsWanted()).toBe(3_000);
    await queue.setGlobalConcurrency(50);
    expect(await jobsWanted()).toBe(50);
    const begun = performance.now();
    for (let n = 0; n < 100; n += 1) await queue.getBacklog();
    expect((performance.now() - begun) / 100).toBeLessThan(20);
  });
});
