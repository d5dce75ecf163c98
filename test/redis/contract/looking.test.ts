import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Job, UnrecoverableError } from '../../../lib/engine/index.js';
import type { JobsOptions, Queue } from '../../../lib/engine/index.js';
import { encodePayload } from '../../../lib/engine/index.js';
import { encodeEnvelope } from '../../../lib/engine/codec/write-envelope.js';
import { KEYS, Latch, addDeadLetter, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

/** The four ways in which an id leads to its job. */
const WAYS = [
  ['an id of the caller', {}, 'order-1'],
  ['a generated id', {}, undefined],
  ['a generated id of a tracked queue', { trackJobs: true }, undefined],
] as const;

describe.each(WAYS)('getJob and getJobState, by %s', (_, options, jobId) => {
  const own = jobId === undefined ? {} : { jobId };

  test('of a job that waits, is active, and has completed', async () => {
    const queue = redis.queue(options);
    const { id } = await queue.add('send', { to: 'ada' }, own);
    expect(await queue.getJobState(id)).toBe('waiting');
    expect(await queue.getJob(id)).toMatchObject({ id, name: 'send', data: { to: 'ada' }, state: 'waiting' });
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened.then(() => 7), { storeResults: true });
    await next(worker, 'active');
    const job = await queue.getJob(id);
    expect(job).toMatchObject({
      id,
      data: { to: 'ada' },
      state: 'active',
      attemptsMade: 1,
      processedBy: worker.id,
    });
    expect([await job?.isActive(), await job?.isWaiting()]).toEqual([true, false]);
    const completed = next(worker, 'completed');
    latch.open();
    await completed;
    expect(await queue.getJobState(id)).toBe('completed');
    expect(await job?.isCompleted()).toBe(true);
    const after = await queue.getJob(id);
    if ('trackJobs' in options)
      expect(after).toMatchObject({ id, state: 'completed', returnvalue: 7, data: { to: 'ada' } });
    else expect(after).toBeUndefined();
  });

  test('of a job that is delayed, waits for a retry, and has failed', async () => {
    const queue = redis.queue(options);
    const added = await queue.add('send', 1, { ...own, delay: 600_000, attempts: 2, backoff: 600_000 });
    const { id } = added;
    expect(await added.getState()).toBe('delayed');
    const job = await queue.getJob(id);
    expect(job?.delay).toBeGreaterThan(590_000);
    expect(await job?.isDelayed()).toBe(true);
    const worker = redis.worker(() => {
      throw new Error('boom');
    });
    const failed = take(worker, 'failed', 1);
    await job?.promote();
    await failed;
    expect(await queue.getJob(id)).toMatchObject({ id, state: 'delayed', attemptsMade: 1 });
    const again = take(worker, 'failed', 1);
    await (await queue.getJob(id))?.promote();
    await again;
    expect(await job?.isFailed()).toBe(true);
    expect(await queue.getJob(id)).toMatchObject({
      id,
      state: 'failed',
      data: 1,
      attemptsMade: 2,
      failedReason: 'boom',
      deadLetterReason: 'retries_exhausted',
    });
    await worker.close();
    await (await queue.getJob(id))?.retry();
    expect(await queue.getJobState(id)).toBe('waiting');
    await (await queue.getJob(id))?.remove();
    expect(await queue.getJobState(id)).toBe('unknown');
    expect(await queue.getJob(id)).toBeUndefined();
  });
});

describe('getJob', () => {
  test('of an unknown id is undefined, and its state is unknown', async () => {
    const queue = redis.queue();
    await queue.add('a', 1);
    await addDeadLetter(redis, {});
    for (const id of ['x', '01ARZ3NDEKTSV4RRFFQ69G5FAV', ' a b ', '1-0', 'é'.repeat(200), '__proto__', '*']) {
      expect(await queue.getJob(id)).toBeUndefined();
      expect(await queue.getJobState(id)).toBe('unknown');
      expect(await Job.fromId(queue, id)).toBeUndefined();
    }
  });

  test.each<[unknown, RegExp, string]>([
    ['', /must be a string that is not blank/, 'TypeError'],
    ['  ', /must be a string that is not blank/, 'TypeError'],
    [undefined, /must be a string/, 'TypeError'],
    [7, /must be a string/, 'TypeError'],
    ['x'.repeat(513), /at most 512/, 'ConfigError'],
    ['\ud800', /surrogate/, 'ConfigError'],
  ])('of the id %j is refused', async (id, message, name) => {
    const queue = redis.queue();
    for (const call of [queue.getJob(id as string), queue.getJobState(id as string)]) {
      const error = await rejection(call);
      expect(error).toMatchObject({ code: 'CMQ-004', name });
      expect(error.message).toMatch(message);
    }
  });

  test('finds odd ids, and jobs whose marker is wrong, gone, or of the wrong kind', async () => {
    const queue = redis.queue();
    const id = 'a b\n*?[x]:{é}';
    await queue.add('a', 1, { jobId: id });
    expect(await queue.getJob(id)).toMatchObject({ id, state: 'waiting' });
    await redis.client.set(`${KEYS.prefix}dlid:${id}`, '0:1-0');
    expect(await queue.getJob(id)).toMatchObject({ id, state: 'waiting' });
    await redis.client.set(`${KEYS.prefix}dlid:${id}`, '1');
    expect(await queue.getJob(id)).toMatchObject({ id, state: 'waiting' });
    await redis.client.del(`${KEYS.prefix}dlid:${id}`);
    expect(await Job.fromId(queue, id)).toMatchObject({ id, state: 'waiting' });
    expect(await redis.client.exists(`${KEYS.prefix}dlid:${id}`), 'looking writes nothing').toBe(0);
  });

  test('finds a job of a producer whose clock is ahead, and one of another program', async () => {
    const queue = redis.queue();
    const ahead = '7ZZZZZZZZZ0000000000000000';
    const d = encodeEnvelope({ id: ahead, payload: encodePayload(1), createdAtMs: 1, attempt: 0 });
    await redis.client.xadd(KEYS.stream, '*', 'other', 'x', 'd', d);
    await redis.client.xadd(KEYS.stream, '*', 'no', 'job');
    expect(await queue.getJob(ahead)).toMatchObject({ id: ahead, name: '', data: 1, state: 'waiting' });
    await redis.client.xtrim(KEYS.stream, 'MAXLEN', 0);
    await redis.client.xadd(KEYS.dlq, '5-0', 'd', d, 'reason', 'unrecoverable');
    expect(await queue.getJob(ahead)).toMatchObject({
      id: ahead,
      state: 'failed',
      failedReason: 'unrecoverable',
    });
  });

  test('finds a job among many, wherever it is', async () => {
    const queue = redis.queue();
    const fill = (opts: object): Promise<unknown> =>
      queue.addBulk(Array.from({ length: 2_000 }, (_, data) => ({ name: 'a', data, opts })));
    const [early] = await queue.addBulk([{ name: 'early', data: 1 }]);
    const later = await queue.add('later', 1, { delay: 50_000_000 });
    await fill({});
    await fill({ delay: 1_000_000 });
    await fill({ delay: 100_000_000 });
    expect(await queue.getJob(early?.id as string)).toMatchObject({ name: 'early' });
    expect(await queue.getJob(later.id)).toMatchObject({ name: 'later', state: 'delayed' });
    // Many at once share their searches.
    const ids = [early?.id as string, later.id, 'nobody'];
    const states = await Promise.all(ids.map((id) => queue.getJobState(id)));
    expect(states).toEqual(['waiting', 'delayed', 'unknown']);
  });

  describe.each([true, false])(
    'a job that failed and left no dead letter is unknown (tracked: %s)',
    (trackJobs) => {
      test.each<[string, JobsOptions, number]>([
        ['removeOnFail: true', { removeOnFail: true }, 0],
        ['a later one is the only one that is kept', { removeOnFail: { count: 1 } }, 1],
        ['dropped when it expired', { ttlMs: 1, expired: 'drop' }, 0],
      ])('%s', async (_, options, kept) => {
        const queue = redis.queue({ trackJobs });
        const jobs = [await queue.add('a', 1, { jobId: 'x', ...options }), await queue.add('a', 2, options)];
        await delay(5);
        const worker = redis.worker(
          () => {
            throw new Error('no');
          },
          { maxAttempts: 1 },
        );
        await eventually(async () => {
          expect(await redis.client.xlen(KEYS.stream)).toBe(0);
          expect(await redis.client.xlen(KEYS.dlq)).toBe(kept);
        });
        await worker.close();
        expect(await jobs[0]!.getState()).toBe('unknown');
        expect([await jobs[0]!.isFailed(), await queue.getJob('x')]).toEqual([false, undefined]);
        expect(await jobs[1]!.getState()).toBe(kept === 0 ? 'unknown' : 'failed');
      });
    },
  );

  test('a job in its handler asks for its state', async () => {
    const worker = redis.worker(async (job) => [
      await job.getState(),
      await job.isActive(),
      await job.isDelayed(),
    ]);
    const completed = next(worker, 'completed');
    await redis.queue().add('a', 1);
    expect((await completed)[1]).toEqual(['active', true, false]);
  });

  test.each(['stream', 'delayed', 'dlq'])('a key …:%s of the wrong type: the error says so', async (key) => {
    await redis.client.set(KEYS.prefix + key, 'x');
    expect((await rejection(redis.queue().getJob('x'))).message).toMatch(/WRONGTYPE/);
  });
});

/** Looks 1,000 times for each of two jobs that are always on the move. They must never seem to be missing. */
async function watch(queue: Queue, ids: readonly string[], rounds: number): Promise<Map<string, number>> {
  const states = new Map<string, number>();
  for (let i = 0; i < rounds; i++) {
    for (const id of ids) {
      const state = i % 2 ? await queue.getJobState(id) : ((await queue.getJob(id))?.state ?? 'missing');
      states.set(state, (states.get(state) ?? 0) + 1);
    }
  }
  return states;
}

describe('a job that moves while it is looked for is never missing', () => {
  test('when it fails and is retried at once, again and again', async () => {
    const queue = redis.queue();
    // More delayed jobs than one step looks at.
    await queue.addBulk(
      Array.from({ length: 600 }, (_, data) => ({ name: 'later', data, opts: { delay: 9_000_000 } })),
    );
    const worker = redis.worker(
      () => {
        throw new Error('again');
      },
      { maxAttempts: 1_000_000, retry: { initialBackoffMs: 1, maxBackoffMs: 2, jitterMs: 0 } },
    );
    const one = await queue.add('moves', 1);
    const two = await queue.add('moves', 2, { jobId: 'two' });
    const states = await watch(queue, [one.id, two.id], 1_000);
    expect([...states.keys()].filter((state) => !['waiting', 'active', 'delayed'].includes(state))).toEqual(
      [],
    );
    expect(states.size).toBeGreaterThanOrEqual(2);
    await worker.close();
  }, 60_000);

  test('when it is dead-lettered and replayed, again and again', async () => {
    const queue = redis.queue();
    const worker = redis.worker(() => {
      throw new UnrecoverableError('dead');
    });
    const one = await queue.add('moves', 1);
    const two = await queue.add('moves', 2, { jobId: 'two' });
    let isOver = false;
    const replaying = (async () => {
      while (!isOver) {
        await queue.replayDlq(10);
        await delay(1);
      }
    })();
    const states = await watch(queue, [one.id, two.id], 500);
    isOver = true;
    await replaying;
    expect([...states.keys()].filter((state) => !['waiting', 'active', 'failed'].includes(state))).toEqual(
      [],
    );
    expect(states.size).toBeGreaterThanOrEqual(2);
    await worker.close();
  }, 60_000);
});
