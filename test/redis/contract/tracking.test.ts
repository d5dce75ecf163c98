import { describe, expect, test } from 'vitest';
import { readTracked } from '../../../lib/engine/admin/tracked.js';
import type { Tracked } from '../../../lib/engine/admin/tracked.js';
import type { CommandLink } from '../../../lib/engine/connection/command-link.js';
import { UnrecoverableError } from '../../../lib/engine/index.js';
import type { JobsOptions, QueueOptions } from '../../../lib/engine/index.js';
import { queueKeys } from '../../../lib/redis/keys.js';
import { runnerOn } from '../../support/script-runner.js';
import { KEYS, Latch, NAME, eventually, next, take, useKit } from './kit.js';

const redis = useKit();

async function tracked(id: string, name = NAME): Promise<Tracked> {
  const link = runnerOn(redis.client) as CommandLink;
  return (await readTracked(link, queueKeys(name), [id]))[0] as Tracked;
}

/** Keys that tracking has written, without the prefix. */
async function trackingKeys(): Promise<string[]> {
  const keys = (await redis.keys()).map((key) => key.slice(KEYS.prefix.length));
  return keys.filter((key) => /^(job|job-runs|job-logs|dlid|didx):|^completed$|^delayed:unique$/.test(key));
}

const TRACKED: Partial<QueueOptions> = { trackJobs: true };
const fail = (message: string): never => {
  throw new Error(message);
};

describe('a job that completes', () => {
  test('is kept with its data, result, times and worker', async () => {
    const worker = redis.worker(() => ({ sent: 1n }));
    const done = next(worker, 'completed');
    const { id, timestamp } = await redis.queue(TRACKED).add('send', { to: 'ada' });
    const [job] = await done;
    const { end, attempts, progress } = await tracked(id);
    expect(end).toMatchObject({
      state: 'completed',
      name: 'send',
      attemptsMade: 1,
      returnvalue: { sent: 1 },
      processedBy: worker.id,
      processedOn: job.processedOn,
      finishedOn: job.finishedOn,
    });
    expect(attempts).toHaveLength(1);
    expect(progress).toBeUndefined();
    expect(timestamp).toBeLessThanOrEqual(Number(await redis.client.zscore(`${KEYS.prefix}completed`, id)));
    // Its id is free, and nothing else is left.
    expect(await trackingKeys()).toEqual(['completed', `job:${id}`]);
  });

  test('leaves nothing on a queue that does not track, and in a batch with tracked jobs', async () => {
    const worker = redis.worker(() => 1);
    const done = take(worker, 'completed', 2);
    const plain = await redis.queue().add('a', 1);
    const kept = await redis.queue(TRACKED).add('a', 1);
    await done;
    expect((await tracked(plain.id)).end).toBeUndefined();
    expect((await tracked(kept.id)).end?.state).toBe('completed');
  });

  test('keeps a job of its own id: a new life starts with nothing of the old one', async () => {
    const queue = redis.queue(TRACKED);
    const options = { jobId: 'a b\n"c":logs', dedupTtlMs: 0 };
    const first = redis.worker(() => 'first');
    const done = next(first, 'completed');
    await queue.add('old', 1, options);
    await done;
    await first.close();
    expect((await tracked(options.jobId)).end).toMatchObject({ name: 'old', returnvalue: 'first' });

    const second = await queue.add('new', 2, options);
    expect(second.duplicate).toBe(false);
    expect(await tracked(options.jobId)).toEqual({ end: undefined, attempts: [], progress: undefined });
    expect(await redis.client.zcard(`${KEYS.prefix}completed`)).toBe(0);
  });

  test.each<[string, unknown, unknown]>([
    ['nothing', undefined, undefined],
    ['null', null, null],
    ['a megabyte', 'x'.repeat(1 << 20), 'x'.repeat(1 << 20)],
    ['a large bigint', 2n ** 63n, 2n ** 63n],
    ['bytes', Buffer.from([0, 255, 10]), Buffer.from([0, 255, 10])],
  ])('keeps the result %s', async (_, value, kept) => {
    const worker = redis.worker(() => value);
    const done = next(worker, 'completed');
    const { id } = await redis.queue(TRACKED).add('a', 1);
    await done;
    expect((await tracked(id)).end).toMatchObject({ state: 'completed', returnvalue: kept });
  });

  test('whose result cannot be encoded is kept without it', async () => {
    const worker = redis.worker(() => ({ call: () => 1 }));
    const done = next(worker, 'completed');
    const { id } = await redis.queue(TRACKED).add('a', 1);
    await done;
    expect((await tracked(id)).end).toMatchObject({ state: 'completed', returnvalue: undefined });
    expect(redis.errors.splice(0)).toMatchObject([{ code: 'CMQ-002' }]);
  });

  test('is kept with a payload of a megabyte', async () => {
    const data = 'y'.repeat(1_000_000);
    const worker = redis.worker(() => 1);
    const done = next(worker, 'completed');
    const { id } = await redis.queue(TRACKED).add('a', data);
    await done;
    const { end } = await tracked(id);
    expect(end?.state === 'completed' && end.bytes.includes(data)).toBe(true);
  });
});

describe('waitForResult', () => {
  test.each([{ ok: true }, undefined, null, 'x'.repeat(1_000)])(
    'resolves without storeResults: %j',
    async (value) => {
      const queue = redis.queue(TRACKED);
      const worker = redis.worker(() => value);
      const waiting = (await queue.add('a', 1)).waitForResult();
      await expect(waiting).resolves.toEqual(value);
      const done = next(worker, 'completed');
      const job = await queue.add('a', 1);
      await done;
      await expect(job.waitForResult()).resolves.toEqual(value);
      expect(await queue.getJobResult(job.id)).toEqual(value);
      expect((await redis.keys()).filter((key) => key.includes(':result:'))).toEqual([]);
    },
  );
});

describe('a worker that goes away', () => {
  test('leaves an attempt without an end when it crashes, and the next one is kept beside it', async () => {
    const latch = new Latch();
    const crashed = redis.worker(() => latch.opened, { claimMinIdleMs: 400, concurrency: 1 });
    const { id } = await redis.queue(TRACKED).add('a', 1);
    await eventually(async () => expect((await tracked(id)).attempts).toHaveLength(1));
    // Its lease ends, as if it were dead: another consumer takes the entry over.
    const [entry] = await redis.client.xrange(KEYS.stream, '-', '+');
    await redis.client.xclaim(KEYS.stream, 'default', 'other;lease=10', 0, entry?.[0] ?? '', 'RETRYCOUNT', 1);
    const second = redis.worker(() => 'second', { claimMinIdleMs: 400 });
    const done = next(second, 'completed');
    await done;
    const { end, attempts } = await tracked(id);
    expect(end).toMatchObject({ attemptsMade: 2, returnvalue: 'second', processedBy: second.id });
    expect(attempts).toMatchObject([
      { attempt: 1, worker: crashed.id },
      { attempt: 2, worker: second.id },
    ]);
    expect(attempts[0]?.endedAt).toBeUndefined();
    latch.open();
    await crashed.close();
    redis.errors.splice(0);
    expect((await tracked(id)).end).toMatchObject({ returnvalue: 'second' });
  });

  test('releases its job: no attempt is used, and the next run has the same number', async () => {
    const latch = new Latch();
    const closing = redis.worker(() => latch.opened);
    const { id } = await redis.queue(TRACKED).add('a', 1);
    await eventually(async () => expect((await tracked(id)).attempts).toHaveLength(1));
    await closing.close(true);
    latch.open();
    const second = redis.worker(() => 'second');
    await next(second, 'completed');
    const { end, attempts } = await tracked(id);
    expect(end).toMatchObject({ attemptsMade: 1, processedBy: second.id });
    expect(attempts.filter(({ endedAt }) => endedAt !== undefined)).toHaveLength(1);
  });
});

describe('attempts', () => {
  test('are kept with their errors, stacks and workers', async () => {
    const worker = redis.worker(({ attemptsMade }) =>
      attemptsMade < 3 ? fail(`try ${attemptsMade}`) : 'ok',
    );
    const done = next(worker, 'completed');
    const { id } = await redis.queue(TRACKED).add('a', 1, { backoff: 1 });
    await done;
    const { attempts, end } = await tracked(id);
    expect(attempts).toMatchObject([
      { attempt: 1, reason: 'try 1', worker: worker.id },
      { attempt: 2, reason: 'try 2', worker: worker.id },
      { attempt: 3, worker: worker.id },
    ]);
    expect(attempts[0]?.stack).toContain('Error: try 1\n    at ');
    expect(end).toMatchObject({ attemptsMade: 3, returnvalue: 'ok' });
    expect(await trackingKeys()).toEqual(['completed', `job-runs:${id}`, `job:${id}`]);
  });

  test('show the start of a run that goes on', async () => {
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    const { id } = await redis.queue(TRACKED).add('a', 1);
    await eventually(async () => {
      const { end, attempts } = await tracked(id);
      expect(end).toBeUndefined();
      expect(attempts).toMatchObject([{ attempt: 1, worker: worker.id }]);
      expect(attempts[0]?.endedAt).toBeUndefined();
    });
    const done = next(worker, 'completed');
    latch.open();
    await done;
    expect((await tracked(id)).attempts).toHaveLength(1);
    expect(await trackingKeys()).toEqual(['completed', `job:${id}`]);
  });

  test('show the start of a run with events off', async () => {
    const latch = new Latch();
    redis.worker(() => latch.opened, { eventsEnabled: false });
    const { id } = await redis.queue(TRACKED).add('a', 1);
    await eventually(async () => expect((await tracked(id)).attempts).toHaveLength(1));
    expect(await redis.client.exists(KEYS.events)).toBe(1);
    latch.open();
  });

  test('of a dead letter stay when it is replayed', async () => {
    const queue = redis.queue(TRACKED);
    let ok = false;
    const worker = redis.worker(({ attemptsMade }) => (ok ? 'ok' : fail(`try ${attemptsMade}`)), {
      maxAttempts: 2,
    });
    const dead = next(worker, 'deadLettered');
    const { id } = await queue.add('a', 1);
    await dead;
    const failed = await tracked(id);
    const [letter] = await queue.peekDlq();
    expect(failed.end).toEqual({ state: 'failed', deadLetterId: letter?.dlqId });
    expect(failed.attempts.map(({ reason }) => reason)).toEqual(['try 1', 'try 2']);

    ok = true;
    const done = next(worker, 'completed');
    await queue.replayDlq();
    await done;
    const { end, attempts } = await tracked(id);
    expect(end).toMatchObject({ state: 'completed', attemptsMade: 1 });
    expect(attempts.map(({ attempt, reason }) => [attempt, reason])).toEqual([
      [1, 'try 1'],
      [2, 'try 2'],
      [1, undefined],
    ]);
  });
});

describe('nothing is left', () => {
  const cases: [string, (id: string) => Promise<unknown>][] = [
    ['remove', (id) => redis.queue(TRACKED).remove(id)],
    ['cancel', (id) => redis.queue(TRACKED).cancel(id)],
  ];
  test.each(cases)('after %s of a job that waits for its retry', async (_, act) => {
    const worker = redis.worker(() => fail('x'));
    const failed = next(worker, 'failed');
    const { id } = await redis.queue(TRACKED).add('a', 1, { backoff: 60_000 });
    await failed;
    expect((await tracked(id)).attempts).toHaveLength(1);
    await act(id);
    expect(await trackingKeys()).toEqual([]);
  });

  test('after the cancellation of a job that runs', async () => {
    const worker = redis.worker(
      (_job, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    );
    const queue = redis.queue(TRACKED);
    const { id } = await queue.add('a', 1);
    await eventually(async () => expect((await tracked(id)).attempts).toHaveLength(1));
    const ended = next(worker, 'failed');
    await queue.cancel(id);
    await ended;
    expect(await trackingKeys()).toEqual([]);
  });

  test('after a dead letter is dropped', async () => {
    const worker = redis.worker(() => fail('x'), { maxAttempts: 1 });
    const dead = next(worker, 'deadLettered');
    const queue = redis.queue(TRACKED);
    await queue.add('a', 1);
    await dead;
    expect(await trackingKeys()).toHaveLength(2);
    expect(await queue.dropDlq({ all: true })).toBe(1);
    expect(await trackingKeys()).toEqual([]);
  });

  test('when a job is removed before it starts', async () => {
    const queue = redis.queue(TRACKED);
    const waiting = await queue.add('a', 1);
    const delayed = await queue.add('a', 1, { delay: 60_000 });
    expect(await queue.remove(waiting.id)).toBe(1);
    expect(await queue.remove(delayed.id)).toBe(1);
    expect(await trackingKeys()).toEqual([]);
  });
});

/** Adds jobs 0, 1, … one after the other, each after the last has ended. */
async function endAll(
  count: number,
  optionsOf: (i: number) => JobsOptions,
  queue: Partial<QueueOptions>,
): Promise<string[]> {
  const worker = redis.worker(({ name }) => (name === 'fails' ? fail('x') : 1), { maxAttempts: 1 });
  const producer = redis.queue(queue);
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const options = optionsOf(i);
    const isFailing = options.removeOnFail !== undefined;
    const ended = next(worker, isFailing ? 'failed' : 'completed');
    ids.push((await producer.add(isFailing ? 'fails' : 'works', i, options)).id);
    await ended;
  }
  await worker.close();
  return ids;
}

async function completedIds(): Promise<string[]> {
  const ids = await redis.client.zrange(`${KEYS.prefix}completed`, '0', '-1');
  const records = (await trackingKeys()).filter((key) => key.startsWith('job:')).sort();
  expect(records).toEqual(ids.map((id) => `job:${id}`).sort());
  return ids;
}

describe('removeOnComplete', () => {
  test('true removes the job at its end, with everything that is kept of it', async () => {
    const worker = redis.worker(({ attemptsMade }) => (attemptsMade < 2 ? fail('x') : 1));
    const done = next(worker, 'completed');
    await redis.queue(TRACKED).add('a', 1, { removeOnComplete: true, backoff: 1 });
    await done;
    expect(await trackingKeys()).toEqual([]);
  });

  test.each<[JobsOptions, JobsOptions?]>([
    [{ removeOnComplete: true, removeOnFail: false, keepLogs: 0 }],
    [
      { removeOnComplete: 0, removeOnFail: 1 },
      { removeOnComplete: true, removeOnFail: 1 },
    ],
    [{ removeOnComplete: { age: 3600, count: 5 }, removeOnFail: { age: 7 }, keepLogs: 3 }],
    [{ removeOnFail: { count: 2 } }, { removeOnFail: 2 }],
    [{}],
  ])('%j is in the options of the job, wherever it is read', async (asked, read = asked) => {
    const queue = redis.queue(TRACKED);
    const worker = redis.worker((job) => job.opts, { autorun: false });
    const { id } = await queue.add('a', 1, asked);
    expect((await queue.getJob(id))?.opts).toEqual(read);
    expect((await queue.add('a', 2, { ...asked, delay: 3_600_000, jobId: 'later' })).id).toBe('later');
    expect((await queue.getJob('later'))?.opts).toEqual(read);
    await queue.upsertJobScheduler('s', { every: 3_600_000, offset: 1 }, { name: 'a', opts: asked });
    expect((await queue.getJobScheduler('s'))?.template?.opts ?? {}).toEqual(read);
    const done = next(worker, 'completed');
    void worker.run();
    const [job] = await done;
    expect(job.returnvalue).toEqual(read);
  });

  test('a number keeps exactly so many', async () => {
    const ids = await endAll(6, () => ({ removeOnComplete: 3 }), TRACKED);
    expect(await completedIds()).toEqual(ids.slice(3));
  });

  test('a number keeps exactly so many, in one batch', async () => {
    const worker = redis.worker(() => 1, { autorun: false });
    const jobs = Array.from({ length: 50 }, (_, data) => ({
      name: 'a',
      data,
      opts: { removeOnComplete: 7 },
    }));
    const added = await redis.queue(TRACKED).addBulk(jobs);
    const done = take(worker, 'completed', 50);
    void worker.run();
    await done;
    expect((await completedIds()).sort()).toEqual(added.slice(43).map(({ id }) => id));
  });

  test('false keeps all, whatever the queue says; the bound of the queue holds for the others', async () => {
    const queue = { trackJobs: { completed: { count: 2 } } };
    const ids = await endAll(5, (i) => (i < 4 ? { removeOnComplete: false } : {}), queue);
    expect(await completedIds()).toEqual(ids.slice(3));
  });

  test('an age removes those that ended before it, when the next job ends', async () => {
    const index = `${KEYS.prefix}completed`;
    const ids = await endAll(3, () => ({}), TRACKED);
    const now = Date.now();
    const [first = '', second = ''] = ids;
    await redis.client.zadd(index, String(now - 5_000), first, String(now - 900), second);
    const [last] = await endAll(1, () => ({ removeOnComplete: { age: 2 } }), TRACKED);
    expect(await completedIds()).toEqual([ids[1], ids[2], last]);
  });

  test('of the worker holds for jobs without their own', async () => {
    const worker = redis.worker(() => 1, { removeOnComplete: { count: 1 } });
    const queue = redis.queue(TRACKED);
    for (const removeOnComplete of [undefined, false, undefined] as const) {
      const done = next(worker, 'completed');
      await queue.add('a', 1, removeOnComplete === undefined ? {} : { removeOnComplete });
      await done;
    }
    expect(await completedIds()).toHaveLength(1);
  });

  test('removes at most 1,000 jobs per call', async () => {
    const index = `${KEYS.prefix}completed`;
    const old = Array.from({ length: 2_500 }, (_, i) => [i, `old-${i}`]);
    await redis.client.zadd(index, ...old.flat().map(String));
    await endAll(1, () => ({ removeOnComplete: 10 }), TRACKED);
    expect(await redis.client.zcard(index)).toBe(1_501);
  });
});

describe('removeOnFail', () => {
  test.each([{}, TRACKED])('true leaves no dead letter: %o', async (queue) => {
    const events = await redis.events();
    const exhausted = next(events, 'retries-exhausted');
    const [id] = await endAll(1, () => ({ removeOnFail: true }), queue);
    expect((await exhausted)[0]).toMatchObject({ jobId: id, reason: 'retries_exhausted' });
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
    expect(await trackingKeys()).toEqual([]);
  });

  test.each([{}, TRACKED])('a number keeps exactly so many dead letters: %o', async (options) => {
    const ids = await endAll(6, () => ({ removeOnFail: 2 }), options);
    const letters = await redis.queue().peekDlq();
    expect(letters.map(({ jobId }) => jobId)).toEqual(ids.slice(4));
    const kept = (await trackingKeys()).filter((key) => key.startsWith('job:'));
    expect(kept.sort()).toEqual(
      options === TRACKED
        ? ids
            .slice(4)
            .map((id) => `job:${id}`)
            .sort()
        : [],
    );
  });

  test('an age drops dead letters that are older', async () => {
    const queue = redis.queue(TRACKED);
    const old = `${Date.now() - 5_000}-0`;
    await redis.client.xadd(KEYS.dlq, old, 'd', 'x', 'reason', 'r');
    await endAll(1, () => ({ removeOnFail: { age: 2 } }), TRACKED);
    expect((await queue.peekDlq()).map(({ dlqId }) => dlqId)).not.toContain(old);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(1);
  });

  test('an entry that cannot be decoded is a dead letter all the same', async () => {
    const worker = redis.worker(() => 1, { removeOnFail: true });
    const dead = next(worker, 'deadLettered');
    await redis.client.xadd(KEYS.stream, '*', 'd', 'not a job');
    await dead;
    expect(await redis.client.xlen(KEYS.dlq)).toBe(1);
  });

  test('the cap on dead letters also removes what is kept of their jobs', async () => {
    const worker = redis.worker(
      () => {
        throw new UnrecoverableError('x');
      },
      { dlqMaxStreamLen: 3 },
    );
    const queue = redis.queue(TRACKED);
    for (let i = 0; i < 5; i += 1) {
      const dead = next(worker, 'deadLettered');
      await queue.add('a', i);
      await dead;
    }
    const letters = await queue.peekDlq();
    expect(letters.map(({ data }) => data)).toEqual([2, 3, 4]);
    expect((await trackingKeys()).filter((key) => key.startsWith('job:'))).toHaveLength(3);
  });
});

test('jobs of a schedule are tracked', async () => {
  const worker = redis.worker(() => 1);
  const done = next(worker, 'completed');
  await redis.queue(TRACKED).add('tick', 1, { repeat: { every: 50, limit: 1 } });
  const [{ id }] = await done;
  expect((await tracked(id)).end).toMatchObject({ state: 'completed', name: 'tick' });
  expect((await trackingKeys()).filter((key) => key.startsWith('dlid'))).toEqual([]);
});
