import { describe, expect, test } from 'vitest';
import { JobFailedError, UnrecoverableError, WaitForResultTimeoutError } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { KEYS, Latch, NAME, next, rejection, useKit } from './kit.js';

const redis = useKit();

describe('job', () => {
  test('toJSON is a plain snapshot', async () => {
    const job = await redis.queue().add('send', { to: 'ada' }, { attempts: 2, delay: 50, timestamp: 5 });
    expect(JSON.parse(JSON.stringify(job))).toEqual({
      id: job.id,
      name: 'send',
      queueName: NAME,
      data: { to: 'ada' },
      opts: { attempts: 2, delay: 50, timestamp: 5 },
      attemptsMade: 0,
      progress: 0,
      stacktrace: [],
      timestamp: 5,
      delay: 50,
      priority: 0,
    });
  });

  test('signal exists only in processors, waitForResult only on producers', async () => {
    const job = await redis.queue().add('a', 1);
    expect(() => job.signal).toThrow(expect.objectContaining({ code: 'CMQ-100' }));
    const worker = redis.worker(async (running) => (await rejection(running.waitForResult())).code, {
      storeResults: true,
    });
    expect((await next(worker, 'completed'))[1]).toBe('CMQ-100');
  });
});

describe('results', () => {
  test.each<[string, unknown]>([
    ['an object', { delivered: true, list: [1, 2.5, null] }],
    ['a string', 'done'],
    ['null', null],
    ['false', false],
    ['0', 0],
    ['a bigint', 2n ** 60n],
    ['bytes', Buffer.from('ff00', 'hex')],
    ['a Date', new Date(1_700_000_000_000)],
  ])('%s is stored and read back', async (_, value) => {
    const queue = redis.queue();
    redis.worker(() => value, { storeResults: true });
    const job = await queue.add('a', 1);
    expect(await job.waitForResult()).toEqual(value);
    expect(await queue.getJobResult(job.id)).toEqual(value);
  });

  test('nothing is stored for undefined, without storeResults, or for a dead letter', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => undefined, { storeResults: true });
    const first = next(worker, 'completed');
    const nothing = await queue.add('a', 1);
    await first;
    await worker.close();
    const other = redis.worker((job) => {
      if (job.name === 'bad') throw new UnrecoverableError('no');
      return 5;
    });
    const [completed, failed] = [next(other, 'completed'), next(other, 'failed')];
    const unstored = await queue.add('good', 1);
    const dead = await queue.add('bad', 1);
    await Promise.all([completed, failed]);
    for (const { id } of [nothing, unstored, dead]) expect(await queue.getJobResult(id)).toBeUndefined();
    expect(await queue.getJobResult('never')).toBeUndefined();
    expect(await redis.client.keys('*:result:*')).toEqual([]);
  });

  test('a result that cannot be stored is reported, and the job counts as completed', async () => {
    const worker = redis.worker(() => () => 'a function', { storeResults: true });
    const done = next(worker, 'completed');
    await redis.queue().add('a', 1);
    await done;
    expect(redis.errors).toMatchObject([{ code: 'CMQ-002' }]);
    redis.errors.length = 0;
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
  });
});

describe('waitForResult', () => {
  test('waits while the job runs, for any number of waiters', async () => {
    const latch = new Latch();
    const worker = redis.worker(async () => latch.opened.then(() => 'late'), { storeResults: true });
    const active = next(worker, 'active');
    const job = await redis.queue().add('a', 1);
    await active;
    const waiting = Promise.all([job.waitForResult(), job.waitForResult({ timeoutMs: 5_000 })]);
    latch.open();
    expect(await waiting).toEqual(['late', 'late']);
  });

  test('resolves at once if the result is stored', async () => {
    const worker = redis.worker(() => 'early', { storeResults: true });
    const done = next(worker, 'completed');
    const job = await redis.queue().add('a', 1);
    await done;
    expect(await job.waitForResult({ timeoutMs: 5_000 })).toBe('early');
  });

  test('waits through retries, and rejects with different errors for a final failure and a timeout', async () => {
    const queue = redis.queue();
    redis.worker(
      (job) => {
        if (job.name === 'bad' || job.attemptsMade < 2) throw new Error('again');
        return job.attemptsMade;
      },
      { storeResults: true, maxAttempts: 3 },
    );
    const [good, bad] = await queue.addBulk([
      { name: 'good', data: 1 },
      { name: 'bad', data: 1 },
    ]);
    const [result, error] = await Promise.all([good!.waitForResult(), rejection(bad!.waitForResult())]);
    expect(result).toBe(2);
    expect(error).toBeInstanceOf(JobFailedError);
    expect(error).toMatchObject({
      code: 'CMQ-103',
      message: expect.stringContaining('retries_exhausted') as string,
    });
  });

  test('times out', async () => {
    const job = await redis.queue().add('a', 1);
    const error = await rejection(job.waitForResult({ timeoutMs: 30 }));
    expect(error).toBeInstanceOf(WaitForResultTimeoutError);
    expect(error).toMatchObject({
      code: 'CMQ-102',
      message: expect.stringMatching(/within 30 ms/) as string,
    });
  });

  test('is cancelled by its signal, with the signal’s reason', async () => {
    const job = await redis.queue().add('a', 1);
    const controller = new AbortController();
    const waiting = rejection(job.waitForResult({ signal: controller.signal }));
    const reason = new Error('changed my mind');
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await rejection(job.waitForResult({ signal: AbortSignal.abort() }))).toMatchObject({
      name: 'AbortError',
    });
  });

  test('ends when the queue is closed', async () => {
    const queue = redis.queue();
    const job: Job = await queue.add('a', 1);
    const waiting = rejection(job.waitForResult({ timeoutMs: 5_000 }));
    await queue.close();
    expect(await waiting).toMatchObject({ code: 'CMQ-005' });
  });

  test('resolves with undefined if the handler returned nothing', async () => {
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, { storeResults: true });
    const active = next(worker, 'active');
    const job = await redis.queue().add('a', 1);
    await active;
    const waiting = job.waitForResult({ timeoutMs: 5_000 });
    latch.open();
    expect(await waiting).toBeUndefined();
  });
});
