import { describe, expect, test } from 'vitest';
import { writeDelayedMember } from '../../../lib/engine/codec/write-envelope.js';
import type { Queue } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, rejection, useKit } from './kit.js';

/*
 * A marker takes an id only while its job exists, even if a third party has moved or ended the job. A new job of an id has
 * nothing of the old one.
 */

const redis = useKit();
const ID = { jobId: 'order-1' };

async function entryIds(): Promise<string[]> {
  return (await redis.client.xrange(KEYS.stream, '-', '+')).map(([id]) => id);
}

/** What a third-party promoter does: it knows the delayed set and the stream. */
async function promoteByHand(): Promise<string> {
  const [member] = (await redis.client.callBuffer('ZRANGE', KEYS.delayed, '0', '0')) as Buffer[];
  const name = member!.readUInt32LE(0);
  const fields = ['d', member!.subarray(4 + name), 'n', member!.subarray(4, 4 + name)];
  await redis.client.zrem(KEYS.delayed, member!);
  return (await redis.client.xadd(KEYS.stream, '*', ...fields))!;
}

/** Reads as a third-party worker. */
async function readByHand(): Promise<void> {
  await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0', 'MKSTREAM').catch(() => undefined);
  await redis.client.xreadgroup('GROUP', 'default', 'them', 'COUNT', 100, 'STREAMS', KEYS.stream, '>');
}

describe('an id is free at once when', () => {
  test.each<[string, number, () => Promise<unknown>]>([
    [
      'a third-party worker has ended its job',
      0,
      async () => {
        await readByHand();
        const ids = await entryIds();
        await redis.client.xack(KEYS.stream, 'default', ...ids);
        await redis.client.xdel(KEYS.stream, ...ids);
      },
    ],
    [
      'a third-party worker has acknowledged its job, and deletes nothing',
      0,
      async () => {
        await readByHand();
        await redis.client.xack(KEYS.stream, 'default', ...(await entryIds()));
      },
    ],
    [
      'a third-party promoter has moved its job, and a worker ended it',
      60_000,
      async () => {
        await redis.client.xdel(KEYS.stream, await promoteByHand());
      },
    ],
    ['the stream was deleted', 0, () => redis.client.del(KEYS.stream)],
    [
      'the stream was deleted, and another job has the place of its own',
      0,
      async () => {
        const [id] = await entryIds();
        await redis.client.del(KEYS.stream);
        await redis.client.xadd(KEYS.stream, id!, 'd', 'other');
      },
    ],
    ['the stream was trimmed', 0, () => redis.client.xtrim(KEYS.stream, 'MAXLEN', 0)],
    ['the delayed set was deleted', 60_000, () => redis.client.del(KEYS.delayed)],
    [
      'the delayed set and its index were deleted',
      60_000,
      () => redis.client.del(KEYS.delayed, KEYS.delayedIndex('order-1')),
    ],
    [
      'the delayed set holds something else',
      60_000,
      async () => {
        await redis.client.del(KEYS.delayed);
        await redis.client.set(KEYS.delayed, 'not mine');
      },
    ],
  ])('%s', async (_, delay, end) => {
    const queue = redis.queue();
    await queue.add('a', 1, { ...ID, delay });
    expect((await queue.add('a', 2, ID)).duplicate).toBe(true);
    await end();
    const again = await queue.addBulk([
      { name: 'a', data: 3, opts: ID },
      { name: 'a', data: 4, opts: ID },
    ]);
    expect(again.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    // What is there now is a job like any other.
    expect((await queue.add('a', 5, { ...ID })).duplicate).toBe(true);
    // A removal is refused as a whole while a key has the wrong type: see odd-keys.test.ts.
    await redis.client.del(KEYS.delayed);
    expect(await queue.remove('order-1')).toBe(1);
    expect((await queue.add('a', 6, ID)).duplicate).toBe(false);
  });
});

describe('an id stays taken when', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['a third-party promoter has moved its job to the stream', promoteByHand],
    [
      'a third-party worker runs it',
      async () => {
        await promoteByHand();
        await readByHand();
      },
    ],
    [
      'a third-party worker has put it back into the delayed set, as another attempt',
      async () => {
        const [member] = (await redis.client.callBuffer('ZRANGE', KEYS.delayed, '0', '0')) as Buffer[];
        const name = member!.readUInt32LE(0);
        const source = member!.subarray(4 + name);
        const to = Buffer.allocUnsafe(member!.length + 64);
        const end = writeDelayedMember(to, 0, 'a', { source, from: 0, to: source.length }, 1);
        await redis.client.multi().del(KEYS.delayed).zadd(KEYS.delayed, 1e15, to.subarray(0, end)).exec();
      },
    ],
  ])('%s', async (_, move) => {
    const queue = redis.queue();
    await queue.add('a', 1, { ...ID, delay: 60_000 });
    await move();
    expect((await queue.add('a', 2, ID)).duplicate).toBe(true);
    // And is found by it from then on.
    expect((await queue.add('a', 3, { ...ID, delay: 5 })).duplicate).toBe(true);
    expect(await queue.cancel('order-1')).not.toBe('gone');
  });

  test('one of many moved jobs is added again', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { ...ID, delay: 60_000 });
    await promoteByHand();
    await queue.addBulk(Array.from({ length: 200 }, (_, data) => ({ name: 'b', data })));
    expect((await queue.add('a', 2, ID)).duplicate).toBe(true);
  });
});

test('a dead letter is replayed if the job that had taken its id is gone', async () => {
  const queue = redis.queue();
  const worker = redis.worker(
    () => {
      throw new Error('x');
    },
    { maxAttempts: 1 },
  );
  const failed = next(worker, 'failed');
  await queue.add('a', 1, ID);
  await failed;
  await worker.close();
  await redis.client.del(KEYS.dedup('order-1'));
  await queue.add('a', 2, ID);
  expect(await queue.replayDlq()).toBe(0);
  await redis.client.del(KEYS.stream);
  expect(await queue.replayDlq()).toBe(1);
  expect((await queue.add('a', 3, ID)).duplicate).toBe(true);
});

describe('a new job of an id', () => {
  const short = { ...ID, dedupTtlMs: 1 };
  const isFree = (): Promise<unknown> =>
    eventually(async () => expect(await redis.client.exists(KEYS.dedup('order-1'))).toBe(0));

  async function complete(queue: Queue, data: unknown, delay = 0): Promise<void> {
    const worker = redis.worker((job) => job.data, { storeResults: true });
    const completed = next(worker, 'completed');
    await queue.add('a', data, { ...short, delay });
    await completed;
    await worker.close();
    await isFree();
  }

  async function fail(queue: Queue): Promise<void> {
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 1 },
    );
    const failed = next(worker, 'failed');
    await queue.add('a', 1, short);
    await failed;
    await worker.close();
    await isFree();
  }

  test.each([0, 10])('has no result of the old one (delay %d)', async (delay) => {
    const queue = redis.queue();
    await complete(queue, 'old');
    const job = await queue.add('a', 'new', { ...ID, delay });
    expect(await queue.getJobResult('order-1')).toBeUndefined();
    const waited = job.waitForResult({ timeoutMs: 5_000 });
    redis.worker(({ data }) => data, { storeResults: true });
    expect(await waited).toBe('new');
  });

  test.each([0, 10])('does not fail like the old one (delay %d)', async (delay) => {
    const queue = redis.queue();
    await fail(queue);
    await queue.dropDlq({ all: true });
    const job = await queue.add('a', 'new', { ...ID, delay });
    const waited = job.waitForResult({ timeoutMs: 5_000 });
    redis.worker(({ data }) => data, { storeResults: true });
    expect(await waited).toBe('new');
  });

  test('that is an old dead letter has no result of the jobs between', async () => {
    const queue = redis.queue();
    await fail(queue);
    await complete(queue, 'between');
    expect(await queue.replayDlq()).toBe(1);
    expect(await queue.getJobResult('order-1')).toBeUndefined();
    const worker = redis.worker(() => 'replayed', { storeResults: true });
    await next(worker, 'completed');
    expect(await queue.getJobResult('order-1')).toBe('replayed');
  });

  test('that was delayed when somebody stored a result for it has none once it waits', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { ...ID, delay: 20 });
    await redis.client.set(KEYS.result('order-1'), 'stale');
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    await next(worker, 'active');
    expect(await redis.client.exists(KEYS.result('order-1'))).toBe(0);
    latch.open();
    await next(worker, 'completed');
  });
});

describe('cancelling a job whose last attempt is failing', () => {
  test.each([
    ['one', 1],
    ['a batch', 20],
  ])('leaves no dead letter: %s', async (_, count) => {
    const queue = redis.queue();
    const latch = new Latch();
    // Full, and its read of the wake stream is late: it ends its jobs without having heard.
    const worker = redis.worker(
      async () => {
        await latch.opened;
        throw new Error('x');
      },
      { maxAttempts: 1, concurrency: count },
    );
    const jobs = Array.from({ length: count }, (__, data) => ({
      name: 'a',
      data,
      opts: { jobId: `id-${data}` },
    }));
    await queue.addBulk(jobs);
    await eventually(() => expect(worker.health().running).toBe(count));
    const reasons: string[] = [];
    worker.on('failed', (job) => reasons.push(`${job.id} ${job.failedReason}`));
    const events = await redis.events();
    const died: string[] = [];
    events.on('dlq', ({ jobId }) => died.push(jobId));
    // In one step with the mark, before anything can be heard.
    const [entry] = await entryIds();
    await redis.client.set(KEYS.cancelled(entry!), 'id-0');
    latch.open();
    await eventually(() => expect(reasons).toHaveLength(count));
    expect(reasons.filter((reason) => reason.endsWith('cancelled'))).toEqual(['id-0 cancelled']);
    expect((await queue.peekDlq(100)).map(({ jobId }) => jobId)).not.toContain('id-0');
    expect(await redis.client.xlen(KEYS.dlq)).toBe(count - 1);
    await eventually(() => expect(died).toHaveLength(count - 1));
    expect(await redis.client.exists(KEYS.cancelled(entry!))).toBe(0);
    // Its id is free, and who waits is told.
    expect(await rejection(queue.waitForResult('id-0', { timeoutMs: 2_000 }))).toMatchObject({
      code: 'CMQ-103',
    });
    expect((await queue.add('a', 1, { jobId: 'id-0', delay: 60_000 })).duplicate).toBe(false);
  });
});
