import { describe, expect, test } from 'vitest';
import { readTracked } from '../../../lib/engine/admin/tracked.js';
import type { CommandLink } from '../../../lib/engine/connection/command-link.js';
import type { Job, JobProgress, ProgressEvent, QueueOptions } from '../../../lib/engine/index.js';
import { runnerOn } from '../../support/script-runner.js';
import { KEYS, Latch, eventually, next, take, useKit } from './kit.js';

const redis = useKit();
const TRACKED: Partial<QueueOptions> = { trackJobs: true };

async function stored(id: string): Promise<JobProgress | undefined> {
  return (await readTracked(runnerOn(redis.client) as CommandLink, KEYS, [id]))[0]?.progress;
}

/** Runs one job with this handler; resolves when it has completed. */
async function run(options: Partial<QueueOptions>, handler: (job: Job) => unknown): Promise<Job> {
  const worker = redis.worker(async (job) => handler(job));
  const ended = Promise.race([
    next(worker, 'completed'),
    next(worker, 'failed').then(([, error]) => Promise.reject(error)),
  ]);
  const job = await redis.queue(options).add('a', 1);
  await ended;
  return job;
}

/** Keys that are left of logs and runs. */
async function left(): Promise<string[]> {
  return (await redis.keys()).filter((key) => /:job(-runs|-logs)?:/.test(key));
}

describe('progress', () => {
  test.each<JobProgress>([50, { step: 2, of: 'π "\n' }, 'half', true, [1, 2]])(
    'reaches QueueEvents, and is stored: %j',
    async (value) => {
      const events = await redis.events();
      const told = next(events, 'progress');
      const { id } = await run(TRACKED, (job) => job.updateProgress(value));
      expect((await told)[0]).toMatchObject({ jobId: id, name: 'a', data: value });
      expect(await stored(id)).toEqual(value);
    },
  );

  test('of a job that is not tracked is an event, and nothing is stored', async () => {
    const events = await redis.events();
    const told = next(events, 'progress');
    const { id } = await run({}, (job) => job.updateProgress(7));
    expect((await told)[0]).toMatchObject({ jobId: id, data: 7 });
    expect(await left()).toEqual([]);
  });

  test('that comes fast is coalesced: the newest arrives, in order', async () => {
    const events = await redis.events();
    const heard: ProgressEvent[] = [];
    events.on('progress', (event) => heard.push(event));
    const { id } = await run(TRACKED, async (job) => {
      const all: Promise<void>[] = [];
      for (let i = 1; i <= 1_000; i += 1) all.push(job.updateProgress(i));
      await Promise.all(all);
    });
    await eventually(() => expect(heard.at(-1)?.data).toBe(1_000));
    expect(heard.length).toBeLessThan(10);
    expect(await stored(id)).toBe(1_000);
  });

  test('that has no JSON, or is too large, is refused', async () => {
    await run(TRACKED, async (job) => {
      await expect(job.updateProgress(1n as never)).rejects.toMatchObject({ code: 'CMQ-002' });
      await expect(job.updateProgress(undefined as never)).rejects.toMatchObject({ code: 'CMQ-004' });
      for (const odd of [NaN, { a: NaN }, [1, [Infinity]]]) {
        await expect(job.updateProgress(odd)).rejects.toMatchObject({ code: 'CMQ-004', name: 'TypeError' });
      }
      await expect(job.updateProgress('x'.repeat(70_000))).rejects.toMatchObject({ code: 'CMQ-023' });
      const cyclic: { self?: unknown } = {};
      cyclic.self = cyclic;
      await expect(job.updateProgress(cyclic)).rejects.toMatchObject({ code: 'CMQ-002' });
      // Nobody waits for this one, and the process goes on.
      void job.updateProgress(1n as never);
    });
  });

  test('from outside of the handler', async () => {
    const queue = redis.queue(TRACKED);
    const events = await redis.events();
    const waiting = await queue.add('a', 1);
    const delayed = await queue.add('a', 1, { delay: 60_000, removeOnComplete: 5 });
    for (const { id } of [waiting, delayed]) {
      const told = next(events, 'progress');
      await queue.updateJobProgress(id, 5);
      expect((await told)[0]).toMatchObject({ jobId: id, data: 5 });
      expect(await stored(id)).toBe(5);
    }
    await expect(queue.updateJobProgress('unknown', 5)).rejects.toMatchObject({
      code: 'CMQ-106',
      jobId: 'unknown',
    });
  });

  test('from outside, of a live job that is not tracked, is an event only', async () => {
    const { id } = await redis.queue().add('a', { keep: 1 }, { jobId: 'mine', removeOnFail: true });
    const events = await redis.events();
    const told = take(events, 'progress', 2);
    await redis.queue(TRACKED).updateJobProgress(id, 5);
    await redis.queue().updateJobProgress('unknown', 6);
    expect((await told).map(({ data }) => data)).toEqual([5, 6]);
    expect(await left()).toEqual([]);
  });
});

test('a report that a full Redis refuses does not fail the job, and is told once', async () => {
  const queue = redis.queue(TRACKED);
  const latch = new Latch();
  const rows: number[] = [];
  const worker = redis.worker(async (job) => {
    await latch.opened;
    for (let i = 0; i < 3; i += 1) {
      await job.updateProgress(i);
      rows.push(await job.log('x'));
    }
  });
  const active = next(worker, 'active');
  const { id } = await queue.add('a', 1, { attempts: 1 });
  await active;
  await redis.client.config('SET', 'maxmemory', '1');
  try {
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(rows).toEqual([0, 0, 0]);
    expect(redis.errors.filter((error) => String(error).includes('OOM'))).toHaveLength(1);
    // Outside of a handler, the caller is told.
    await expect(queue.addJobLog(id, 'x')).rejects.toMatchObject({ code: 'CMQ-001' });
  } finally {
    await redis.client.config('SET', 'maxmemory', '0');
  }
  redis.errors.length = 0;
});

describe('the log', () => {
  test('of a job: rows in order, in either direction', async () => {
    const { id } = await run(TRACKED, async (job) => {
      expect(await job.log('one')).toBe(1);
      expect(await job.log('two')).toBe(2);
      expect(await Promise.all([job.log('three'), job.log('four\n"\u0000')])).toEqual([3, 4]);
    });
    const queue = redis.queue();
    const all = ['one', 'two', 'three', 'four\n"\u0000'];
    expect(await queue.getJobLogs(id)).toEqual({ logs: all, count: 4 });
    expect(await queue.getJobLogs(id, 1, 2)).toEqual({ logs: ['two', 'three'], count: 4 });
    expect(await queue.getJobLogs(id, 0, 1, false)).toEqual({ logs: [all[3], 'three'], count: 4 });
    expect(await queue.getJobLogs(id, -2, -1)).toEqual({ logs: all.slice(2), count: 4 });
    expect(await queue.getJobLogs(id, 0, -1, false)).toEqual({ logs: [...all].reverse(), count: 4 });
    expect(await queue.getJobLogs(id, 7, 9)).toEqual({ logs: [], count: 4 });
    expect(await queue.getJobLogs('unknown')).toEqual({ logs: [], count: 0 });
    expect(await queue.addJobLog(id, 'after the end', 2)).toBe(2);
    expect(await queue.getJobLogs(id)).toEqual({ logs: [all[3], 'after the end'], count: 2 });
  });

  test('keeps the newest rows: keepLogs, clearLogs', async () => {
    const worker = redis.worker(async (job) => {
      for (let i = 1; i <= 5; i += 1) await job.log(`row ${i}`);
    });
    const done = next(worker, 'completed');
    const queue = redis.queue(TRACKED);
    const job = await queue.add('a', 1, { keepLogs: 3 });
    await done;
    expect((await queue.getJobLogs(job.id)).logs).toEqual(['row 3', 'row 4', 'row 5']);
    await job.clearLogs(1);
    expect((await queue.getJobLogs(job.id)).logs).toEqual(['row 5']);
    await job.clearLogs();
    expect(await queue.getJobLogs(job.id)).toEqual({ logs: [], count: 0 });
  });

  test('keeps as many rows as the job says, by all who add them, in every state of the job', async () => {
    const queue = redis.queue(TRACKED);
    const five = async (id: string): Promise<number> => {
      let rows = 0;
      for (let i = 1; i <= 5; i += 1) rows = await queue.addJobLog(id, `row ${i}`);
      return rows;
    };
    const waits = await queue.add('a', 1, { keepLogs: 3 });
    const delayed = await queue.add('a', 1, { keepLogs: 3, delay: 60_000 });
    const inRoom = await queue.add('a', 1, { keepLogs: 3, priority: 1 });
    const all = await queue.add('a', 1, { keepLogs: 0 });
    for (const { id } of [waits, delayed, inRoom]) expect(await five(id)).toBe(3);
    expect(await five(all.id)).toBe(5);
    expect(await queue.addJobLog(delayed.id, 'row 6', 4)).toBe(4);
    expect(await queue.addJobLog(delayed.id, 'row 7')).toBe(3);
    await queue.drain(true);

    const fails = await queue.add('a', 'fails', { keepLogs: 2, attempts: 1 });
    const completes = await queue.add('a', 'completes', { keepLogs: 2 });
    const unset = await queue.add('a', 'completes');
    const latch = new Latch();
    const active = next(
      redis.worker(async ({ data }) => {
        await latch.opened;
        if (data === 'fails') throw new Error('no');
        return data;
      }),
      'active',
    );
    await active;
    expect(await five(fails.id)).toBe(2);
    latch.open();
    await expect
      .poll(() => queue.getJobCounts('completed', 'failed'))
      .toMatchObject({ completed: 2, failed: 1 });
    expect(await five(fails.id)).toBe(2);
    expect(await five(completes.id)).toBe(2);
    expect(await five(unset.id)).toBe(5);
    expect((await queue.getJobLogs(completes.id)).logs).toEqual(['row 4', 'row 5']);
  });

  test('of 100,000 rows, and a row of a megabyte', async () => {
    const { id } = await run(TRACKED, async (job) => {
      const rows: Promise<number>[] = [];
      for (let i = 0; i < 100_000; i += 1) rows.push(job.log(`row ${i}`));
      expect(await rows.at(-1)).toBe(10_000);
      await job.log('x'.repeat(1 << 20));
    });
    const { logs, count } = await redis.queue().getJobLogs(id);
    expect(count).toBe(10_000);
    expect(logs).toHaveLength(10_000);
    expect(logs[0]).toBe('row 90001');
    expect(logs.at(-1)).toBe(`${'x'.repeat(32_767)}…`);
  });

  test('is read in pages, whatever its size', async () => {
    const { id } = await run(TRACKED, async (job) => {
      await Promise.all(Array.from({ length: 200 }, (_, i) => job.log(`${i} ${'x'.repeat(30_000)}`)));
    });
    const { logs } = await redis.queue().getJobLogs(id);
    expect(logs.map((row) => Number.parseInt(row, 10))).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('of a job that is not tracked is an event', async () => {
    const events = await redis.events();
    const told = next(events, 'log');
    const { id } = await run({}, async (job) => {
      expect(await job.log('hello')).toBe(0);
    });
    expect((await told)[0]).toMatchObject({ jobId: id, name: 'a', row: 'hello' });
    expect(await left()).toEqual([]);
  });

  test('refuses what is no text, and ids that are unknown', async () => {
    const queue = redis.queue(TRACKED);
    await run(TRACKED, async (job) => {
      await expect(job.log(1 as never)).rejects.toMatchObject({ code: 'CMQ-004' });
    });
    await expect(queue.addJobLog('unknown', 'x')).rejects.toMatchObject({ code: 'CMQ-106' });
    await expect(queue.addJobLog('unknown', 'x', -1)).rejects.toMatchObject({ code: 'CMQ-004' });
    await expect(queue.getJobLogs('a', 0.5)).rejects.toMatchObject({ code: 'CMQ-004' });
    expect((await left()).filter((key) => key.includes('unknown'))).toEqual([]);
  });

  test('is gone with the job, and late rows leave nothing', async () => {
    const queue = redis.queue(TRACKED);
    const latch = new Latch();
    const worker = redis.worker(async (job) => {
      await job.log('running');
      await job.updateProgress(1);
      void latch.opened.then(() => {
        void job.log('late');
      });
    });
    const done = next(worker, 'completed');
    const { id } = await queue.add('a', 1, { removeOnComplete: true });
    await done;
    expect(await left()).toEqual([]);
    latch.open();
    await expect(queue.addJobLog(id, 'later')).rejects.toMatchObject({ code: 'CMQ-106' });
    expect(await left()).toEqual([]);
  });
});
