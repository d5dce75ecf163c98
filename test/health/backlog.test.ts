import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Queue, QueueEvents, UnrecoverableError, Worker } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
let queue: Queue;
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  queue = new Queue('mail', { connection: redis.connection });
  open.push(queue);
});

afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close();
});

const EMPTY = {
  waiting: 0,
  oldestWaitingMs: 0,
  active: 0,
  delayed: 0,
  due: 0,
  overdueMs: 0,
  deadLetters: 0,
  dueSchedules: 0,
  prioritized: 0,
  schedulesOverdueMs: 0,
  startable: 0,
  paused: false,
  pausedSince: undefined,
};

describe('getBacklog', () => {
  it('is all zero for an unused queue', async () => {
    expect(await queue.getBacklog()).toEqual(EMPTY);
    expect(await redis.client.keys('*')).toEqual([]);
  });

  it('counts what waits where no worker has ever been', async () => {
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'send', data })));
    await queue.add('send', 4, { delay: 60_000 });
    expect(await queue.getBacklog()).toMatchObject({ waiting: 3, active: 0, delayed: 1, due: 0 });
  });

  it('has the wait of the oldest job, by the clock of Redis', async () => {
    const [seconds] = await redis.client.time();
    const hourAgo = (Number(seconds) - 3600) * 1000;
    await redis.client.xadd(queue.keys.stream, `${hourAgo}-0`, 'd', 'x');
    await queue.add('send', 1);
    const { waiting, oldestWaitingMs } = await queue.getBacklog();
    expect(waiting).toBe(2);
    expect(oldestWaitingMs).toBeGreaterThanOrEqual(3_600_000);
    expect(oldestWaitingMs).toBeLessThan(3_700_000);
  });

  it('has due schedules, but not paused ones', async () => {
    await queue.upsertJobScheduler('poll', { every: 10 });
    await queue.upsertJobScheduler('digest', { pattern: '0 8 1 1 *' });
    await expect.poll(() => queue.getBacklog()).toMatchObject({ dueSchedules: 1 });
    expect((await queue.getBacklog()).schedulesOverdueMs).toBeGreaterThanOrEqual(0);
    await queue.pauseJobScheduler('poll');
    expect(await queue.getBacklog()).toMatchObject({ dueSchedules: 0, schedulesOverdueMs: 0, waiting: 0 });
  });

  it.each([
    ['a group that was moved past them (XGROUP SETID)', false],
    ['a consumer that was deleted with them (XGROUP DELCONSUMER)', true],
  ])('shows jobs that no worker gets any more: after %s', async (_, deleted) => {
    const { stream } = queue.keys;
    const [seconds] = await redis.client.time();
    const anHourAgo = (Number(seconds) - 3600) * 1000;
    const add = (ms: number): Promise<unknown> => redis.client.xadd(stream, `${String(ms)}-0`, 'd', 'x');
    const fetch = (consumer: string): Promise<unknown> =>
      redis.client.xreadgroup('GROUP', 'default', consumer, 'COUNT', 1, 'STREAMS', stream, '>');
    await redis.client.xgroup('CREATE', stream, 'default', '0', 'MKSTREAM');
    // An older job runs, so the stuck one is not at the head of the stream.
    await add(anHourAgo - 1);
    await fetch('worker');
    await add(anHourAgo);
    if (deleted) {
      await fetch('gone');
      await redis.client.xgroup('DELCONSUMER', stream, 'default', 'gone');
    } else {
      await redis.client.xgroup('SETID', stream, 'default', '$');
    }
    const backlog = await queue.getBacklog();
    expect(backlog).toMatchObject({ waiting: 1, active: 1 });
    expect(backlog.oldestWaitingMs).toBeGreaterThanOrEqual(3_600_000);
  });

  it('searches among the 100 oldest in-flight jobs, and counts no in-flight job as waiting', async () => {
    const { stream } = queue.keys;
    await redis.client.xgroup('CREATE', stream, 'default', '0', 'MKSTREAM');
    const adding = redis.client.pipeline();
    for (let ms = 1; ms <= 150; ms++) adding.xadd(stream, `${String(ms)}-0`, 'd', 'x');
    await adding.exec();
    await redis.client.xreadgroup('GROUP', 'default', 'worker', 'COUNT', 150, 'STREAMS', stream, '>');
    await queue.add('send', 1);
    const { waiting, active, oldestWaitingMs } = await queue.getBacklog();
    expect({ waiting, active }).toEqual({ waiting: 1, active: 150 });
    expect(oldestWaitingMs).toBeLessThan(60_000);
  });

  it('counts due jobs that are not promoted, and has how late they are', async () => {
    const [seconds] = await redis.client.time();
    await queue.add('send', 1, { delay: 60_000 });
    await redis.client.zadd(queue.keys.delayed, (Number(seconds) - 60) * 1000, 'late');
    const backlog = await queue.getBacklog();
    expect(backlog).toMatchObject({ delayed: 2, due: 1 });
    expect(backlog.overdueMs).toBeGreaterThanOrEqual(60_000);
  });

  it('counts running and waiting jobs apart, and dead letters', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const events = new QueueEvents('mail', { connection: redis.connection });
    open.push(events);
    await events.waitUntilReady();
    const dead = once(events, 'dlq');
    const worker = new Worker(
      'mail',
      async (job) => {
        if (job.name === 'poison') throw new UnrecoverableError('never');
        await released;
      },
      { connection: redis.connection, concurrency: 1, batch: 1 },
    );
    open.push(worker);
    await queue.add('poison', 0);
    await dead;
    const active = once(worker, 'active');
    await queue.add('send', 1);
    await active;
    await queue.add('send', 2);
    const { oldestWaitingMs, ...counts } = await queue.getBacklog();
    expect(oldestWaitingMs).toBeGreaterThanOrEqual(0);
    expect({ ...counts, total: counts.waiting + counts.active }).toEqual({
      active: expect.any(Number) as number,
      waiting: expect.any(Number) as number,
      delayed: 0,
      due: 0,
      overdueMs: 0,
      deadLetters: 1,
      dueSchedules: 0,
      prioritized: 0,
      schedulesOverdueMs: 0,
      startable: expect.any(Number) as number,
      paused: false,
      pausedSince: undefined,
      total: 2,
    });
    expect(counts.active).toBeGreaterThanOrEqual(1);
    release();
  });
});

describe('ping', () => {
  it('resolves with the time of a round trip', async () => {
    expect(await queue.ping()).toBeGreaterThan(0);
  });

  it('is one at a time on a connection', async () => {
    await queue.ping();
    const [first, second] = await Promise.all([queue.ping(), queue.ping()]);
    expect(first).toBe(second);
  });
});
