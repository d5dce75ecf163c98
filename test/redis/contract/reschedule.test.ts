import { afterEach, describe, expect, test, vi } from 'vitest';
import { CommandLink } from '../../../lib/engine/connection/command-link.js';
import { ScheduleNotFoundError } from '../../../lib/engine/index.js';
import { KEYS, useKit } from './kit.js';

const kit = useKit();
const sendAway = CommandLink.prototype.run;

describe('rescheduleJobScheduler', () => {
  test('changes when the schedule fires, and keeps its jobs, its count and its policy byte for byte', async () => {
    const tracked = kit.queue({ trackJobs: true });
    const template = {
      name: 'report',
      data: { at: new Date(5), big: 2n ** 60n },
      opts: { attempts: 7, timeoutMs: 900 },
    };
    await tracked.upsertJobScheduler(
      'nightly',
      { pattern: '0 3 * * *', missedFires: { kind: 'fire-once' }, owner: 'app' },
      template,
    );
    const hash = `${KEYS.prefix}repeat:spec:nightly`;
    const before = await kit.client.hgetallBuffer(hash);
    // Another process, whose queue tracks nothing.
    const queue = kit.queue();
    const next = await queue.rescheduleJobScheduler('nightly', { every: 3_600_000, limit: 9 });
    const json = await queue.getJobScheduler('nightly');
    expect(json).toMatchObject({
      every: 3_600_000,
      limit: 9,
      next,
      name: 'report',
      owner: 'app',
      missedFires: { kind: 'fire-once' },
    });
    expect(json).not.toHaveProperty('pattern');
    expect(Math.abs(next - Date.now() - 3_600_000)).toBeLessThan(10_000);
    const after = await kit.client.hgetallBuffer(hash);
    for (const field of ['name', 'payload', 'retry', 'extras', 'tracked', 'missed', 'owner']) {
      expect(after[field], field).toEqual(before[field]);
    }
    await queue.rescheduleJobScheduler('nightly', { pattern: '30 4 * * *', tz: 'Europe/Berlin' });
    expect(await queue.getJobScheduler('nightly')).toMatchObject({
      pattern: '30 4 * * *',
      tz: 'Europe/Berlin',
    });
    expect(await queue.getJobSchedulersCount()).toBe(1);
  });

  test('keeps the count: a limit that is reached is refused, and so is a rule that never fires', async () => {
    const queue = kit.queue();
    await queue.upsertJobScheduler('often', { every: 60_000, count: 4, immediately: false });
    expect(await queue.getJobScheduler('often')).toMatchObject({ iterationCount: 4 });
    for (const repeat of [
      { every: 60_000, limit: 4 },
      { pattern: '0 0 30 2 *' },
      { pattern: 'x' },
      { every: 5, pattern: '* * * * *' },
      {},
    ]) {
      await expect(queue.rescheduleJobScheduler('often', repeat)).rejects.toMatchObject({ code: 'CMQ-004' });
    }
    await queue.rescheduleJobScheduler('often', { every: 90_000, limit: 5 });
    expect(await queue.getJobScheduler('often')).toMatchObject({
      iterationCount: 4,
      limit: 5,
      every: 90_000,
    });
  });

  test('a paused schedule stays paused, and one that is not there is not made', async () => {
    const queue = kit.queue();
    await queue.upsertJobScheduler('idle', { every: 60_000, immediately: false });
    await queue.pauseJobScheduler('idle');
    await queue.rescheduleJobScheduler('idle', { every: 70_000 });
    expect(await queue.getJobScheduler('idle')).toMatchObject({ paused: true, every: 70_000 });
    await expect(queue.rescheduleJobScheduler('none', { every: 70_000 })).rejects.toThrow(
      ScheduleNotFoundError,
    );
    expect(await queue.getJobSchedulersCount()).toBe(1);
  });

  /** Lets something happen after each of the first reads of a schedule, and before what is read comes back. */
  function afterReading(...steps: (() => Promise<unknown>)[]): void {
    vi.spyOn(CommandLink.prototype, 'run').mockImplementation(async function (this: CommandLink, ...args) {
      const reply = await sendAway.apply(this, args);
      if (args[0] === 'read-schedule') await steps.shift()?.();
      return reply;
    });
  }

  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('a schedule that is removed meanwhile is not made again', async () => {
    const queue = kit.queue();
    await queue.upsertJobScheduler('nightly', { every: 60_000, immediately: false });
    afterReading(() => kit.queue().removeJobScheduler('nightly'));
    await expect(queue.rescheduleJobScheduler('nightly', { every: 70_000 })).rejects.toThrow(
      ScheduleNotFoundError,
    );
    expect(await queue.getJobSchedulersCount()).toBe(0);
  });

  test('keeps what is changed meanwhile: other data, another count, a pause', async () => {
    const queue = kit.queue();
    const deploy = (data: number): Promise<unknown> =>
      kit.queue().upsertJobScheduler('nightly', { every: 60_000, immediately: false }, { data });
    await deploy(1);
    afterReading(
      () => deploy(2),
      () => deploy(3),
      () => kit.queue().pauseJobScheduler('nightly'),
    );
    await queue.rescheduleJobScheduler('nightly', { every: 70_000 });
    expect(await queue.getJobScheduler('nightly')).toMatchObject({
      every: 70_000,
      paused: true,
      template: { data: 3 },
    });
    await queue.resumeJobScheduler('nightly');
    const hash = `${KEYS.prefix}repeat:spec:nightly`;
    afterReading(() => kit.client.hset(hash, 'fired', 7));
    await queue.rescheduleJobScheduler('nightly', { every: 80_000 });
    expect(await queue.getJobScheduler('nightly')).toMatchObject({ every: 80_000, iterationCount: 7 });
  });

  test('two at once: one of the rules is there, whole', async () => {
    const queue = kit.queue();
    await queue.upsertJobScheduler('nightly', { every: 60_000, immediately: false }, { name: 'report' });
    const rules = [...Array(20).keys()].map((n) => ({ every: 70_000 + n * 1_000, limit: 100 + n }));
    await Promise.all(rules.map((rule) => kit.queue().rescheduleJobScheduler('nightly', rule)));
    const { every = 0, limit, name } = (await queue.getJobScheduler('nightly'))!;
    expect(rules).toContainEqual({ every, limit });
    expect(name).toBe('report');
  });
});
