import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import {
  JobGoneError,
  Producer,
  Queue,
  Worker,
  UnrecoverableError,
  encodePayload,
  type Job,
  type QueueOptions,
  type WorkerOptions,
} from '../../lib/engine/index.js';
import { queueKeys } from '../../lib/redis/keys.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const KEYS = queueKeys('sums');

function open(options: Partial<QueueOptions> = {}): Queue {
  return new Queue('sums', { connection: { ...redis.connection }, ...options });
}

function work(handler: (job: Job) => unknown, options: Partial<WorkerOptions> = {}): Worker {
  return new Worker('sums', handler, { connection: { ...redis.connection }, storeResults: true, ...options });
}

/** How a wait ended: it would else last for longer than the test may. */
function endOf(waiting: Promise<unknown>): Promise<unknown> {
  return waiting.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
}

/** Waits as seen by Redis: from now on, whoever ends a job tells of it. */
async function isWaiting(): Promise<void> {
  await vi.waitFor(async () => {
    expect(await redis.client.exists(KEYS.waiters)).toBe(1);
  });
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
      await isWaiting();
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
  await isWaiting();
  expect(await producer.cancelDelayed(job.id)).toBe(true);
  expect(await ended).toMatchObject({ code: 'CMQ-104', reason: 'removed' });
});

it('who begins to wait for a job after others saw it removed, is told too', async () => {
  await using queue = open();
  await queue.add('a', 'other');
  const job = await queue.add('a', 1);
  const ended = endOf(job.waitForResult());
  await isWaiting();
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
  await isWaiting();
  expect(await queue.dropDlq({ ids: [job.id] })).toBe(1);
  expect(await ended).toMatchObject({ code: 'CMQ-104', reason: 'dropped' });
});

it('a wait for a job that is too large for its worker ends with its dead letter, and says why', async () => {
  await using queue = open();
  const job = await queue.add('a', 'x'.repeat(5_000), { jobId: 'large', dedupTtlMs: 60_000 });
  const ended = endOf(job.waitForResult());
  await isWaiting();
  await using worker = work(() => 1, { maxPayloadBytes: 1_000 });
  expect(await ended).toMatchObject({
    code: 'CMQ-103',
    message: expect.stringMatching(/oversize_payload \(the payload has \d+ bytes/) as string,
  });
  expect(worker.isRunning()).toBe(true);
  // Its id becomes free by itself.
  expect(await redis.client.pttl(KEYS.dedup('large'))).toBeGreaterThan(0);
});

it('a failure of any length reaches who waits, with its detail', async () => {
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

it('a wait ends at once where the queue holds no job any more, and nothing says how this one ended', async () => {
  await using queue = open();
  await using worker = work(() => 1, { storeResults: false });
  const completed = once(worker, 'completed');
  const job = await queue.add('a', 1);
  await completed;
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
});

it('a wait ends at once where the stream was deleted', async () => {
  await using queue = open();
  const job = await queue.add('a', 1);
  await redis.client.del(KEYS.stream);
  expect(await endOf(job.waitForResult())).toMatchObject({ code: 'CMQ-104', reason: 'unknown' });
});

it('a wait for an id of the caller’s whose job has ended, and whose result has expired, ends at once', async () => {
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

it('a job that waits, is delayed, or runs is not taken for one that is gone', async () => {
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

it('who waits while Redis cannot be reached is told so, and whoever waits afterwards is served', async () => {
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

it('an id that was removed and is used again, waits for its own job', async () => {
  await using queue = open();
  const ended = endOf((await queue.add('a', 1, { jobId: 'again' })).waitForResult());
  await isWaiting();
  await queue.remove('again');
  await ended;
  await using worker = work((job) => job.data);
  const job = await queue.add('a', 2, { jobId: 'again' });
  expect(await job.waitForResult()).toBe(2);
  expect(worker.isRunning()).toBe(true);
});

it('what is told of an earlier job of an id, and heard late, is not taken for the end of its next job', async () => {
  await using queue = open();
  // The one who listens stays behind: entries of the first job are there when the second is waited for.
  const [other] = [await queue.add('a', 'other')];
  const listening = endOf(other.waitForResult());
  await isWaiting();
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
