import { describe, expect, test } from 'vitest';
import type { CleanType, Queue } from '../../../lib/engine/index.js';
import { KEYS, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();
const HOUR = 3_600_000;

/** Half of the jobs have an id of the caller's. */
async function addJobs(queue: Queue, count: number, options = {}): Promise<string[]> {
  const jobs = await queue.addBulk(
    Array.from({ length: count }, (_, i) => ({
      name: i % 3 === 0 ? 'mail' : 'sms',
      data: i,
      opts: { ...options, ...(i % 2 === 0 && { jobId: `job ${i}\n` }) },
    })),
  );
  return jobs.map(({ id }) => id);
}

async function addDeadLetters(queue: Queue, count: number): Promise<string[]> {
  const worker = redis.worker(
    (job) => {
      throw new Error(`failed with ${String(job.data)}`);
    },
    { maxAttempts: 1, concurrency: 50 },
  );
  const failed = take(worker, 'failed', count);
  const ids = await addJobs(queue, count);
  await failed;
  await worker.close();
  return ids;
}

const leftovers = async (): Promise<string[]> =>
  (await redis.keys()).filter((key) => !/:(wake:|events|stream$|failed:|dlq$)|lock$/.test(key));

const waiting = (): Promise<number> => redis.client.xlen(KEYS.stream);

describe('drain', () => {
  test('removes what waits, and with true what is delayed; ids are free, schedules stay', async () => {
    const queue = redis.queue();
    await addJobs(queue, 1_300);
    await addJobs(queue, 700, { delay: HOUR, timestamp: 1 });
    await queue.add('tick', 1, { repeat: { every: HOUR } });
    const events = await redis.events();
    const counts: [string, number][] = [];
    events.on('cleaned', ({ type, count }) => counts.push([type, count]));
    await queue.drain();
    expect([await waiting(), await redis.client.zcard(KEYS.delayed)]).toEqual([0, 350]);
    expect((await queue.add('a', 1, { jobId: 'job 1000\n' })).duplicate).toBe(false);
    const progress: unknown[] = [];
    await queue.drain(true, { onProgress: (at) => progress.push(at) });
    expect(progress.at(-1)).toEqual({ done: 351, total: 351 });
    expect([await waiting(), await redis.client.zcard(KEYS.delayed)]).toEqual([0, 0]);
    expect((await leftovers()).filter((key) => !/:(repeat|scheduler:gap)/.test(key))).toEqual([]);
    expect(await queue.getRepeatableJobs()).toHaveLength(1);
    await eventually(() => {
      const sum = (type: string): number =>
        counts.filter(([of]) => of === type).reduce((all, [, count]) => all + count, 0);
      expect([sum('wait'), sum('delayed')]).toEqual([1_301, 350]);
    });
  });

  test('of an empty queue does nothing', async () => {
    await redis.queue().drain(true);
    expect(await redis.keys()).toEqual([]);
  });

  test('spares jobs that are in flight in any group, and result waiters learn of the others', async () => {
    const queue = redis.queue();
    const jobs = await queue.addBulk(Array.from({ length: 30 }, (_, data) => ({ name: 'a', data })));
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xgroup('CREATE', KEYS.stream, 'theirs', '0');
    await redis.client.xreadgroup('GROUP', 'default', 'x', 'COUNT', 10, 'STREAMS', KEYS.stream, '>');
    await redis.client.xreadgroup('GROUP', 'theirs', 'y', 'COUNT', 20, 'STREAMS', KEYS.stream, '>');
    // A group that was set back has jobs in flight behind its position.
    await redis.client.xgroup('SETID', KEYS.stream, 'theirs', '0');
    const result = rejection(jobs[25]!.waitForResult());
    await eventually(async () => {
      expect(await redis.client.exists(KEYS.waiters)).toBe(1);
    });
    await queue.drain();
    expect(await waiting()).toBe(20);
    expect(await result).toMatchObject({ code: 'CMQ-104', reason: 'removed' });
  });

  test('is aborted between two steps: what was done stays done', async () => {
    const queue = redis.queue();
    await addJobs(queue, 1_200);
    const abort = new AbortController();
    const reason = new Error('enough');
    const onProgress = (): void => {
      abort.abort(reason);
    };
    expect(await rejection(queue.drain(false, { signal: abort.signal, onProgress }))).toBe(reason);
    expect(await waiting()).toBe(950);
    expect(await rejection(queue.drain(true, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(await waiting()).toBe(950);
    const failing = queue.drain(false, {
      onProgress: () => {
        throw reason;
      },
    });
    expect(await rejection(failing)).toBe(reason);
    expect(await waiting()).toBe(700);
  });
});

describe('clean', () => {
  test.each(['wait', 'waiting', 'delayed'] as const)('removes %s jobs that are old enough', async (type) => {
    const queue = redis.queue();
    const delay = type === 'delayed' ? { delay: HOUR } : {};
    const old = await addJobs(queue, 20, { ...delay, timestamp: Date.now() - HOUR });
    const young = await queue.addBulk(
      Array.from({ length: 20 }, (_, data) => ({
        name: 'a',
        data,
        opts: { ...delay, delay: delay.delay ?? 0 },
      })),
    );
    expect((await queue.clean(HOUR / 2, 5, type)).sort()).toHaveLength(5);
    const rest = await queue.clean(HOUR / 2, 0, type);
    expect(rest).toHaveLength(15);
    expect(old).toEqual(expect.arrayContaining(rest));
    expect(await queue.clean(HOUR / 2, 0, type)).toEqual([]);
    expect(await queue.clean(Date.now() + HOUR, 0, type)).toEqual([]);
    expect((await queue.clean(0, 0, type)).sort()).toEqual(young.map(({ id }) => id).sort());
    expect(await leftovers()).toEqual([]);
  });

  test('finds each old job among young ones that are due at the same time', async () => {
    const queue = redis.queue();
    const due = Date.now() + HOUR;
    for (let i = 0; i < 200; i++) {
      const timestamp = i % 4 === 0 ? Date.now() - HOUR : Date.now();
      await queue.add('a', i, { delay: due - Date.now(), timestamp });
    }
    // All at one score.
    for (const member of await redis.client.zrangeBuffer(KEYS.delayed, '0', '-1'))
      await redis.client.zadd(KEYS.delayed, due, member);
    const cleaned: string[] = [];
    for (let i = 0; i < 10; i++) cleaned.push(...(await queue.clean(HOUR / 2, 7, 'delayed')));
    expect(new Set(cleaned).size).toBe(50);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(150);
  });

  test('removes dead letters, oldest first, and resolves with the ids of their jobs', async () => {
    const queue = redis.queue();
    const ids = await addDeadLetters(queue, 30);
    await redis.client.xadd(KEYS.dlq, '*', 'reason', 'malformed', 'source_id', '1-1');
    expect(await queue.clean(HOUR, 0, 'failed')).toEqual([]);
    const some = await queue.clean(0, 10, 'failed');
    expect(some).toHaveLength(10);
    const rest = await queue.clean(0, 0, 'failed');
    expect([...some, ...rest].slice(0, 30).sort()).toEqual([...ids].sort());
    expect(rest.at(-1)).toMatch(/^\d+-\d+$/);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
    expect((await queue.add('a', 1, { jobId: 'job 0\n' })).duplicate).toBe(false);
  });

  test('paused jobs are those that wait in a paused queue; nothing is prioritized or kept here', async () => {
    const queue = redis.queue();
    const [id] = await addJobs(queue, 1);
    expect(await queue.clean(0, 0, 'paused')).toEqual([]);
    expect(await queue.clean(0, 0, 'prioritized')).toEqual([]);
    expect(await queue.clean(0, 0)).toEqual([]);
    await redis.client.hset(KEYS.meta, 'paused', '1');
    expect(await queue.clean(0, 0, 'paused')).toEqual([id]);
  });

  test.each<[string, unknown[], RegExp]>([
    ['active jobs', [0, 0, 'active'], /Queue\.cancel/],
    ['an unknown type', [0, 0, 'faild'], /Did you mean "failed"/],
    ['a type that is like no other', [0, 0, 'x'], /one of completed, wait/],
    ['null as a type', [0, 0, null], /no type null/],
    ['a negative grace', [-1, 0], /grace/],
    ['NaN as grace', [NaN, 0], /grace/],
    ['no limit', [0], /limit/],
    ['a negative limit', [0, -1], /limit/],
    ['a signal that is none', [0, 0, 'wait', { signal: 1 }], /"signal"/],
    ['an unknown option', [0, 0, 'wait', { onprogress: () => 1 }], /Did you mean "onProgress"/],
  ])('refuses %s', async (_, args, message) => {
    const queue = redis.queue();
    await addJobs(queue, 3);
    const before = await redis.snapshot();
    const error = await rejection(queue.clean(...(args as [number, number, CleanType])));
    expect(error).toMatchObject({ code: 'CMQ-004' });
    expect(error.message).toMatch(message);
    expect(await redis.snapshot()).toEqual(before);
  });
});

describe('dropDlq and replayDlq', () => {
  test('select by name, text and time, with a limit and progress', async () => {
    const queue = redis.queue();
    await addDeadLetters(queue, 30);
    const letters = await queue.peekDlq(30);
    const at = (index: number): number => Number(letters[index]!.dlqId.split('-')[0]);
    expect(await queue.dropDlq({ until: at(0) })).toBe(0);
    expect(await queue.dropDlq({ since: at(29) + 1_000 })).toBe(0);
    expect(await queue.dropDlq({ text: 'failed with 29' })).toBe(1);
    const progress: unknown[] = [];
    expect(await queue.dropDlq({ name: 'mail', limit: 4, onProgress: (now) => progress.push(now) })).toBe(4);
    expect(progress).toEqual([{ done: 4 }]);
    expect(await queue.replayDlq({ name: 'mail', limit: 2 })).toBe(2);
    expect(await queue.replayDlq({ name: 'mail' })).toBe(4);
    expect(await queue.replayDlq({ text: 'no such text' })).toBe(0);
    expect(await queue.replayDlq({ since: new Date(0), until: new Date(Date.now() + HOUR) })).toBe(19);
    const order = (await redis.client.xrange(KEYS.stream, '-', '+')).length;
    expect(order).toBe(25);
  });

  test('are aborted between two steps', async () => {
    const queue = redis.queue();
    await addDeadLetters(queue, 1_800);
    for (const run of [
      (options: object) => queue.replayDlq({ ...options }),
      (options: object) => queue.dropDlq({ all: true, ...options }),
      (options: object) => queue.retryJobs({ ...options }),
      (options: object) => queue.clean(0, 0, 'failed', { ...options }),
    ]) {
      const abort = new AbortController();
      const before = await redis.client.xlen(KEYS.dlq);
      const onProgress = (): void => {
        abort.abort();
      };
      expect(await rejection(run({ signal: abort.signal, onProgress }))).toBe(abort.signal.reason);
      const after = await redis.client.xlen(KEYS.dlq);
      expect(after).toBeLessThan(before);
    }
    expect(await redis.client.xlen(KEYS.dlq)).toBeGreaterThan(0);
  });

  test('a drop that selects nothing is refused, also with a limit', async () => {
    for (const which of [{}, { limit: 5 }, { all: true, name: 'x' }, { all: false }]) {
      expect(await rejection(redis.queue().dropDlq(which))).toMatchObject({ code: 'CMQ-004' });
    }
  });
});

describe('promoteJobs', () => {
  test('promotes all delayed jobs, earliest first, in steps', async () => {
    const queue = redis.queue();
    for (const delay of [3, 1, 2]) await queue.add('a', delay, { delay: delay * HOUR, jobId: `d${delay}` });
    const progress: number[] = [];
    await queue.promoteJobs({ count: 2, onProgress: ({ done }) => progress.push(done) });
    expect(progress).toEqual([2, 3]);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    expect((await queue.add('a', 1, { jobId: 'd1' })).duplicate).toBe(true);
    const done = await take(
      redis.worker((job) => job.data, { concurrency: 1 }),
      'completed',
      3,
    );
    expect(done.map(({ data }) => data)).toEqual([1, 2, 3]);
    await queue.promoteJobs();
    expect((await leftovers()).filter((key) => !key.includes(':dlid:'))).toEqual([]);
  });

  test('ends, although workers put jobs back for a retry all the time', async () => {
    const queue = redis.queue();
    await addJobs(queue, 300, { delay: HOUR, attempts: 1_000, backoff: 1 });
    const worker = redis.worker(() => {
      throw new Error('again');
    });
    await next(worker, 'ready');
    await queue.promoteJobs({ count: 7 });
    await queue.drain(true);
  });

  test.each([[{ count: 0 }], [{ count: 1.5 }], [{ count: 1e6 }], [{ counts: 5 }]])(
    'refuses %j',
    async (options) => {
      expect(await rejection(redis.queue().promoteJobs(options as never))).toMatchObject({ code: 'CMQ-004' });
    },
  );
});

describe('retryJobs', () => {
  test('runs all jobs again that had failed by then', async () => {
    const queue = redis.queue();
    const ids = await addDeadLetters(queue, 500);
    await queue.retryJobs({ timestamp: Date.now() - HOUR });
    expect(await waiting()).toBe(0);
    const progress: unknown[] = [];
    await queue.retryJobs({ count: 100, onProgress: (at) => progress.push(at) });
    expect(progress.at(-1)).toEqual({ done: 500, total: 500 });
    const ran = await take(
      redis.worker((job) => job.attemptsMade),
      'completed',
      500,
    );
    expect(ran.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
  });

  test.each([[{ state: 'done' }], [{ count: -1 }], [{ timestamp: NaN }]])('refuses %j', async (options) => {
    expect(await rejection(redis.queue().retryJobs(options as never))).toMatchObject({ code: 'CMQ-004' });
  });
});

test('next to workers at full speed, each job ends in one way, and all counts add up', async () => {
  const queue = redis.queue();
  const runs = new Map<string, number>();
  const ended = new Set<string>();
  const workers = [1, 2].map(() => {
    const worker = redis.worker(
      (job) => {
        runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
        if ((job.data as number) % 10 === 0) throw new Error('x');
      },
      { maxAttempts: 1, concurrency: 8, batch: 16 },
    );
    worker.on('completed', ({ id }) => ended.add(id));
    return worker;
  });
  await Promise.all(workers.map((worker) => next(worker, 'ready')));
  const added = new Set<string>();
  let removed = 0;
  let isAdding = true;
  const adding = (async () => {
    for (let round = 0; round < 60; round++) {
      const jobs = await queue.addBulk(
        Array.from({ length: 50 }, (_, i) => ({
          name: 'a',
          data: round * 50 + i,
          opts: {
            ...(i % 2 === 0 && { jobId: `j${round}-${i}` }),
            ...(i % 5 === 0 && { delay: (i % 3) * 15 }),
          },
        })),
      );
      for (const { id } of jobs) added.add(id);
    }
    isAdding = false;
  })();
  const steer = async (): Promise<void> => {
    let turn = 0;
    while (isAdding) {
      let before = 0;
      const onProgress = ({ done }: { done: number }): void => {
        removed += done - before;
        before = done;
      };
      turn += 1;
      if (turn % 5 === 0) await queue.drain(turn % 2 === 0, { onProgress });
      else if (turn % 5 === 1) removed += (await queue.clean(0, 20, 'wait')).length;
      else if (turn % 5 === 2) removed += (await queue.clean(0, 5, 'delayed')).length;
      else if (turn % 5 === 3) await queue.promoteJobs();
      else removed += (await queue.clean(0, 3, 'failed')).length;
    }
  };
  await Promise.all([adding, steer()]);
  await eventually(async () => {
    expect([await waiting(), await redis.client.zcard(KEYS.delayed)]).toEqual([0, 0]);
  });
  await eventually(async () => {
    expect(ended.size + (await redis.client.xlen(KEYS.dlq)) + removed).toBe(added.size);
  });
  expect([...runs.values()].filter((times) => times > 1)).toEqual([]);
  expect(removed).toBeGreaterThan(0);
  expect(ended.size).toBeGreaterThan(0);
});

test('an async onProgress that rejects ends the operation with its error', async () => {
  const queue = redis.queue();
  const mine = new Error('mine');
  const options = {
    async onProgress(): Promise<void> {
      await Promise.resolve();
      throw mine;
    },
  };
  const refill = async (): Promise<void> => {
    await addDeadLetters(queue, 2);
    await addJobs(queue, 3);
    await addJobs(queue, 3, { delay: HOUR });
  };
  for (const call of [
    () => queue.drain(true, options),
    () => queue.clean(0, 0, 'wait', options),
    () => queue.dropDlq({ all: true, ...options }),
    () => queue.replayDlq({ ...options }),
    () => queue.promoteJobs(options),
    () => queue.retryJobs(options),
    () => queue.getDlqHistogram(options),
    () => queue.findJobs({}, options).next(),
    () => queue.obliterate(options),
  ]) {
    await queue.obliterate();
    await refill();
    expect(await rejection(Promise.resolve(call())), String(call)).toBe(mine);
  }
});
