import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  JobGoneError,
  Producer,
  Queue,
  UnrecoverableError,
  encodePayload,
  type Job,
  type Worker,
  type WorkerOptions,
} from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { KEYS, openQueue, openWorker, untilWaiting } from './results-support.js';

const redis = useRedis();
const open = (): Queue => openQueue(redis);
const work = (handler: (job: Job) => unknown, options?: Partial<WorkerOptions>): Worker =>
  openWorker(redis, handler, options);

/** How a wait ended, with a value or with an error. */
function endOf(waiting: Promise<unknown>): Promise<unknown> {
  return waiting.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
}

const ids = [
  ['an id of its own', undefined],
  ['an id of the caller’s', 'order-1'],
] as const;

it.each(ids)(
  'a wait for a job with %s that is removed ends at once, wherever the job is',
  async (_, jobId) => {
    await using queue = open();
    const other = await queue.add('a', 'other');
    const id = jobId === undefined ? {} : { jobId };
    for (const [options, end] of [
      [{}, (job: Job) => queue.remove(job.id)],
      [{ delay: 60_000 }, (job: Job) => queue.remove(job.id)],
      [{}, (job: Job) => queue.cancel(job.id)],
    ] as const) {
      const job = await queue.add('a', 1, { ...id, ...options });
      const ended = Promise.all([endOf(job.waitForResult()), endOf(job.waitForResult())]);
      await untilWaiting(redis);
      await end(job);
      expect(await ended).toEqual([
        expect.objectContaining({ code: 'CMQ-104', reason: 'removed', jobId: job.id }),
        expect.any(JobGoneError),
      ]);
    }
    expect(await queue.remove(other.id)).toBe(1);
  },
);

it('a wait for a delayed job that a producer cancels ends at once', async () => {
  await using queue = open();
  await using producer = await Producer.connect({ ...redis.connection }, { queueName: 'sums' });
  const job = await queue.add('a', 1, { delay: 60_000 });
  const ended = endOf(job.waitForResult());
  await untilWaiting(redis);
  expect(await producer.cancelDelayed(job.id)).toBe(true);
  expect(await ended).toMatchObject({ code: 'CMQ-104', reason: 'removed' });
});

it('a caller that starts to wait after the job was removed is told, too', async () => {
  await using queue = open();
  await queue.add('a', 'other');
  const job = await queue.add('a', 1);
  const ended = endOf(job.waitForResult());
  await untilWaiting(redis);
  await queue.remove(job.id);
  await ended;
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'removed' });
});

it('a wait for a dead letter that is dropped ends at once', async () => {
  await using queue = open();
  await using worker = work(() => {
    throw new UnrecoverableError('no');
  });
  const failed = once(worker, 'failed');
  const job = await queue.add('a', 1);
  await failed;
  // As after resultTtlMs.
  await redis.client.del(KEYS.failed(job.id));
  await worker.close();
  await queue.add('a', 'other');
  const ended = endOf(job.waitForResult());
  await untilWaiting(redis);
  expect(await queue.dropDlq({ ids: [job.id] })).toBe(1);
  expect(await ended).toMatchObject({ code: 'CMQ-104', reason: 'dropped' });
});

it('the id of a dead letter is free when the dead letter is dropped', async () => {
  await using queue = open();
  await using worker = work(() => {
    throw new UnrecoverableError('no');
  });
  for (const options of [{}, { dedupTtlMs: 3_600_000 }]) {
    const failed = once(worker, 'failed');
    expect(await queue.add('a', 1, { jobId: 'order-1', ...options })).toMatchObject({ duplicate: false });
    await failed;
    expect(await queue.add('a', 1, { jobId: 'order-1' })).toMatchObject({ duplicate: true });
    expect(await queue.dropDlq({ ids: ['order-1'] })).toBe(1);
  }
});

describe('dropping the dead letter of an id that a later job has', () => {
  const later: [string, object, 'before it runs' | 'after it ran'][] = [
    ['waits', {}, 'before it runs'],
    ['is delayed', { delay: 300 }, 'before it runs'],
    ['has ended', {}, 'after it ran'],
    ['has ended and keeps its id', { dedupTtlMs: 3_600_000 }, 'after it ran'],
  ];
  it.each(later)('leaves a later job alone that %s', async (_, options, dropped) => {
    await using queue = open();
    const failing = work(() => {
      throw new UnrecoverableError('no');
    });
    const failed = once(failing, 'failed');
    await queue.add('a', 1, { jobId: 'order-1', dedupTtlMs: 0 });
    await failed;
    await failing.close();
    const second = await queue.add('a', 2, { jobId: 'order-1', dedupTtlMs: 0, ...options });
    expect(second.duplicate).toBe(false);
    const ended = endOf(second.waitForResult());
    await untilWaiting(redis);
    if (dropped === 'before it runs') expect(await queue.dropDlq({ ids: ['order-1'] })).toBe(1);
    await using _worker = work(() => 'second');
    expect(await ended).toEqual({ value: 'second' });
    if (dropped === 'after it ran') expect(await queue.dropDlq({ ids: ['order-1'] })).toBe(1);
    expect(await endOf(second.waitForResult())).toEqual({ value: 'second' });
    const third = await queue.add('a', 3, { jobId: 'order-1', delay: 60_000 });
    expect(third.duplicate).toBe('dedupTtlMs' in options);
  });
});

it('a wait for a job that is too large for its worker ends with its dead letter, and says why', async () => {
  await using queue = open();
  const job = await queue.add('a', 'x'.repeat(5_000), { jobId: 'large', dedupTtlMs: 60_000 });
  const ended = endOf(job.waitForResult());
  await untilWaiting(redis);
  await using worker = work(() => 1, { maxPayloadBytes: 1_000 });
  expect(await ended).toMatchObject({
    code: 'CMQ-103',
    message: expect.stringMatching(/oversize_payload \(the payload has \d+ bytes/) as string,
  });
  expect(worker.isRunning()).toBe(true);
  // Its id becomes free by itself.
  expect(await redis.client.pttl(KEYS.dedup('large'))).toBeGreaterThan(0);
});

it('a failure of any length reaches the waiter, with its detail', async () => {
  await using queue = open();
  await using worker = work((job) => {
    throw new UnrecoverableError(`no: ${String(job.data)}`);
  });
  for (const detail of ['short', 'é'.repeat(400)]) {
    const job = await queue.add('a', detail, { delay: 30 });
    await expect(job.waitForResult()).rejects.toThrow(`failed for good: unrecoverable (no: ${detail}).`);
  }
  expect(worker.isRunning()).toBe(true);
});

it('a wait ends at once if the queue is empty and nothing says how the job ended', async () => {
  await using queue = open();
  await using worker = work(() => 1, { storeResults: false });
  const completed = once(worker, 'completed');
  const job = await queue.add('a', 1);
  await completed;
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
});

it('a job that was removed while nobody waited is gone for an unknown reason', async () => {
  await using queue = open();
  const job = await queue.add('a', 1, { delay: 60_000 });
  expect(await queue.remove(job.id)).toBe(1);
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
});

it('a job whose dead letter was dropped while nobody waited is gone', async () => {
  await using queue = open();
  await using worker = work(() => Promise.reject(new UnrecoverableError('no')));
  const job = await queue.add('a', 1);
  await once(worker, 'failed');
  await queue.dropDlq({ ids: [job.id] });
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'dropped' });
});

it('the message names a return value that cannot be stored as a reason', async () => {
  await using queue = open();
  await using worker = work(() => () => 1);
  worker.on('error', () => {});
  const completed = new Promise((resolve) => worker.once('completed', resolve));
  const job = await queue.add('a', 1);
  await completed;
  const end = await endOf(job.waitForResult());
  expect(end).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
  expect((end as Error).message).toContain('a value that cannot be stored');
});

it('a wait ends at once if the stream was deleted', async () => {
  await using queue = open();
  const job = await queue.add('a', 1);
  await redis.client.del(KEYS.stream);
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
});

it('a wait for a jobId whose job has ended, and whose result has expired, ends at once', async () => {
  await using queue = open();
  const worker = work(() => 1);
  const completed = once(worker, 'completed');
  const job = await queue.add('a', 1, { jobId: 'order-1' });
  await completed;
  await worker.close();
  await redis.client.del(KEYS.result('order-1'));
  await queue.add('a', 'other');
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
});

it('a job that waits, is delayed or runs does not count as gone', async () => {
  await using queue = open();
  let finish = (): void => undefined;
  await using worker = work(() => new Promise<number>((resolve) => (finish = () => resolve(7))));
  const active = once(worker, 'active');
  const running = await queue.add('a', 1, { jobId: 'runs' });
  await active;
  await expect(running.waitForResult({ timeoutMs: 700 })).rejects.toMatchObject({ code: 'CMQ-102' });
  const waiting = running.waitForResult();
  finish();
  expect(await waiting).toBe(7);
  const delayed = await queue.add('a', 1, { jobId: 'delayed', delay: 60_000 });
  await expect(delayed.waitForResult({ timeoutMs: 700 })).rejects.toMatchObject({ code: 'CMQ-102' });
});

it('a schedule has no result to wait for', async () => {
  await using queue = open();
  const job = await queue.add('a', 1, { repeat: { every: 60_000 } });
  await expect(job.waitForResult()).rejects.toMatchObject({ code: 'CMQ-100' });
});

it('a wait while Redis is away ends with an error, and a later wait succeeds', async () => {
  const { port } = redis.server;
  await redis.server.kill();
  await using queue = new Queue('sums', {
    connection: { host: redis.server.host, port, retryStrategy: () => 20 },
    connectTimeoutMs: 100,
  });
  const job = { id: 'later', waitForResult: () => queue.waitForResult('later', { timeoutMs: 5_000 }) };
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-001' });
  await redis.server.restart();
  await redis.client.set(KEYS.result(job.id), encodePayload(7));
  expect(await endOf(job.waitForResult())).toEqual({ value: 7 });
});

it('a wait for an id that is used again after a removal is for the new job', async () => {
  await using queue = open();
  const ended = endOf((await queue.add('a', 1, { jobId: 'again' })).waitForResult());
  await untilWaiting(redis);
  await queue.remove('again');
  await ended;
  await using worker = work((job) => job.data);
  const job = await queue.add('a', 2, { jobId: 'again' });
  expect(await job.waitForResult()).toBe(2);
  expect(worker.isRunning()).toBe(true);
});

it('a late entry about an earlier job of an id does not end the wait for the next job', async () => {
  await using queue = open();
  // The feed lags behind: entries of the first job are in the stream when the wait for the second begins.
  const [other] = [await queue.add('a', 'other')];
  const listening = endOf(other.waitForResult());
  await untilWaiting(redis);
  for (let i = 0; i < 20; i++) {
    await queue.add('a', i, { jobId: 'again' });
    await queue.remove('again');
    const job = await queue.add('a', i, { jobId: 'again' });
    await expect(job.waitForResult({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'CMQ-102' });
    await queue.remove('again');
  }
  await queue.remove(other.id);
  expect(await listening).toMatchObject({ reason: 'removed' });
});
