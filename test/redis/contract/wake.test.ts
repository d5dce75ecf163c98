import { Redis } from 'ioredis';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Promoter, Scheduler } from '../../../lib/engine/index.js';
import type { WorkerOptions } from '../../../lib/engine/index.js';
import { KEYS, NAME, eventually, fields, next, useKit } from './kit.js';

const redis = useKit();

/** How late a due job can start, whichever process is stopped: see "Start times" in docs/reliability.md. */
const BOUND_MS = 2_000;
/** For a machine with few cores. */
const SLACK_MS = 500;

const ghosts: Redis[] = [];
const running: { stop: AbortController; done: Promise<void> }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const ghost of ghosts.splice(0)) ghost.disconnect();
  for (const { stop, done } of running.splice(0)) {
    stop.abort();
    await done;
  }
});

/** Runs until the test is over. */
function run(service: { run: (signal: AbortSignal) => Promise<void> }): void {
  const stop = new AbortController();
  running.push({ stop, done: service.run(stop.signal) });
}

/** A process that was stopped while it waited: Redis delivers wake entries to it first, and nothing comes of them. */
async function ghost(...streams: string[]): Promise<void> {
  const client = new Redis(redis.url);
  ghosts.push(client);
  const id = String(await client.client('ID'));
  for (const stream of streams) await client.xgroup('CREATE', stream, 'default', '0', 'MKSTREAM');
  const read = client.call(
    ...(['XREADGROUP', 'GROUP', 'default', 'ghost', 'BLOCK', '0', 'STREAMS'] as [string, ...string[]]),
    ...streams,
    ...streams.map(() => '>'),
  );
  read.catch(() => undefined);
  await eventually(async () => {
    expect(String(await redis.client.client('LIST', 'ID', Number(id)))).toContain('cmd=xreadgroup');
  });
}

async function swallowed(stream: string): Promise<number> {
  const [group] = (await redis.client.xinfo('GROUPS', stream)) as unknown[][];
  return Number(fields(group!.map(String))['pending']);
}

describe('a wake entry that a stopped process has read', () => {
  test('does not delay a delayed job', async () => {
    await ghost(KEYS.promoterWake);
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    const queue = redis.queue();
    const begun = performance.now();
    await queue.add('late', 1, { delay: 200 });
    await next(worker, 'completed');
    expect(await swallowed(KEYS.promoterWake)).toBe(1);
    expect(performance.now() - begun - 200).toBeLessThan(BOUND_MS + SLACK_MS);
  });

  test('nor if another job is due much later, and a standalone promoter promotes', async () => {
    const queue = redis.queue();
    await queue.add('far', 1, { delay: 3_600_000 });
    await redis.client.del(KEYS.promoterWake);
    await ghost(KEYS.promoterWake);
    const worker = redis.worker(() => undefined, { delayedEnabled: false });
    await next(worker, 'ready');
    run(new Promoter({ ...redis.connection }, { queueName: NAME }));
    await eventually(async () => {
      expect(await redis.client.exists(KEYS.promoterLock)).toBe(1);
    });
    const begun = performance.now();
    await queue.add('late', 1, { delay: 200 });
    await next(worker, 'completed');
    expect(await swallowed(KEYS.promoterWake)).toBe(1);
    expect(performance.now() - begun - 200).toBeLessThan(BOUND_MS + SLACK_MS);
  });

  test.each(['worker', 'scheduler'])('does not delay a schedule (%s)', async (kind) => {
    await ghost(KEYS.schedulerWake);
    const alone = kind === 'scheduler';
    const worker = redis.worker(() => undefined, { runScheduler: !alone });
    await next(worker, 'ready');
    if (alone) run(new Scheduler({ ...redis.connection }, { queueName: NAME }));
    const queue = redis.queue();
    const begun = performance.now();
    await queue.add('tick', null, { repeat: { every: 300, limit: 1 } });
    await next(worker, 'completed');
    expect(await swallowed(KEYS.schedulerWake)).toBe(1);
    expect(performance.now() - begun - 300).toBeLessThan(BOUND_MS + SLACK_MS);
  });
});

describe('a retry', () => {
  const BACKOFF_MS = 100;

  async function lastWake(): Promise<string> {
    const info = (await redis.client.xinfo('STREAM', KEYS.promoterWake)) as unknown[];
    return String(info[info.indexOf('last-generated-id') + 1]);
  }

  /** Fails the first attempt of each job; returns the time from adding a job to its completion. */
  async function retrying(options: Partial<WorkerOptions>): Promise<{ time: () => Promise<number> }> {
    const worker = redis.worker(({ attemptsMade }) => {
      if (attemptsMade === 1) throw new Error('again');
    }, options);
    await next(worker, 'ready');
    return {
      time: async () => {
        const completed = next(worker, 'completed');
        const begun = performance.now();
        await redis.queue().add('a', 1, { attempts: 2, backoff: BACKOFF_MS });
        await completed;
        return performance.now() - begun;
      },
    };
  }

  test('of a worker without a promoter runs in time: it wakes the promoter of another process', async () => {
    run(new Promoter({ ...redis.connection }, { queueName: NAME }));
    const { time } = await retrying({ delayedEnabled: false });
    await eventually(lastWake);
    const before = await lastWake();
    let total = 0;
    for (let i = 0; i < 5; i++) total += await time();
    expect(await lastWake()).not.toBe(before);
    // Without the wake entries, half a second each.
    expect(total).toBeLessThan(5 * (BACKOFF_MS + 300));
  });

  test('that is due later than other jobs wakes nobody', async () => {
    const worker = redis.worker(() => Promise.reject(new Error('no')), { delayedEnabled: false });
    await next(worker, 'ready');
    await redis.queue().add('sooner', 1, { delay: 5_000 });
    const before = await lastWake();
    await redis.queue().add('a', 1, { attempts: 2, backoff: 60_000 });
    await next(worker, 'failed');
    expect(await redis.client.zcard(KEYS.delayed)).toBe(2);
    expect(await lastWake()).toBe(before);
  });

  test('of a worker with a promoter runs in time whichever process leads, and wakes no other', async () => {
    run(new Promoter({ ...redis.connection }, { queueName: NAME }));
    await redis.queue().add('far', 1, { delay: 3_600_000 });
    await eventually(async () => {
      expect(await redis.client.exists(KEYS.promoterLock)).toBe(1);
    });
    const { time } = await retrying({});
    const before = await lastWake();
    let total = 0;
    for (let i = 0; i < 5; i++) total += await time();
    expect(await lastWake()).toBe(before);
    expect(total).toBeLessThan(5 * (BACKOFF_MS + 300));
  });
});

describe('a leader that is stopped and holds its lock', () => {
  const lead = (lock: string): Promise<unknown> => redis.client.set(lock, 'stopped', 'PX', 60_000);

  test('does not delay delayed jobs', async () => {
    const worker = redis.worker(() => undefined, { delayedLockTtlSecs: 60 });
    await next(worker, 'ready');
    const queue = redis.queue();
    const begun = performance.now();
    await queue.add('late', 1, { delay: 300 });
    // Its wake entry made the worker lead.
    await eventually(async () => {
      expect(await redis.client.get(KEYS.promoterLock)).toMatch(/^p-/);
    });
    await lead(KEYS.promoterLock);
    await next(worker, 'completed');
    expect(performance.now() - begun - 300).toBeLessThan(BOUND_MS + SLACK_MS);
  });

  test('nor by schedules', async () => {
    const options: Partial<WorkerOptions> = { scheduler: { lockTtlSecs: 60 } };
    const worker = redis.worker(() => undefined, options);
    await next(worker, 'ready');
    const begun = performance.now();
    await redis.queue().add('tick', null, { repeat: { every: 300, limit: 1 } });
    await eventually(async () => {
      expect(await redis.client.get(KEYS.schedulerLock)).toMatch(/^s-/);
    });
    await lead(KEYS.schedulerLock);
    await next(worker, 'completed');
    expect(performance.now() - begun - 300).toBeLessThan(BOUND_MS + 500 + SLACK_MS);
  });

  test('a leader that works keeps its lock, however much is overdue', async () => {
    await redis.client.zadd(KEYS.delayed, 1, 'not a job');
    await redis.client.set(KEYS.promoterLock, 'busy', 'PX', 5_000);
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    // It renews as often as it promotes.
    const renewing = setInterval(() => void redis.client.pexpire(KEYS.promoterLock, 5_000), 100);
    try {
      const looks = async (): Promise<number> =>
        Number(/cmdstat_pttl:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
      const before = await looks();
      await eventually(async () => {
        expect(await looks()).toBeGreaterThan(before + 1);
      });
      expect(await redis.client.get(KEYS.promoterLock)).toBe('busy');
      expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
    } finally {
      clearInterval(renewing);
    }
    await redis.client.del(KEYS.delayed);
  });
});

describe('the clock of this host', () => {
  test.each([
    ['an hour forward', 3_600_000],
    ['an hour back', -3_600_000],
  ])('set %s, delays and backoffs are as long as ever', async (_, step) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const start = Date.now();
    const worker = redis.worker((job) => {
      if (job.name === 'retried' && job.attemptsMade === 1) throw new Error('again');
    });
    await next(worker, 'ready');
    const queue = redis.queue();
    const timed = async (name: string, opts: object): Promise<number> => {
      const begun = performance.now();
      const completed = next(worker, 'completed');
      await queue.add(name, 1, opts);
      await completed;
      return performance.now() - begun;
    };
    // The offset between the clocks is learned before the step, and used after it.
    await timed('delayed', { delay: 50 });
    vi.setSystemTime(start + step);
    expect(await timed('retried', { attempts: 2, backoff: 200 })).toBeLessThan(200 + 1_000);
    expect(await timed('delayed', { delay: 200 })).toBeLessThan(200 + 1_000);
    vi.setSystemTime(start);
    expect(await timed('retried', { attempts: 2, backoff: 200 })).toBeLessThan(200 + 1_000);
  });
});
