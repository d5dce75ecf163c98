import { describe, expect, test } from 'vitest';
import { Job, Queue } from '../../../lib/engine/index.js';
import { KEYS, NAME, ULID, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

/** How often each command has run on the server since the last reset, for the commands of the code under test. */
async function commandCalls(): Promise<Record<string, number>> {
  const calls: Record<string, number> = {};
  for (const line of (await redis.client.info('commandstats')).split('\r\n')) {
    const [, command, count] = /^cmdstat_([^:]+):calls=(\d+)/.exec(line) ?? [];
    if (command !== undefined) calls[command] = Number(count);
  }
  return calls;
}

async function scriptsDuring(work: () => Promise<unknown>): Promise<number> {
  await redis.client.config('RESETSTAT');
  await work();
  const { evalsha = 0, eval: evals = 0 } = await commandCalls();
  return evalsha + evals;
}

const list = (count: number, from = 0): { name: string; data: number }[] =>
  Array.from({ length: count }, (_, index) => ({ name: 'a', data: from + index }));

describe('add', () => {
  test('returns the job as it was added', async () => {
    const queue = redis.queue();
    const before = Date.now();
    const job = await queue.add('welcome', { to: 'ada' }, { attempts: 3 });
    expect(job).toBeInstanceOf(Job);
    expect(job).toMatchObject({
      name: 'welcome',
      data: { to: 'ada' },
      opts: { attempts: 3 },
      attemptsMade: 0,
      delay: 0,
      priority: 0,
      duplicate: false,
      queueName: NAME,
    });
    expect(job.id).toMatch(ULID);
    expect(job.timestamp).toBeGreaterThanOrEqual(before);
    expect(job.timestamp).toBeLessThanOrEqual(Date.now());
    expect(job.queue).toBe(queue);
  });

  test('accepts any payload that MessagePack has, and the handler receives the same', async () => {
    const payloads = [
      null,
      true,
      0,
      -5.5,
      '',
      'ñ',
      [],
      {},
      [1, [2]],
      { a: { b: null } },
      2n ** 60n,
      new Date(5),
      Buffer.from('x'),
    ];
    const seen: unknown[] = [];
    const worker = redis.worker((job) => seen.push(job.data), { concurrency: 1 });
    const done = take(worker, 'completed', payloads.length + 1);
    const queue = redis.queue();
    for (const data of payloads) await queue.add('a', data);
    await queue.add('a', undefined);
    await done;
    expect(seen).toEqual([...payloads, null]);
  });

  test('jobs are run in the order they were added in', async () => {
    const queue = redis.queue();
    await Promise.all(Array.from({ length: 50 }, (_, data) => queue.add('a', data)));
    await queue.addBulk(list(50, 50));
    const seen: unknown[] = [];
    const worker = redis.worker((job) => seen.push(job.data), { concurrency: 1 });
    await take(worker, 'completed', 100);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test('ids are ULIDs in ascending order', async () => {
    const queue = redis.queue();
    const jobs = await Promise.all(Array.from({ length: 200 }, () => queue.add('a', 1)));
    const ids = jobs.map(({ id }) => id);
    expect(new Set(ids).size).toBe(200);
    expect([...ids].sort()).toEqual(ids);
  });

  test('applies defaultJobOptions, and options of the add win', async () => {
    const queue = redis.queue({ defaultJobOptions: { attempts: 7, backoff: 5, delay: 60_000 } });
    expect((await queue.add('a', 1)).opts).toEqual({ attempts: 7, backoff: 5, delay: 60_000 });
    expect((await queue.add('a', 1, { attempts: 2 })).opts).toMatchObject({ attempts: 2, backoff: 5 });
    const [bulk] = await queue.addBulk([{ name: 'a', data: 1, opts: { delay: 0 } }]);
    expect(bulk!.opts).toEqual({ attempts: 7, backoff: 5, delay: 0 });
    expect((await queue.addUnique('a', 1, { jobId: 'u' })).opts).toMatchObject({ attempts: 7, jobId: 'u' });
    expect(await redis.client.zcard(KEYS.delayed)).toBe(3);
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });

  test('of one tick share a round trip', async () => {
    const queue = redis.queue();
    // The server knows the script from then on.
    await queue.add('known', 0);
    const scripts = await scriptsDuring(() =>
      Promise.all([
        ...Array.from({ length: 500 }, (_, data) => queue.add('a', data)),
        ...Array.from({ length: 500 }, (_, data) => queue.add('b', data, { delay: 60_000, attempts: 2 })),
      ]),
    );
    // None waits for another: the first are added while the last are still being encoded.
    expect(scripts).toBeLessThanOrEqual(8);
    expect(await redis.client.xlen(KEYS.stream)).toBe(501);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(500);
  });

  test('a job whose id is in use takes no room of a full queue', async () => {
    const queue = redis.queue({ maxStreamLen: 3 });
    for (const jobId of ['a', 'b']) await queue.add('x', 1, { jobId });
    await queue.add('x', 1, { jobId: 'later', delay: 60_000 });
    const add = (...jobIds: string[]): Promise<Job[]> =>
      queue.addBulk(jobIds.map((jobId) => ({ name: 'x', data: 1, opts: { jobId } })));
    const duplicates = (jobs: readonly Job[]): boolean[] => jobs.map(({ duplicate }) => duplicate);
    expect(duplicates(await add('a', 'b', 'c', 'c', 'later'))).toEqual([true, true, false, true, true]);
    // It is full now.
    expect(duplicates(await add('a', 'c', 'later', 'b'))).toEqual([true, true, true, true]);
    expect(await queue.add('x', 1, { jobId: 'a' })).toMatchObject({ duplicate: true });
    await expect(add('a', 'd')).rejects.toMatchObject({ code: 'CMQ-006' });
    // Adds of one tick share a call.
    const together = await Promise.allSettled([add('a'), add('d'), add('b')]);
    expect(together.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await redis.client.xlen(KEYS.stream)).toBe(3);
  });

  test('an add that is refused does not affect others of its tick', async () => {
    const queue = redis.queue({ maxStreamLen: 10 });
    const results = await Promise.allSettled([
      queue.addBulk(list(6)),
      queue.addBulk(list(6)),
      queue.addBulk(list(4)),
      queue.add('a', 1),
      queue.add('a', 1, { delay: 60_000 }),
      queue.add('a', 1, { delay: -1 }),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
    ]);
    expect(await redis.client.xlen(KEYS.stream)).toBe(10);
  });
});

describe('addBulk', () => {
  test('returns the jobs in order, and nothing for no jobs', async () => {
    const queue = redis.queue();
    expect(await queue.addBulk([])).toEqual([]);
    const jobs = await queue.addBulk([
      { name: 'a', data: 1 },
      { name: 'b', data: 2, opts: { delay: 50, attempts: 5 } },
      { name: 'c', data: 3, opts: { jobId: 'mine' } },
    ]);
    expect(jobs.map(({ name, data, delay }) => [name, data, delay])).toEqual([
      ['a', 1, 0],
      ['b', 2, 50],
      ['c', 3, 0],
    ]);
    expect(jobs[2]!.id).toBe('mine');
  });

  test.each([10, 1_000])('of %i jobs is one round trip, with any options', async (count) => {
    const queue = redis.queue();
    await queue.addBulk(list(1));
    const jobs = list(count).map((job, index) => ({
      ...job,
      name: `name-${index % 7}`,
      opts: [{}, { delay: 60_000 }, { jobId: `id-${index}` }, { attempts: 9, backoff: 5 }][index % 4]!,
    }));
    expect(await scriptsDuring(() => queue.addBulk(jobs))).toBe(1);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(Math.floor((count + 2) / 4));
    expect(await redis.client.xlen(KEYS.stream)).toBe(1 + count - Math.floor((count + 2) / 4));
  });

  test('of 10,000 with large payloads arrives whole and in order', async () => {
    const queue = redis.queue();
    const pad = 'x'.repeat(1_000);
    const jobs = await queue.addBulk(list(10_000).map(({ name, data }) => ({ name, data: { data, pad } })));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(10_000);
    expect(await redis.client.xlen(KEYS.stream)).toBe(10_000);
    const first = await redis.client.xrangeBuffer(KEYS.stream, '-', '+', 'COUNT', '1');
    expect(first[0]![1][1]!.includes(jobs[0]!.id)).toBe(true);
    const last = await redis.client.xrevrangeBuffer(KEYS.stream, '+', '-', 'COUNT', '1');
    expect(last[0]![1][1]!.includes(jobs[9_999]!.id)).toBe(true);
  });
});

describe('a full queue', () => {
  test('refuses with CMQ-006 and adds nothing', async () => {
    const queue = redis.queue({ maxStreamLen: 3 });
    await queue.addBulk(list(3));
    const before = await redis.snapshot();
    const error = await rejection(queue.add('a', 1));
    expect(error).toMatchObject({
      code: 'CMQ-006',
      name: 'QueueFullError',
      queue: NAME,
      length: 3,
      maxStreamLen: 3,
    });
    expect(await rejection(queue.addBulk(list(5)))).toMatchObject({ code: 'CMQ-006' });
    expect(await rejection(queue.addUnique('a', 1, { jobId: 'u' }))).toMatchObject({ code: 'CMQ-006' });
    expect(await redis.snapshot()).toEqual(before);
  });

  test('accepts exactly as many as fit', async () => {
    const queue = redis.queue({ maxStreamLen: 10 });
    await queue.addBulk(list(4));
    expect(await rejection(queue.addBulk(list(7)))).toMatchObject({ code: 'CMQ-006', length: 4 });
    await queue.addBulk(list(6));
    expect(await redis.client.xlen(KEYS.stream)).toBe(10);
  });

  test.each([
    [2_001, 2_000],
    [5_000, 4_999],
    [5_000, 100],
  ])('refuses a bulk of %i over %i whole', async (count, maxStreamLen) => {
    const queue = redis.queue({ maxStreamLen });
    expect(await rejection(queue.addBulk(list(count)))).toMatchObject({ code: 'CMQ-006', maxStreamLen });
    expect(await redis.keys()).toEqual([]);
    await queue.addBulk(list(Math.min(count, maxStreamLen)));
    expect(await redis.client.xlen(KEYS.stream)).toBe(Math.min(count, maxStreamLen));
  });

  test('in a large bulk counts only the jobs that go to the stream at once', async () => {
    const queue = redis.queue({ maxStreamLen: 100 });
    const later = list(4_000).map((job) => ({ ...job, opts: { delay: 60_000 } }));
    await queue.addBulk([...later.slice(0, 2_000), ...list(50), ...later.slice(2_000), ...list(50)]);
    expect(await redis.client.xlen(KEYS.stream)).toBe(100);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(4_000);
    expect(await rejection(queue.addBulk([...later, ...list(1)]))).toMatchObject({ code: 'CMQ-006' });
    expect(await redis.client.zcard(KEYS.delayed)).toBe(4_000);
  });

  test('delayed jobs, promotions, retries and replays are never refused', async () => {
    const queue = redis.queue({ maxStreamLen: 2 });
    await queue.addBulk(list(2));
    await queue.add('later', 1, { delay: 1 });
    await eventually(async () => {
      expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
    });
    let failures = 0;
    const worker = redis.worker(
      (job) => {
        if (job.name === 'a' && failures++ < 4) throw new Error('x');
      },
      { concurrency: 1, maxAttempts: 3 },
    );
    const done = take(worker, 'completed', 3);
    await done;
  });

  test('has room again when jobs have ended', async () => {
    const queue = redis.queue({ maxStreamLen: 1 });
    await queue.add('a', 1);
    await rejection(queue.add('a', 2));
    await next(
      redis.worker(() => undefined),
      'completed',
    );
    await queue.add('a', 2);
  });

  test('is unlimited with 0', async () => {
    await redis.queue({ maxStreamLen: 0 }).addBulk(list(3_000));
    expect(await redis.client.xlen(KEYS.stream)).toBe(3_000);
  });

  test('is never trimmed: all accepted jobs are there', async () => {
    const queue = redis.queue({ maxStreamLen: 500 });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => queue.addBulk(list(100))));
    const accepted = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(accepted).toBe(5);
    expect(await redis.client.xlen(KEYS.stream)).toBe(500);
  });
});

describe('maxPayloadBytes', () => {
  test('counts the bytes of the payload, and accepts one of exactly that size', async () => {
    const queue = redis.queue({ maxPayloadBytes: 10 });
    await queue.add('a', 'x'.repeat(9));
    expect(await rejection(queue.add('a', 'x'.repeat(10)))).toMatchObject({ code: 'CMQ-023' });
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });
});

describe('close', () => {
  test('is idempotent, waits for calls in flight, and ends the connection', async () => {
    const queue = redis.queue();
    const adding = Promise.all(Array.from({ length: 50 }, () => queue.add('a', 1)));
    await queue.waitUntilReady();
    const closing = queue.close();
    expect(queue.close()).toBe(closing);
    expect(queue.isClosed).toBe(true);
    await adding;
    await closing;
    expect(await redis.client.xlen(KEYS.stream)).toBe(50);
  });

  test('refuses every later call with CMQ-005', async () => {
    const queue = redis.queue();
    const job = await queue.add('a', 1);
    await queue.close();
    const calls = [
      queue.add('a', 1),
      queue.addBulk(list(1)),
      queue.addUnique('a', 1, { jobId: 'x' }),
      queue.peekDlq(),
      queue.replayDlq(),
      queue.remove('x'),
      queue.getJobResult('x'),
      queue.getRepeatableJobs(),
      queue.removeRepeatableByKey('x'),
      queue.waitUntilReady(),
      job.waitForResult(),
    ];
    for (const call of calls)
      expect(await rejection(call)).toMatchObject({ code: 'CMQ-005', name: 'ShutdownError' });
  });

  test('of a queue that was never used opens no connection', async () => {
    const before = (await redis.client.client('LIST')) as string;
    const queue = redis.queue();
    await queue.close();
    expect(((await redis.client.client('LIST')) as string).split('\n').length).toBe(
      before.split('\n').length,
    );
  });

  test('await using closes it', async () => {
    let kept: Queue;
    {
      await using queue = new Queue(NAME, { connection: redis.connection });
      await queue.add('a', 1);
      kept = queue;
    }
    expect(kept.isClosed).toBe(true);
  });
});
