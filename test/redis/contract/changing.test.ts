import { describe, expect, test } from 'vitest';
import { encodePayload } from '../../../lib/engine/index.js';
import type { Job } from '../../../lib/engine/index.js';
import { KEYS, Latch, addDeadLetter, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

const ids = [
  ['an id of its own', {}],
  ['an id of the caller’s', { jobId: 'order 1\n{x}:é' }],
] as const;

const HOUR = 3_600_000;

/** What a delayed job leaves in Redis once it has run: nothing. */
async function leftovers(): Promise<string[]> {
  const rest = (await redis.keys()).filter(
    (key) => !/:(wake:|events|stream$|failed:|dlq$|dlid:)|lock$/.test(key),
  );
  if ((await redis.client.xlen(KEYS.stream)) > 0) rest.push('an entry in the stream');
  return rest;
}

async function active(options = {}): Promise<{ job: Job; latch: Latch }> {
  const latch = new Latch();
  const worker = redis.worker(() => latch.opened, { concurrency: 1 });
  const started = next(worker, 'active');
  const job = await redis.queue().add('a', 'old', options);
  await started;
  return { job, latch };
}

async function dueOf(job: Job): Promise<number> {
  const all = await redis.client.zrange(KEYS.delayed, '0', '-1', 'WITHSCORES');
  const at = all.findIndex((member) => member.includes(job.id));
  expect(at, 'the job is delayed').toBeGreaterThanOrEqual(0);
  return Number(all[at + 1]);
}

describe.each(ids)('a job with %s', (_, withId) => {
  test('is promoted: it runs at once, and once', async () => {
    const events = await redis.events();
    const waiting = next(events, 'waiting');
    const job = await redis.queue().add('a', 'x', { delay: HOUR, ...withId });
    await job.promote();
    expect((await waiting)[0]).toMatchObject({ jobId: job.id, name: 'a' });
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    expect(await rejection(job.promote())).toMatchObject({
      code: 'CMQ-107',
      state: 'waiting',
      jobId: job.id,
    });
    const ran = next(
      redis.worker((running) => running.data),
      'completed',
    );
    expect((await ran)[1]).toBe('x');
    await eventually(async () => {
      expect(await leftovers()).toEqual([]);
    });
  });

  test('gets another delay, and a sleeping worker learns of an earlier time', async () => {
    const worker = redis.worker((job) => job.data);
    await next(worker, 'ready');
    const events = await redis.events();
    const queue = redis.queue();
    const delayed = take(events, 'delayed', 2);
    const job = await queue.add('a', 'x', { delay: HOUR, ...withId });
    await job.changeDelay(2 * HOUR);
    expect((await delayed)[1]).toMatchObject({ jobId: job.id, delay: 2 * HOUR });
    expect(await dueOf(job)).toBeGreaterThan(Date.now() + HOUR + 60_000);
    expect(job.delay).toBe(2 * HOUR);
    const completed = next(worker, 'completed');
    await job.changeDelay(0);
    expect((await completed)[0].id).toBe(job.id);
  });

  test('that waits is moved to the delayed set and back', async () => {
    const job = await redis.queue().add('a', 'x', withId);
    await job.moveToDelayed(Date.now() + HOUR);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    expect(await dueOf(job)).toBeGreaterThan(Date.now() + HOUR - 60_000);
    await job.moveToDelayed(Date.now() + 2 * HOUR);
    expect(await dueOf(job)).toBeGreaterThan(Date.now() + HOUR + 60_000);
    await job.promote();
    expect((await redis.queue().add('b', 'y', withId)).duplicate).toBe('jobId' in withId);
    const ran = await next(
      redis.worker((running) => running.data),
      'completed',
    );
    expect(ran[0]).toMatchObject({ id: job.id, name: 'a', data: 'x' });
  });

  test('gets other data while it is delayed, and keeps its time', async () => {
    const job = await redis.queue().add('a', { to: 'ada' }, { delay: HOUR, attempts: 7, ...withId });
    const due = await dueOf(job);
    await job.updateData({ to: 'bob', big: 'x'.repeat(70_000) });
    expect(await dueOf(job)).toBe(due);
    await job.updateData({ to: 'eve' });
    await job.updateData({ to: 'eve' });
    expect(job.data).toEqual({ to: 'eve' });
    expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
    await job.promote();
    const [ran] = await next(
      redis.worker(() => 1),
      'completed',
    );
    expect(ran).toMatchObject({ data: { to: 'eve' }, opts: { attempts: 7 }, timestamp: job.timestamp });
  });

  test('gets other data while it waits, and moves to the end', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, { attempts: 3, ...withId });
    const other = await queue.add('a', 2);
    await job.update(3);
    expect(await redis.client.xlen(KEYS.stream)).toBe(2);
    const done = await take(
      redis.worker(() => 1),
      'completed',
      2,
    );
    expect(done.map(({ id, data }) => [id, data])).toEqual([
      [other.id, 2],
      [job.id, 3],
    ]);
    expect(done[1]!.opts).toEqual({ attempts: 3 });
  });

  test('is removed from wherever it is, with an event', async () => {
    const events = await redis.events();
    const queue = redis.queue();
    for (const [prev, options] of [
      ['waiting', {}],
      ['delayed', { delay: HOUR }],
    ] as const) {
      const removed = next(events, 'removed');
      const job = await queue.add('a', 1, { ...options, ...withId });
      await job.remove();
      expect((await removed)[0]).toMatchObject({ jobId: job.id, name: 'a', prev });
      expect(await rejection(job.remove())).toMatchObject({ code: 'CMQ-106', jobId: job.id });
      expect(await leftovers()).toEqual([]);
    }
  });

  test('that has failed is removed', async () => {
    await addDeadLetter(redis, withId);
    const [letter] = await redis.queue().peekDlq();
    const queue = redis.queue();
    expect(await queue.remove(letter!.jobId!)).toBe(1);
    expect(await queue.remove(letter!.jobId!)).toBe(0);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
    expect((await queue.add('a', 1, withId)).duplicate).toBe(false);
  });

  test.each(['remove', 'Queue.remove', 'clean', 'dropDlq'])(
    'that has failed is gone after %s, whether somebody waits for it or not',
    async (how) => {
      const queue = redis.queue();
      for (const isAwaited of [false, true]) {
        const worker = redis.worker(
          () => {
            throw new Error('bad');
          },
          { maxAttempts: 1 },
        );
        const failed = next(worker, 'failed');
        const job = await queue.add('a', 1, withId);
        await failed;
        await worker.close();
        if (isAwaited) expect(await rejection(job.waitForResult())).toMatchObject({ code: 'CMQ-103' });
        expect(await job.getState()).toBe('failed');
        if (how === 'remove') await job.remove();
        else if (how === 'Queue.remove') await queue.remove(job.id);
        else if (how === 'clean') await queue.clean(0, 0, 'failed');
        else await queue.dropDlq({ all: true });
        expect([await job.getState(), await job.isFailed()]).toEqual(['unknown', false]);
        expect(await rejection(job.waitForResult())).toMatchObject({ code: 'CMQ-104' });
        expect(await job.getState()).toBe('unknown');
      }
    },
  );

  test('that waited, was awaited and was removed is unknown', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1, withId);
    const waiting = rejection(job.waitForResult());
    await eventually(async () => {
      expect(await redis.client.exists(`${KEYS.prefix}waiters`)).toBe(1);
    });
    await job.remove();
    expect(await waiting).toMatchObject({ code: 'CMQ-104' });
    expect(await job.getState()).toBe('unknown');
  });

  test('that has failed is retried, with its data changed before', async () => {
    const queue = redis.queue();
    const worker = redis.worker(
      (job) => {
        if (job.data === 'bad') throw new Error('bad');
        return job.attemptsMade;
      },
      { maxAttempts: 1 },
    );
    const failed = next(worker, 'failed');
    const job = await queue.add('a', 'bad', withId);
    await failed;
    expect(await rejection(job.promote())).toMatchObject({ code: 'CMQ-107', state: 'failed' });
    await job.updateData('good');
    const [letter] = await queue.peekDlq();
    expect(letter).toMatchObject({ jobId: job.id, data: 'good', reason: 'retries_exhausted', attempts: 1 });
    const completed = next(worker, 'completed');
    await job.retry();
    expect(await completed).toMatchObject([{ id: job.id, data: 'good' }, 1, '']);
    expect(await queue.peekDlq()).toEqual([]);
    await eventually(async () => {
      expect(await rejection(job.retry())).toMatchObject({ code: 'CMQ-106' });
    });
  });

  test('that is active is not changed, and runs to its end', async () => {
    const { job, latch } = await active(withId);
    const before = await redis.client.xrange(KEYS.stream, '-', '+');
    for (const change of [
      () => job.remove(),
      () => job.promote(),
      () => job.changeDelay(5),
      () => job.moveToDelayed(Date.now() + HOUR),
      () => job.updateData('new'),
      () => job.retry(),
    ]) {
      const error = await rejection(change());
      expect(error).toMatchObject({ code: 'CMQ-107', state: 'active', jobId: job.id, name: 'JobStateError' });
      expect(error.message).toContain('Nothing was changed.');
    }
    expect(job.data).toBe('old');
    expect(await redis.queue().remove(job.id)).toBe(0);
    expect(await redis.client.xrange(KEYS.stream, '-', '+')).toEqual(before);
    latch.open();
    await eventually(async () => {
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    });
  });
});

test('a processor cannot change the data of its own job, and changes other jobs of its queue', async () => {
  const queue = redis.queue();
  const other = await queue.add('a', 1, { delay: HOUR, jobId: 'other' });
  const worker = redis.worker(async (job) => (await rejection(job.updateData(5))).code);
  const completed = next(worker, 'completed');
  await queue.add('a', 2);
  expect((await completed)[1]).toBe('CMQ-107');
  expect(await dueOf(other)).toBeGreaterThan(Date.now());
});

describe('arguments', () => {
  test.each([
    ['NaN', NaN, 'RangeError'],
    ['a negative number', -1, 'RangeError'],
    ['Infinity', Infinity, 'RangeError'],
    ['more than the queue accepts', 2_000, 'RangeError'],
    ['a string', '5', 'RangeError'],
    ['nothing', undefined, 'RangeError'],
  ])('changeDelay refuses %s', async (_, delay, name) => {
    const job = await redis.queue({ maxDelaySecs: 1 }).add('a', 1, { delay: 900 });
    const before = await redis.snapshot();
    expect(await rejection(job.changeDelay(delay as number))).toMatchObject({ code: 'CMQ-004', name });
    expect(await redis.snapshot()).toEqual(before);
  });

  test.each([
    ['NaN', NaN, 'TypeError'],
    ['a text', 'tomorrow', 'TypeError'],
    ['a bigint', BigInt(Date.now()), 'TypeError'],
    ['a time that is too far away', Date.now() + 100 * 24 * HOUR, 'RangeError'],
  ])('moveToDelayed refuses %s', async (_, time, name) => {
    const job = await redis.queue().add('a', 1);
    expect(await rejection(job.moveToDelayed(time as number))).toMatchObject({ code: 'CMQ-004', name });
  });

  test('retry refuses an unknown state', async () => {
    const job = await redis.queue().add('a', 1);
    expect(await rejection(job.retry('done' as 'failed'))).toMatchObject({ code: 'CMQ-004' });
  });

  test.each([
    ['a function', () => 1, 'CMQ-002'],
    ['data that is too large', 'x'.repeat(2_000), 'CMQ-023'],
  ])('updateData refuses %s, and changes nothing', async (_, data, code) => {
    const queue = redis.queue({ maxPayloadBytes: 1_000 });
    for (const options of [{}, { delay: HOUR }, { jobId: 'x', delay: HOUR }]) {
      const job = await queue.add('a', 'old', options);
      const before = await redis.snapshot();
      expect(await rejection(job.updateData(data))).toMatchObject({ code });
      expect(job.data).toBe('old');
      expect(await redis.snapshot()).toEqual(before);
    }
  });
});

test('a job that has completed, or never existed, is not found', async () => {
  const queue = redis.queue();
  const worker = redis.worker(() => 1);
  const completed = next(worker, 'completed');
  const job = await queue.add('a', 1, { jobId: 'x' });
  await completed;
  for (const change of [
    () => job.remove(),
    () => job.promote(),
    () => job.updateData(1),
    () => job.retry(),
  ]) {
    const error = await rejection(change());
    expect(error).toMatchObject({ code: 'CMQ-106', name: 'JobNotFoundError', jobId: 'x', queue: 'mail' });
  }
});

test('the dead letter of a job whose id is live again is not retried', async () => {
  const queue = redis.queue();
  await addDeadLetter(redis, { jobId: 'x', dedupTtlMs: 0 });
  const again = await queue.add('a', 'again', { jobId: 'x', dedupTtlMs: 0 });
  expect(again.duplicate).toBe(false);
  expect(await rejection(again.retry())).toMatchObject({ code: 'CMQ-107', state: 'waiting' });
  expect(await queue.peekDlq()).toHaveLength(1);
  expect(await redis.client.xlen(KEYS.stream)).toBe(1);
});

test('all sizes of payloads, ids and times are replaced to the byte', async () => {
  const queue = redis.queue();
  for (const id of ['a', 'b'.repeat(40), 'ü'.repeat(200)]) {
    for (const size of [0, 10, 300, 70_000]) {
      const job = await queue.add('n', 'x'.repeat(size), { jobId: id, timestamp: 5, attempts: 300 });
      await job.updateData('y'.repeat(70_000 - size));
      const [[, entry]] = (await redis.client.xrangeBuffer(KEYS.stream, '-', '+')) as [[Buffer, Buffer[]]];
      const bytes = entry[1 + entry.findIndex((field) => String(field) === 'd')]!;
      expect(bytes.includes(encodePayload('y'.repeat(70_000 - size)))).toBe(true);
      await job.remove();
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    }
  }
});

test('changes and deliveries exclude each other: each job runs once, with the old data or with the new', async () => {
  const queue = redis.queue();
  const ran = new Map<string, unknown[]>();
  const workers = [1, 2].map(() =>
    redis.worker((job) => void ran.set(job.id, [...(ran.get(job.id) ?? []), job.data]), { batch: 3 }),
  );
  await Promise.all(workers.map((worker) => next(worker, 'ready')));
  const removed = new Set<string>();
  const expected = new Map<string, unknown>();
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const job = await queue.add('a', i, { jobId: `j${i}`, ...(i % 2 === 0 && { delay: 20 }) });
      expected.set(job.id, i);
      const refused = (error: { code?: string }): void => {
        expect(['CMQ-106', 'CMQ-107']).toContain(error.code);
      };
      await job.updateData(-i).then(() => expected.set(job.id, -i), refused);
      if (i % 3 === 0) await job.moveToDelayed(Date.now() + 5).catch(refused);
      if (i % 4 === 0) await job.changeDelay(3).catch(refused);
      if (i % 5 === 0) await job.promote().catch(refused);
      if (i % 7 === 0) await job.remove().then(() => removed.add(job.id), refused);
    }),
  );
  await expect.poll(() => ran.size + removed.size, { timeout: 8_000 }).toBe(200);
  await eventually(async () => {
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });
  for (const [id, data] of ran) {
    expect(removed.has(id)).toBe(false);
    expect(data, id).toEqual([expected.get(id)]);
  }
});
