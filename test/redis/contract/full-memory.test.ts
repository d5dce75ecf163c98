import { afterEach, describe, expect, test } from 'vitest';
import type { Queue } from '../../../lib/engine/index.js';
import { KEYS, eventually, next, rejection, take, useKit } from './kit.js';

/* A server at its memory limit, with noeviction: whatever makes room or moves jobs goes on; whatever needs room is refused as a whole. */

const redis = useKit();
const HOUR = 3_600_000;
const key = (name: string): string => `${KEYS.prefix}${name}`;
const size = {
  waiting: () => redis.client.xlen(KEYS.stream),
  delayed: () => redis.client.zcard(KEYS.delayed),
  dead: () => redis.client.xlen(KEYS.dlq),
  completed: () => redis.client.zcard(key('completed')),
};

async function fillMemory(): Promise<void> {
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  await redis.client.config('SET', 'maxmemory', '1');
  expect((await rejection(redis.client.set('x', 1))).message).toContain('OOM');
}

afterEach(async () => {
  await redis.client.config('SET', 'maxmemory', '0');
});

let ids = 0;

async function add(queue: Queue, count: number, opts = {}): Promise<void> {
  await queue.addBulk(
    Array.from({ length: count }, (_, data) => ({
      name: 'a',
      data,
      opts: { ...opts, ...(data % 2 === 0 && { jobId: `id-${(ids += 1)}` }) },
    })),
  );
}

async function run(queue: Queue, count: number, outcome: 'completed' | 'deadLettered'): Promise<void> {
  const worker = redis.worker(
    () => {
      if (outcome === 'deadLettered') throw new Error('x');
    },
    { maxAttempts: 1 },
  );
  worker.on('failed', () => undefined);
  const done = take(worker, outcome, count);
  await add(queue, count);
  await done;
  await worker.close();
}

describe('on a full server', () => {
  test('drain and clean remove jobs of every state', async () => {
    const queue = redis.queue({ trackJobs: true });
    await run(queue, 10, 'completed');
    await run(queue, 10, 'deadLettered');
    await add(queue, 20);
    await add(queue, 20, { delay: HOUR });
    await fillMemory();
    expect(await queue.clean(0, 4)).toHaveLength(4);
    expect(await queue.clean(0, 4, 'failed')).toHaveLength(4);
    expect(await queue.clean(0, 4, 'wait')).toHaveLength(4);
    expect(await queue.clean(0, 4, 'delayed')).toHaveLength(4);
    await queue.drain(true);
    expect(await queue.clean(0, 0)).toHaveLength(6);
    expect(await queue.dropDlq({ all: true })).toBe(6);
    expect([await size.waiting(), await size.delayed()]).toEqual([0, 0]);
    expect((await redis.keys()).filter((name) => /:(job|job-runs|job-logs|dlid|didx):/.test(name))).toEqual(
      [],
    );
  });

  test('obliterate deletes the queue', async () => {
    const queue = redis.queue({ trackJobs: true });
    await run(queue, 10, 'deadLettered');
    await add(queue, 20, { delay: HOUR });
    await queue.add('tick', 1, { repeat: { every: HOUR } });
    await fillMemory();
    await queue.obliterate();
    const left = (await redis.keys()).filter((name) => !/:(events|wake:|repeat:gone:)|lock$/.test(name));
    expect(left).toEqual([]);
  });

  test('jobs are promoted, moved, retried, cancelled and removed; new data is refused as a whole', async () => {
    const queue = redis.queue({ trackJobs: true });
    await run(queue, 3, 'completed');
    await run(queue, 3, 'deadLettered');
    const options = (jobId: string): object => ({ jobId, delay: HOUR });
    const jobs = await queue.addBulk(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({ name: 'a', data: 1, opts: options(id) })),
    );
    const [a, b, c, d] = jobs;
    await fillMemory();
    await a!.promote();
    await a!.moveToDelayed(Date.now() + HOUR);
    await b!.changeDelay(2 * HOUR);
    await c!.remove();
    expect(await queue.cancel('f')).toBe('removed');
    const before = await redis.snapshot();
    expect((await rejection(d!.updateData('x'.repeat(100)))).message).toContain('OOM');
    expect((await rejection(queue.addJobLog('d', 'row'))).message).toContain('OOM');
    expect((await rejection(queue.updateJobProgress('d', 5))).message).toContain('OOM');
    expect(await redis.snapshot()).toEqual(before);
    await queue.promoteJobs();
    expect([await size.waiting(), await size.delayed()]).toEqual([4, 0]);
    await queue.retryJobs({ state: 'completed' });
    await queue.retryJobs();
    expect([await size.waiting(), await size.dead(), await size.completed()]).toEqual([10, 0, 0]);
  });

  test('the queue is paused and resumed', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => undefined);
    await next(worker, 'ready');
    await fillMemory();
    await queue.pause();
    expect(await queue.isPaused()).toBe(true);
    await eventually(() => expect(worker.health().paused).toBe(true));
    await queue.resume();
    await eventually(() => expect(worker.health().paused).toBe(false));
  });

  test('tracked jobs complete, retry and fail, and all of it is kept', async () => {
    const queue = redis.queue({ trackJobs: true });
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const worker = redis.worker(
      async (job) => {
        await opened;
        if (job.name === 'bad') throw new Error('x');
        return job.data;
      },
      { concurrency: 20, maxAttempts: 2 },
    );
    worker.on('failed', () => undefined);
    const active = take(worker, 'active', 20);
    const jobs = await queue.addBulk(
      Array.from({ length: 20 }, (_, data) => ({ name: data % 2 === 0 ? 'bad' : 'good', data })),
    );
    await active;
    await fillMemory();
    const completed = take(worker, 'completed', 10);
    const dead = take(worker, 'deadLettered', 10);
    open();
    await Promise.all([completed, dead]);
    expect([await size.waiting(), await size.delayed()]).toEqual([0, 0]);
    expect([await size.dead(), await size.completed()]).toEqual([10, 10]);
    const good = await queue.getJob(jobs[1]!.id);
    expect(good).toMatchObject({ data: 1, returnvalue: 1 });
    const bad = await queue.getJob(jobs[0]!.id);
    expect(await bad?.getState()).toBe('failed');
    expect(await redis.client.hlen(key(`job-runs:${jobs[0]!.id}`))).toBe(2);
  });
});
