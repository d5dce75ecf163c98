import { describe, expect, test } from 'vitest';
import { KEYS, Latch, addDeadLetter, next, take, useKit } from './kit.js';

const redis = useKit();

describe.each([
  ['at once', 0],
  ['delayed', 60_000],
])('a job id, added %s', (_, delay) => {
  test('is a duplicate: the second add returns the same id and duplicate: true', async () => {
    const queue = redis.queue();
    const first = await queue.addUnique('a', 1, { jobId: 'order-1', delay });
    const before = await redis.snapshot();
    const second = await queue.addUnique('a', 2, { jobId: 'order-1', delay });
    expect([first.id, first.duplicate]).toEqual(['order-1', false]);
    expect([second.id, second.duplicate]).toEqual(['order-1', true]);
    expect(await redis.snapshot()).toEqual(before);
  });

  test('is a duplicate on the other path, in another process, and in bulk', async () => {
    await redis.queue().add('a', 1, { jobId: 'order-1', delay });
    const other = redis.queue();
    const before = await redis.snapshot();
    const jobs = await Promise.all([
      other.add('a', 1, { jobId: 'order-1' }),
      other.add('a', 1, { jobId: 'order-1', delay: 5 }),
      other.addUnique('a', 1, { jobId: 'order-1', delay: 60_000 }),
    ]);
    const bulk = await other.addBulk([{ name: 'a', data: 1, opts: { jobId: 'order-1' } }]);
    expect([...jobs, ...bulk].map(({ duplicate }) => duplicate)).toEqual([true, true, true, true]);
    expect(await redis.snapshot()).toEqual(before);
  });

  test('twice in one bulk, or in one tick, is one job', async () => {
    const queue = redis.queue();
    const entry = { name: 'a', data: 1, opts: { jobId: 'twin', delay } };
    const bulk = await queue.addBulk([entry, { name: 'a', data: 1 }, entry]);
    expect(bulk.map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
    const tick = await Promise.all([1, 2, 3].map((data) => queue.add('a', data, { jobId: 'tick', delay })));
    expect(tick.map(({ duplicate }) => duplicate)).toEqual([false, true, true]);
    expect((await redis.client.xlen(KEYS.stream)) + (await redis.client.zcard(KEYS.delayed))).toBe(3);
  });
});

describe('the id', () => {
  test('stays taken while the job runs, and for dedupTtlMs after it has completed', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    const active = next(worker, 'active');
    const options = { jobId: 'order-1', dedupTtlMs: 50 };
    await queue.add('a', 1, options);
    await active;
    expect((await queue.add('a', 1, options)).duplicate).toBe(true);
    expect(await redis.client.pttl(KEYS.dedup('order-1'))).toBe(-1);
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(await redis.client.pttl(KEYS.dedup('order-1'))).toBeLessThanOrEqual(50);
    await expect.poll(() => redis.client.exists(KEYS.dedup('order-1')), { interval: 5 }).toBe(0);
    expect((await queue.add('a', 1, options)).duplicate).toBe(false);
  });

  test('stays taken for an hour by default', async () => {
    const worker = redis.worker(() => undefined);
    const completed = next(worker, 'completed');
    await redis.queue().add('a', 1, { jobId: 'order-1' });
    await completed;
    const ttl = await redis.client.pttl(KEYS.dedup('order-1'));
    expect(ttl).toBeGreaterThan(3_590_000);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
  });

  test('stays taken through delay, promotion and retries', async () => {
    const queue = redis.queue();
    const duplicates: boolean[] = [];
    const worker = redis.worker(async (job) => {
      duplicates.push((await queue.add('a', 1, { jobId: 'order-1' })).duplicate);
      if (job.attemptsMade < 3) throw new Error('again');
    });
    const completed = next(worker, 'completed');
    await queue.add('a', 1, { jobId: 'order-1', delay: 5 });
    await completed;
    expect(duplicates).toEqual([true, true, true]);
    expect(await redis.client.exists(KEYS.delayedIndex('order-1'))).toBe(0);
    expect(await redis.client.pttl(KEYS.dedup('order-1'))).toBeGreaterThan(0);
  });

  test('expires after the job becomes a dead letter', async () => {
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 1 },
    );
    const failed = next(worker, 'failed');
    await redis.queue().add('a', 1, { jobId: 'order-1', dedupTtlMs: 5_000 });
    await failed;
    const ttl = await redis.client.pttl(KEYS.dedup('order-1'));
    expect(ttl).toBeGreaterThan(4_000);
    expect(ttl).toBeLessThanOrEqual(5_000);
  });

  test('is taken again while a replayed job lives', async () => {
    const queue = redis.queue();
    await addDeadLetter(redis, { jobId: 'order-1', dedupTtlMs: 5_000 });
    expect(await queue.replayDlq()).toBe(1);
    expect(await redis.client.pttl(KEYS.dedup('order-1'))).toBe(-1);
    expect((await queue.add('a', 1, { jobId: 'order-1' })).duplicate).toBe(true);
  });

  test('a dead letter is not replayed while another live job has its id', async () => {
    const queue = redis.queue();
    await addDeadLetter(redis, { jobId: 'order-1' });
    await redis.client.del(KEYS.dedup('order-1'));
    expect((await queue.add('a', 2, { jobId: 'order-1' })).duplicate).toBe(false);
    expect(await queue.replayDlq()).toBe(0);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(1);
  });

  test('is free again after a cancel', async () => {
    const queue = redis.queue();
    await queue.add('a', 1, { jobId: 'order-1', delay: 60_000 });
    expect(await queue.remove('order-1')).toBe(1);
    expect((await queue.add('a', 1, { jobId: 'order-1' })).duplicate).toBe(false);
  });

  test.each(['a b', 'ñ€', 'x'.repeat(512), '{brace}', '0', '__proto__', 'a:b*?[c]'])(
    'may be %s',
    async (jobId) => {
      const queue = redis.queue();
      const worker = redis.worker((job) => job.id, { storeResults: true });
      const completed = next(worker, 'completed');
      await queue.add('a', 1, { jobId, delay: 1 });
      expect((await queue.add('a', 1, { jobId })).duplicate).toBe(true);
      const [job] = await completed;
      expect(job.id).toBe(jobId);
      expect(await queue.getJobResult(jobId)).toBe(jobId);
    },
  );

  test('two queues do not share ids', async () => {
    await redis.queue({}, 'one').add('a', 1, { jobId: 'order-1' });
    expect((await redis.queue({}, 'two').add('a', 1, { jobId: 'order-1' })).duplicate).toBe(false);
  });

  test('that many adds race for is one job, on all paths, while workers run', async () => {
    const ids = Array.from({ length: 200 }, (_, index) => `id-${index}`);
    const runs = new Map<string, number>();
    const worker = redis.worker((job) => {
      runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
    });
    const done = take(worker, 'completed', ids.length);
    const queues = Array.from({ length: 5 }, () => redis.queue());
    const added = await Promise.all(
      queues.flatMap((queue, q) =>
        ids.map((jobId, i) => queue.add('a', q, { jobId, delay: (q + i) % 3 === 0 ? 5 : 0 })),
      ),
    );
    await done;
    expect(added.filter(({ duplicate }) => !duplicate).length).toBe(200);
    expect([...runs.values()].every((count) => count === 1)).toBe(true);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
  });
});
