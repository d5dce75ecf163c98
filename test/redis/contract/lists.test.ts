import { describe, expect, test } from 'vitest';
import type { Job, JobType, Queue } from '../../../lib/engine/index.js';
import { encodePayload } from '../../../lib/engine/index.js';
import { encodeEnvelope } from '../../../lib/engine/codec/write-envelope.js';
import { KEYS, Latch, addDeadLetter, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

const dataOf = (jobs: Job[]): unknown[] => jobs.map(({ data }) => data);
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function add(count: number, queue: Queue = redis.queue()): Promise<void> {
  await queue.addBulk(Array.from({ length: count }, (_, data) => ({ name: `job-${data}`, data })));
}

/** Reads as a worker does, so that the jobs are active. */
async function fetch(count: number, group = 'default', consumer = 'c;lease=30000'): Promise<void> {
  await redis.client.xgroup('CREATE', KEYS.stream, group, 0).catch(() => undefined);
  await redis.client.xreadgroup('GROUP', group, consumer, 'COUNT', count, 'STREAMS', KEYS.stream, '>');
}

describe('the list of waiting jobs', () => {
  test('of an empty queue is empty', async () => {
    expect(await redis.queue().getWaiting()).toEqual([]);
    expect(await redis.queue().getJobs()).toEqual([]);
    expect(await redis.keys()).toEqual([]);
  });

  test('has what travels with a job', async () => {
    const queue = redis.queue();
    const added = await queue.add(
      'send',
      { to: 'ada' },
      { jobId: 'x', attempts: 7, backoff: { type: 'exponential', delay: 50 } },
    );
    const [job] = await queue.getWaiting();
    expect(job).toMatchObject({
      id: 'x',
      name: 'send',
      data: { to: 'ada' },
      state: 'waiting',
      queueName: 'mail',
      timestamp: added.timestamp,
      attemptsMade: 0,
      delay: 0,
      opts: { attempts: 7, backoff: { type: 'exponential', delay: 50 } },
    });
    expect(job?.queue).toBe(queue);
    await job?.remove();
    expect(await queue.getWaiting()).toEqual([]);
  });

  test('begins with the job that runs next; getJobs with the newest, unless it is asked for the oldest', async () => {
    await add(5);
    const queue = redis.queue();
    expect(dataOf(await queue.getWaiting())).toEqual([0, 1, 2, 3, 4]);
    expect(dataOf(await queue.getJobs('waiting'))).toEqual([4, 3, 2, 1, 0]);
    expect(dataOf(await queue.getJobs(['wait'], 0, -1, true))).toEqual([0, 1, 2, 3, 4]);
  });

  test.each<[number, number, number[]]>([
    [0, 2, [0, 1, 2]],
    [2, 2, [2]],
    [8, 100, [8, 9]],
    [10, 20, []],
    [3, 2, []],
    [-3, -1, [7, 8, 9]],
    [-3, -2, [7, 8]],
    [-100, 1, [0, 1]],
    [0, -9, [0, 1]],
    [0, -11, []],
    [5, -1, [5, 6, 7, 8, 9]],
  ])('from index %i to %i', async (start, end, expected) => {
    await add(10);
    const queue = redis.queue();
    expect(dataOf(await queue.getWaiting(start, end))).toEqual(expected);
    const newest = await queue.getJobs('waiting', start, end);
    expect(dataOf(newest)).toEqual(expected.map((i) => 9 - i));
  });

  test('is read in steps, also far behind its start', async () => {
    const queue = redis.queue();
    for (let i = 0; i < 3; i++) await add(1_500, queue);
    expect(await queue.getWaiting()).toHaveLength(4_500);
    expect(dataOf(await queue.getWaiting(3_998, 4_001))).toEqual(numbers(998, 1_001));
    expect(dataOf(await queue.getJobs('waiting', 3_998, 4_001))).toEqual([501, 500, 499, 498]);
  });

  test('has no job that is active, and those that a group was moved past', async () => {
    const { client } = redis;
    await add(6);
    await fetch(2);
    expect(dataOf(await redis.queue().getWaiting())).toEqual([2, 3, 4, 5]);
    await client.xgroup('SETID', KEYS.stream, 'default', '$');
    expect(dataOf(await redis.queue().getWaiting())).toEqual([2, 3, 4, 5]);
    expect(dataOf(await redis.queue().getActive())).toEqual([0, 1]);
    await client.xgroup('DELCONSUMER', KEYS.stream, 'default', 'c;lease=30000');
    expect(dataOf(await redis.queue().getWaiting())).toEqual([0, 1, 2, 3, 4, 5]);
    await client.xgroup('DESTROY', KEYS.stream, 'default');
    expect(dataOf(await redis.queue().getJobs('waiting'))).toEqual([5, 4, 3, 2, 1, 0]);
  });

  test('is the one of `paused` in a paused queue', async () => {
    await add(2);
    const queue = redis.queue();
    expect(await queue.getJobs('paused')).toEqual([]);
    expect(dataOf(await queue.getJobs(['waiting', 'paused', 'wait']))).toEqual([1, 0]);
    await redis.client.hset(`${KEYS.prefix}meta`, { paused: Date.now() });
    expect(dataOf(await queue.getJobs('paused'))).toEqual([1, 0]);
    expect(dataOf(await queue.getWaiting())).toEqual([0, 1]);
  });
});

describe('the list of active jobs', () => {
  test('says who has each job, and how often it was started', async () => {
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    const active = next(worker, 'active');
    const added = await redis.queue().add('slow', 1);
    await active;
    const [job] = await redis.queue().getActive();
    expect(job).toMatchObject({ id: added.id, name: 'slow', state: 'active', attemptsMade: 1 });
    const [consumer] = (await redis.client.xinfo('CONSUMERS', KEYS.stream, 'default')) as [string[]];
    expect(job?.processedBy).toBe(consumer[1]);
    latch.open();
  });

  test('in both orders, by index', async () => {
    await add(6);
    await fetch(4);
    const queue = redis.queue();
    expect(dataOf(await queue.getActive())).toEqual([0, 1, 2, 3]);
    expect(dataOf(await queue.getActive(1, 2))).toEqual([1, 2]);
    expect(dataOf(await queue.getJobs('active', 0, 1))).toEqual([3, 2]);
    expect(dataOf(await queue.getActive(-1, -1))).toEqual([3]);
  });

  test('of two groups has each job once', async () => {
    await add(4);
    await fetch(2, 'one');
    await fetch(3, 'two');
    const queue = redis.queue();
    expect(dataOf(await queue.getActive())).toEqual([0, 1, 2]);
    expect(dataOf(await queue.getWaiting())).toEqual([3]);
  });

  test('has no entry that was deleted, however many of them are still pending', async () => {
    await add(200);
    await fetch(150);
    const entries = (await redis.client.xrange(KEYS.stream, '-', '+')).map(([id]) => id);
    await redis.client.xdel(KEYS.stream, ...entries.slice(1, 149));
    const queue = redis.queue();
    expect(dataOf(await queue.getActive())).toEqual([0, 149]);
    expect(dataOf(await queue.getWaiting())).toEqual(numbers(150, 199));
  });
});

describe('the list of delayed jobs', () => {
  test('begins with the job that is due next, and says in how many ms', async () => {
    const queue = redis.queue();
    for (const data of [3, 1, 2]) await queue.add('a', data, { delay: data * 100_000, attempts: 2 });
    const jobs = await queue.getDelayed();
    expect(dataOf(jobs)).toEqual([1, 2, 3]);
    expect(jobs[0]).toMatchObject({ state: 'delayed', opts: { attempts: 2 }, attemptsMade: 0 });
    expect(jobs[0]?.delay).toBeGreaterThan(90_000);
    expect(jobs[0]?.delay).toBeLessThanOrEqual(100_000);
    expect(dataOf(await queue.getJobs('delayed', 0, 1))).toEqual([3, 2]);
    expect(dataOf(await queue.getDelayed(-1))).toEqual([3]);
  });

  test('is complete and in order while its jobs are promoted, also when all are due at once', async () => {
    const queue = redis.queue();
    const due = Date.now() + 3_600_000;
    const pad = 'x'.repeat(1_000);
    await queue.addBulk(
      numbers(0, 2_999).map((i) => ({ name: 'a', data: { i, pad }, opts: { delay: 3_600_000 } })),
    );
    const members = await redis.client.zrangeBuffer(KEYS.delayed, '0', '-1');
    for (const member of members) await redis.client.zadd(KEYS.delayed, due, member);
    const ordered = await queue.getDelayed();
    expect(ordered).toHaveLength(3_000);
    // Takes one away at the head again and again, as a promoter does.
    let taken = 0;
    let reading = true;
    const taking = (async () => {
      while (reading) taken += (await redis.client.zpopmin(KEYS.delayed)).length / 2;
    })();
    for (const [asc, of] of [
      [true, ordered],
      [false, ordered.toReversed()],
    ] as const) {
      const before = taken;
      const ids = (await queue.getJobs('delayed', 0, -1, asc)).map(({ id }) => id);
      const seen = new Set(ids);
      expect(seen.size).toBe(ids.length);
      expect(ids).toEqual(of.map(({ id }) => id).filter((id) => seen.has(id)));
      // Each job that was there all the time.
      for (const { id } of ordered.slice(taken)) expect(seen.has(id)).toBe(true);
      expect(taken).toBeGreaterThan(before);
    }
    reading = false;
    await taking;
  }, 30_000);

  test('contains other bytes than a member', async () => {
    await redis.client.zadd(KEYS.delayed, Date.now() + 100_000, 'x');
    await redis.client.zadd(KEYS.delayed, Date.now() + 200_000, Buffer.from('ffffffff00', 'hex'));
    const jobs = await redis.queue().getDelayed();
    expect(jobs).toMatchObject([
      { id: '', name: '', data: undefined, state: 'delayed' },
      { id: '', name: '', data: undefined, state: 'delayed' },
    ]);
  });
});

describe('the list of failed jobs', () => {
  test('begins with the one that failed last, and says why it failed', async () => {
    await addDeadLetter(redis, { jobId: 'first' });
    await addDeadLetter(redis, { jobId: 'second' });
    const queue = redis.queue();
    const jobs = await queue.getFailed();
    expect(jobs.map(({ id }) => id)).toEqual(['second', 'first']);
    expect(jobs[0]).toMatchObject({
      name: 'a',
      data: 1,
      state: 'failed',
      attemptsMade: 1,
      failedReason: 'x',
      deadLetterReason: 'retries_exhausted',
    });
    expect(jobs[0]?.stacktrace[0]).toMatch(/^Error: x\n/);
    expect(Math.abs((jobs[0]?.finishedOn ?? 0) - Date.now())).toBeLessThan(60_000);
    expect((await queue.getJobs('failed', 0, 0, true)).map(({ id }) => id)).toEqual(['first']);
    expect((await queue.getFailed(1)).map(({ id }) => id)).toEqual(['first']);
  });
});

describe('jobs of a queue that tracks them', () => {
  test('are in the lists with all that is kept of them', async () => {
    const queue = redis.queue({ trackJobs: true });
    const worker = redis.worker(async (job) => {
      await job.updateProgress(50);
      if (job.name === 'bad') throw new Error('boom');
      return { of: job.data };
    });
    const ended = Promise.all([take(worker, 'completed', 2), take(worker, 'failed', 3)]);
    await queue.add('good', 1, { jobId: 'one' });
    await queue.add('good', 2);
    await queue.add('bad', 3, { attempts: 1 });
    await queue.add('bad', 4, { attempts: 2, backoff: 600_000 });
    await queue.add('bad', 5, { attempts: 1 });
    await ended;
    const completed = await queue.getCompleted();
    expect(completed.map(({ data }) => data).toSorted()).toEqual([1, 2]);
    expect(completed.find(({ id }) => id === 'one')).toMatchObject({
      name: 'good',
      state: 'completed',
      attemptsMade: 1,
      returnvalue: { of: 1 },
      processedBy: worker.id,
    });
    const [newest] = completed;
    expect((await queue.getJobs('completed', -1, -1, true)).map(({ id }) => id)).toEqual([newest?.id]);
    expect(await queue.getCompleted(1, 1)).toHaveLength(1);
    expect(await queue.getCompleted(2)).toEqual([]);
    expect(await queue.getCompletedCount()).toBe(2);
    const [failed] = await queue.getFailed();
    expect(failed).toMatchObject({ data: 5, state: 'failed', failedReason: 'boom' });
    expect(failed?.attempts).toHaveLength(1);
    expect((await queue.getDelayed())[0]).toMatchObject({
      data: 4,
      state: 'delayed',
      attemptsMade: 1,
      failedReason: 'boom',
      attempts: [{ reason: 'boom' }],
    });
  });
});

describe('getJobs', () => {
  test('of several types: the range is a part of each', async () => {
    const queue = redis.queue();
    await add(4);
    await fetch(2);
    await queue.add('later', 9, { delay: 100_000 });
    await queue.add('later', 8, { delay: 200_000 });
    expect(dataOf(await queue.getJobs(['delayed', 'waiting', 'active'], 0, 0))).toEqual([8, 3, 1]);
    expect((await queue.getJobs()).map(({ state }) => state)).toEqual([
      ...['active', 'active', 'delayed', 'delayed', 'waiting', 'waiting'],
    ]);
    expect(await queue.getJobs([])).toEqual([]);
    expect(await queue.getPrioritized()).toEqual([]);
    expect(await queue.getWaitingChildren()).toEqual([]);
    expect(await queue.getCompleted()).toEqual([]);
  });

  test('contains entries without a job, and data that cannot be decoded', async () => {
    const { client } = redis;
    await client.xadd(KEYS.stream, '*', 'x', '1');
    await client.xadd(KEYS.stream, '*', 'd', 'junk', 'n', 'send');
    const envelope = { id: 'odd', payload: Buffer.from([0xc1]), createdAtMs: 5, attempt: 2 };
    await client.xadd(KEYS.stream, '*', 'd', encodeEnvelope(envelope), 'n', 'send');
    await client.xadd(
      KEYS.stream,
      '*',
      'n',
      'send',
      'd',
      encodeEnvelope({ ...envelope, payload: encodePayload(1) }),
    );
    const jobs = await redis.queue().getWaiting();
    expect(jobs).toMatchObject([
      { id: '', name: '', data: undefined, timestamp: 0 },
      { id: '', name: 'send', data: undefined },
      // One id, twice: the one that was read last.
      { id: 'odd', name: 'send', data: 1, timestamp: 5, attemptsMade: 2 },
    ]);
  });

  test('of large jobs', async () => {
    const queue = redis.queue();
    const data = 'x'.repeat(900_000);
    for (let i = 0; i < 12; i++) await queue.add('big', data, i % 2 ? {} : { delay: 100_000 });
    expect(await queue.getJobs()).toHaveLength(12);
    expect((await queue.getWaiting(5))[0]?.data).toBe(data);
  });

  test.each<[unknown[], RegExp, string]>([
    [['faled'], /Did you mean "failed"/, 'ConfigError'],
    [[['waiting', 'nope-nope-nope']], /Known: active/, 'ConfigError'],
    [['repeat'], /getJobSchedulers\(\) lists them/, 'ConfigError'],
    [['unknown'], /no job type "unknown"/, 'ConfigError'],
    [[null], /no job type null/, 'ConfigError'],
    [['waiting', 0.5], /start must be a whole number, not 0.5/, 'RangeError'],
    [['waiting', '0'], /start must be a whole number, not "0"/, 'RangeError'],
    [['waiting', NaN], /start/, 'RangeError'],
    [['waiting', 0, Infinity], /end must be a whole number, not Infinity/, 'RangeError'],
    [['waiting', 0, null], /end/, 'RangeError'],
  ])('%j is refused', async (args, message, name) => {
    const queue = redis.queue();
    const error = await rejection(queue.getJobs(...(args as [JobType, number, number])));
    expect(error).toMatchObject({ code: 'CMQ-004', name });
    expect(error.message).toMatch(message);
  });

  test.each(['stream', 'delayed', 'dlq'])('a key …:%s of the wrong type: the error says so', async (key) => {
    await redis.client.set(KEYS.prefix + key, 'x');
    expect((await rejection(redis.queue().getJobs())).message).toMatch(
      /WRONGTYPE.*another program writes to/,
    );
  });
});
