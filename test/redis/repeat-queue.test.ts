import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../lib/engine/base/errors.js';
import type { JobsOptions, RepeatOptions } from '../../lib/engine/config/options.js';
import { Queue } from '../../lib/engine/api/queue.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
let queue: Queue;

beforeEach(() => {
  queue = new Queue('reports', { connection: redis.connection });
});
afterEach(() => queue.close());

describe('Queue.add with repeat', () => {
  it('stores a schedule and returns a job whose id is its key', async () => {
    const job = await queue.add(
      'digest',
      { to: 'all' },
      { repeat: { pattern: '0 8 * * *', tz: 'Europe/Madrid' } },
    );
    expect(job.id).toBe('digest::cron:0 8 * * *:Europe/Madrid');
    expect(job).toMatchObject({ name: 'digest', data: { to: 'all' }, duplicate: false, attemptsMade: 0 });
    expect(await redis.client.exists(queue.keys.stream, queue.keys.delayed)).toBe(0);

    const again = await queue.add(
      'digest',
      { to: 'all' },
      { repeat: { pattern: '0 8 * * *', tz: 'Europe/Madrid' } },
    );
    expect(again).toMatchObject({ id: job.id, duplicate: true });
    expect(await redis.client.zcard(queue.keys.repeat)).toBe(1);
  });

  it('lists all schedules, or as many as the caller wants', async () => {
    const every = { repeat: { every: 3_600_000 } };
    const keys = Array.from({ length: 130 }, (_, i) => `key ${String(i)}`);
    await Promise.all(keys.map((key) => queue.add('a', 1, { ...every, repeatJobKey: key })));
    expect((await queue.getRepeatableJobs()).map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    expect(await queue.getRepeatableJobs(7)).toHaveLength(7);
  });

  it('lists and removes', async () => {
    const before = Date.now();
    const endDate = new Date(before + 9_000_000);
    await queue.add('a', 1, {
      repeatJobKey: 'hourly',
      repeat: {
        every: 3_600_000,
        limit: 9,
        startDate: before,
        endDate: endDate.toISOString(),
        missedFires: { kind: 'fire-all', maxCatchup: 2 },
        skipIfRunning: true,
      },
    });
    await queue.add('b', 2, { repeat: { pattern: '*/30 * * * * *', tz: '+05:30' } });
    const [b, a] = await queue.getRepeatableJobs();
    expect(b).toEqual({
      key: 'b::cron:*/30 * * * * *:+05:30',
      jobName: 'b',
      patternKind: 'cron',
      pattern: '*/30 * * * * *',
      tz: '+05:30',
      nextFireMs: expect.any(Number) as number,
      fired: 0,
      missedFires: { kind: 'skip' },
      skipIfRunning: false,
    });
    expect(a).toEqual({
      key: 'hourly',
      jobName: 'a',
      patternKind: 'every',
      every: 3_600_000,
      nextFireMs: expect.any(Number) as number,
      fired: 0,
      limit: 9,
      startAfterMs: before,
      endBeforeMs: endDate.getTime(),
      missedFires: { kind: 'fire-all', maxCatchup: 2 },
      skipIfRunning: true,
    });
    expect(a!.nextFireMs - before).toBeGreaterThanOrEqual(3_600_000);
    expect(b!.nextFireMs % 30_000).toBe(0);
    expect(await queue.getRepeatableJobs(1)).toEqual([b]);
    expect(await queue.removeRepeatableByKey('hourly')).toBe(true);
    expect(await queue.removeRepeatableByKey('hourly')).toBe(false);
    expect(await queue.getRepeatableJobs()).toEqual([b]);
  });

  it('applies the default job options', async () => {
    const options = { connection: redis.connection, defaultJobOptions: { attempts: 7 } };
    await using other = new Queue('reports', options);
    const job = await other.add('a', 1, { repeat: { every: 1_000 } });
    expect(await redis.client.hexists(queue.keys.repeatSpec(job.id), 'retry')).toBe(1);
  });

  it.each<[string, RepeatOptions, string]>([
    ['neither pattern nor every', {}, 'neither'],
    ['both', { pattern: '* * * * *', every: 1_000 }, 'both'],
    ['a wrong pattern', { pattern: '99 * * * *' }, '"99 * * * *"'],
    ['a wrong zone', { pattern: '* * * * *', tz: 'Mars/Olympus' }, '"Mars/Olympus"'],
    ['a wrong interval', { every: 0 }, '"every"'],
    ['a wrong limit', { every: 1, limit: 0 }, '"limit"'],
    ['a date that is none', { every: 1, startDate: 'tomorrow' }, '"startDate"'],
    ['a time that no Date can have', { every: 1, startDate: 9e15 }, '"startDate"'],
    ['a cron start after the calendar', { pattern: '* * * * *', startDate: 8.64e15 }, 'never fire'],
    ['an end in 1970', { every: 1, endDate: new Date(0) }, 'endDate 1970-01-01T00:00:00.000Z'],
    ['an end in the past', { every: 1, endDate: '2020-01-01' }, '2020-01-01T00:00:00.000Z'],
    ['an end before the first fire', { every: 9e8, endDate: Date.now() + 3_600_000 }, 'never fire'],
    ['a policy that is none', { every: 1, missedFires: { kind: 'fire-all' } as never }, '"missedFires"'],
    ['an unknown option', { every: 1, skipIfRuning: true } as never, 'Did you mean "skipIfRunning"?'],
  ])('refuses %s', async (_, repeat, message) => {
    const added = queue.add('a', 1, { repeat });
    await expect(added).rejects.toThrow(ConfigError);
    await expect(added).rejects.toThrow(message);
    expect(await redis.client.dbsize()).toBe(0);
  });

  it.each<JobsOptions>([{ delay: 5 }, { jobId: 'mine' }, { timestamp: 5 }])(
    'refuses %j beside it',
    async (options) => {
      await expect(queue.add('a', 1, { ...options, repeat: { every: 1_000 } })).rejects.toThrow(
        'cannot be combined with',
      );
    },
  );

  it('is not for addBulk', async () => {
    const job = { name: 'a', data: 1, opts: { repeat: { every: 1_000 } } as object };
    await expect(queue.addBulk([job])).rejects.toThrow('"repeat" is for Queue.add');
  });

  it('refuses a payload that is too large', async () => {
    await expect(queue.add('a', 'x'.repeat(2 ** 20), { repeat: { every: 1_000 } })).rejects.toMatchObject({
      code: 'CMQ-023',
    });
  });
});
