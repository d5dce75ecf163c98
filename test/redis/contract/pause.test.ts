import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Job, Queue, Worker, WorkerOptions } from '../../../lib/engine/index.js';
import { KEYS, Latch, QUICK, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

/** A pause reaches every worker within one second. */
const SECOND = 1_000;
/** Longer than a worker needs to fetch a job that it may fetch. */
const A_WHILE = 400;

interface Runs {
  worker: Worker;
  /** The data of the jobs whose handlers were called, in order. */
  started: unknown[];
  latch: Latch;
}

/** A worker whose handlers run until the latch opens. */
function holding(options: Partial<WorkerOptions> = {}): Runs {
  const started: unknown[] = [];
  const latch = new Latch();
  const worker = redis.worker(async (job) => {
    started.push(job.data);
    await latch.opened;
  }, options);
  return { worker, started, latch };
}

/** A worker that notes what it runs. */
function noting(options: Partial<WorkerOptions> = {}): Omit<Runs, 'latch'> {
  const started: unknown[] = [];
  const worker = redis.worker((job) => {
    started.push(job.data);
  }, options);
  return { worker, started };
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

function addNumbers(queue: Queue, count: number, from = 0): Promise<Job[]> {
  return queue.addBulk(numbers(count, from).map((data) => ({ name: 'count', data })));
}

/** Jobs that a worker has fetched and not settled. */
async function pending(): Promise<number> {
  return (await redis.queue().getBacklog()).active;
}

describe('a paused queue', () => {
  test('starts nothing; running jobs finish, adds continue, and all of it runs after the resume', async () => {
    const queue = redis.queue();
    const { worker, started, latch } = holding({ concurrency: 2 });
    await addNumbers(queue, 10);
    await eventually(() => {
      expect(started).toHaveLength(2);
    });
    const paused = next(worker, 'paused');
    await queue.pause();
    expect(await paused).toEqual(['queue']);
    await eventually(async () => {
      expect(await pending()).toBe(2);
    });
    const done = take(worker, 'completed', 2);
    latch.open();
    await done;
    await addNumbers(queue, 5, 10);
    await delay(A_WHILE);
    expect(started).toHaveLength(2);
    expect(await queue.getBacklog()).toMatchObject({ waiting: 13, active: 0, paused: true });

    const rest = take(worker, 'completed', 13);
    await queue.resume();
    await rest;
    expect([...started].sort((a, b) => Number(a) - Number(b))).toEqual(numbers(15));
  });

  test('is so for all processes, is emitted once by each, and a second call changes nothing', async () => {
    const [one, other] = [redis.queue(), redis.queue()];
    const events = await redis.events();
    const heard: string[] = [];
    events.on('paused', ({ ts }) => heard.push(`paused ${String(Math.abs(ts - Date.now()) < 60_000)}`));
    events.on('resumed', () => heard.push('resumed'));
    const told: string[] = [];
    one.on('paused', () => told.push('paused'));
    one.on('resumed', () => told.push('resumed'));
    expect(await other.isPaused()).toBe(false);
    await one.pause();
    const { pausedSince } = await one.getBacklog();
    expect(await other.isPaused()).toBe(true);
    await other.pause();
    expect((await other.getBacklog()).pausedSince).toBe(pausedSince);
    await other.resume();
    await other.resume();
    expect(await one.isPaused()).toBe(false);
    const resumed = next(events, 'resumed');
    await one.pause();
    await one.resume();
    await resumed;
    await eventually(() => {
      expect(heard).toEqual(['paused true', 'resumed', 'paused true', 'resumed']);
    });
    expect(told).toEqual(['paused', 'paused', 'resumed']);
  });

  test('leaves nothing in Redis once it is resumed', async () => {
    const queue = redis.queue({ eventsEnabled: false });
    await queue.pause();
    expect(await redis.keys()).toEqual([KEYS.meta]);
    await queue.resume();
    expect(await redis.keys()).toEqual([]);
  });

  test('stays paused for workers that start, and for those that start again', async () => {
    const queue = redis.queue();
    await queue.pause();
    await addNumbers(queue, 3);
    for (let start = 0; start < 2; start++) {
      const { worker, started } = noting();
      const [by] = await next(worker, 'paused');
      await delay(A_WHILE);
      expect([by, started, worker.health().queuePaused, worker.isPaused()]).toEqual([
        'queue',
        [],
        true,
        false,
      ]);
      await worker.close();
    }
    const { worker } = noting();
    const done = take(worker, 'completed', 3);
    await queue.resume();
    await done;
  });

  test('promotes delayed jobs when they are due, and fires schedules', async () => {
    const queue = redis.queue();
    await queue.pause();
    const { worker, started } = noting({ scheduler: { tickIntervalMs: 50 } });
    await next(worker, 'paused');
    await queue.add('later', 'later', { delay: 50 });
    await queue.add('tick', 'tick', { repeat: { every: 100, limit: 2 } });
    await eventually(async () => {
      expect(await queue.getBacklog()).toMatchObject({ waiting: 3, delayed: 0 });
    });
    expect(started).toEqual([]);
    const done = take(worker, 'completed', 3);
    await queue.resume();
    await done;
  });

  test('schedules the retry of a job that runs; it does not run before the resume, and uses no further attempt', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const attempts: number[] = [];
    const worker = redis.worker(async (job) => {
      attempts.push(job.attemptsMade);
      if (attempts.length > 1) return;
      await latch.opened;
      throw new Error('try again');
    });
    const active = next(worker, 'active');
    await queue.add('a', 1, { attempts: 3 });
    await active;
    await queue.pause();
    const failed = next(worker, 'failed');
    latch.open();
    await failed;
    await eventually(async () => {
      expect(await queue.getBacklog()).toMatchObject({ waiting: 1, delayed: 0 });
    });
    await delay(A_WHILE);
    expect(attempts).toHaveLength(1);
    const completed = next(worker, 'completed');
    await queue.resume();
    const [job] = await completed;
    expect(job.attemptsMade).toBe(2);
  });

  test('releases what was fetched, with no attempt used; at concurrency 1, it runs after what waits, else in order', async () => {
    const queue = redis.queue();
    const { worker, started } = noting({ concurrency: 1, batch: 8 });
    const attempts = new Set<number>();
    worker.on('completed', (job) => attempts.add(job.attemptsMade));
    const first = take(worker, 'completed', 50);
    await addNumbers(queue, 4_000);
    await first;
    await queue.pause();
    await eventually(async () => {
      expect(worker.health().paused).toBe(true);
      expect(await pending()).toBe(0);
    });
    const before = [...started];
    await queue.resume();
    await eventually(() => {
      expect(started).toHaveLength(4_000);
    });
    const rest = started.slice(before.length) as number[];
    // One point at which the released jobs begin, which were the next ones: a rotation.
    const turns = rest.filter((data, index) => index > 0 && data < (rest[index - 1] as number));
    expect(before).toEqual(numbers(before.length));
    expect(turns.length).toBeLessThanOrEqual(1);
    expect([...rest].sort((a, b) => a - b)).toEqual(numbers(4_000 - before.length, before.length));
    expect([...attempts]).toEqual([1]);
  });

  test('does not reclaim jobs of dead workers before the resume', async () => {
    const queue = redis.queue();
    await queue.add('a', 1);
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    const args = ['GROUP', 'default', 'dead;lease=20', 'COUNT', 1, 'STREAMS', KEYS.stream, '>'] as const;
    await redis.client.xreadgroup(...args);
    await queue.pause();
    const { worker, started } = noting({ claimMinIdleMs: 60 });
    await next(worker, 'paused');
    await delay(A_WHILE);
    expect(started).toEqual([]);
    expect(await redis.client.xpending(KEYS.stream, 'default')).toContainEqual([['dead;lease=20', '1']]);
    const stalled = next(worker, 'stalled');
    await queue.resume();
    await stalled;
    await eventually(() => {
      expect(started).toEqual([1]);
    });
  });

  test('releases an entry whose delivery never arrived, instead of running it', async () => {
    const queue = redis.queue();
    const { worker, started } = noting({ claimMinIdleMs: 60 });
    await next(worker, 'ready');
    await queue.pause();
    await eventually(() => {
      expect(worker.health().paused).toBe(true);
    });
    await queue.add('a', 1);
    // In one step: the worker looks every 20 ms, and releases the entry as soon as it sees it.
    const read = ['GROUP', 'default', worker.id, 'COUNT', 1, 'STREAMS', KEYS.stream, '>'] as const;
    const taken = redis.client.multi().xreadgroup(...read);
    const [, found] = (await taken.xpending(KEYS.stream, 'default').exec()) ?? [];
    expect((found?.[1] as unknown[])[0]).toBe(1);
    await eventually(async () => {
      expect(await pending()).toBe(0);
    });
    expect(started).toEqual([]);
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });

  test('keeps renewing the leases of running jobs', async () => {
    const queue = redis.queue();
    const { worker, started, latch } = holding({ claimMinIdleMs: 150 });
    const { worker: other } = noting({ claimMinIdleMs: 150 });
    await addNumbers(queue, 2);
    await queue.pause();
    await eventually(() => {
      expect(other.health().paused && worker.health().paused).toBe(true);
    });
    await delay(600);
    expect(worker.health().leasesLost).toBe(0);
    const runs = started.length;
    latch.open();
    await delay(100);
    expect(started).toHaveLength(runs);
  });

  test('still cancels jobs that run, and removes jobs that wait', async () => {
    const queue = redis.queue();
    const aborted = new Latch();
    const worker = redis.worker(async (job) => {
      job.signal.addEventListener('abort', () => {
        aborted.open();
      });
      await aborted.opened;
      throw job.signal.reason;
    });
    const active = next(worker, 'active');
    await queue.add('a', 1, { jobId: 'runs' });
    await active;
    await queue.pause();
    await queue.add('a', 2, { jobId: 'waits' });
    const failed = next(worker, 'failed');
    expect(await queue.cancel('runs')).toBe('signalled');
    await failed;
    expect(await queue.cancel('waits')).toBe('removed');
  });

  test.each([
    ['the wake entry is deleted before it is read', 'lost'],
    ['the queue is paused by hand', 'by-hand'],
  ])('is noticed within a second if %s', async (_, how) => {
    const queue = redis.queue();
    const { worker, started } = noting({ blockMs: 60_000 });
    await next(worker, 'ready');
    // The worker sits in a read of a minute. A wake stream that is not there loses each wake.
    if (how === 'lost') {
      await redis.client.del(KEYS.workerWake(worker.id));
      await queue.pause();
    } else await redis.client.hset(KEYS.meta, 'paused', 1);
    const begun = performance.now();
    await eventually(() => {
      expect(worker.health().queuePaused).toBe(true);
    });
    expect(performance.now() - begun).toBeLessThan(SECOND + 500);
    await queue.add('a', 1);
    await delay(A_WHILE);
    expect(started).toEqual([]);
    redis.errors.length = 0;
    if (how === 'by-hand') await redis.client.hdel(KEYS.meta, 'paused');
    else await queue.resume();
    await eventually(() => {
      expect(started).toEqual([1]);
    });
    redis.errors.length = 0;
  });

  test('survives a reconnect of every connection of a worker', async () => {
    const queue = redis.queue();
    const { worker, started } = noting();
    await next(worker, 'ready');
    await queue.pause();
    await eventually(() => {
      expect(worker.health().paused).toBe(true);
    });
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await addNumbers(queue, 5);
    await delay(A_WHILE);
    expect([started, worker.health().paused]).toEqual([[], true]);
    await queue.resume();
    await eventually(() => {
      expect(started).toHaveLength(5);
    });
    redis.errors.length = 0;
  });

  test('10,000 jobs that are added meanwhile do not start, and all run exactly once after the resume', async () => {
    const queue = redis.queue();
    const { worker, started } = noting({ concurrency: 50 });
    const { worker: other, started: startedThere } = noting({ concurrency: 50 });
    await Promise.all([next(worker, 'ready'), next(other, 'ready')]);
    await queue.pause();
    await addNumbers(queue, 10_000);
    await delay(A_WHILE);
    expect([...started, ...startedThere]).toEqual([]);
    expect(await queue.getBacklog()).toMatchObject({ waiting: 10_000, active: 0 });
    await queue.resume();
    await eventually(() => {
      expect(started.length + startedThere.length).toBe(10_000);
    });
    expect(new Set([...started, ...startedThere]).size).toBe(10_000);
  });

  test('can be paused and resumed again and again while jobs flow: each job runs once', async () => {
    const queue = redis.queue();
    const { started } = noting({ concurrency: 5 });
    const { started: startedThere } = noting({ concurrency: 5 });
    let added = 0;
    for (let round = 0; round < 25; round++) {
      await addNumbers(queue, 40, added);
      added += 40;
      await (round % 2 === 0 ? queue.pause() : queue.resume());
      if (round % 5 === 0) await delay(20);
    }
    await queue.resume();
    await eventually(() => {
      expect(started.length + startedThere.length).toBe(added);
    });
    expect(new Set([...started, ...startedThere]).size).toBe(added);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('is not full, not stalled, and its health says why', async () => {
    const queue = redis.queue();
    const { worker } = noting({ concurrency: 1 });
    await next(worker, 'ready');
    expect(worker.health()).toMatchObject({ paused: false, queuePaused: false });
    await queue.pause();
    await eventually(() => {
      expect(worker.health()).toMatchObject({ paused: true, queuePaused: true });
    });
    await delay(A_WHILE);
    expect(worker.health()).toMatchObject({ fullMs: 0, state: 'running', lastError: undefined });
  });

  test('can be paused when the memory is full, and resumed', async () => {
    const queue = redis.queue();
    await addNumbers(queue, 3);
    await redis.client.config('SET', 'maxmemory', '1');
    try {
      await queue.pause();
      expect(await queue.isPaused()).toBe(true);
      await queue.resume();
      expect(await queue.isPaused()).toBe(false);
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
    }
  });

  test('a key of the wrong type: pause and isPaused fail and say so, and workers go on and report it once', async () => {
    await redis.client.set(KEYS.meta, 'x');
    const queue = redis.queue();
    const { worker, started } = noting();
    await queue.add('a', 1);
    await next(worker, 'completed');
    expect(started).toEqual([1]);
    for (const call of [() => queue.pause(), () => queue.resume(), () => queue.isPaused()]) {
      const error = await rejection(call());
      expect(error).toMatchObject({ code: 'CMQ-001' });
      expect(error.message).toContain('WRONGTYPE');
    }
    await delay(2_200);
    expect(redis.errors.map(String)).toEqual([expect.stringContaining('WRONGTYPE')]);
    redis.errors.length = 0;
    await redis.client.del(KEYS.meta);
    await queue.pause();
    await eventually(() => {
      expect(worker.health().queuePaused).toBe(true);
    });
  });
});

describe('after close', () => {
  test('pause, resume and isPaused reject with CMQ-005', async () => {
    const queue = redis.queue();
    await queue.close();
    for (const method of ['pause', 'resume', 'isPaused'] as const)
      expect(await rejection(queue[method]())).toMatchObject({ code: 'CMQ-005' });
  });

  test('a worker closes at once while its queue is paused, and leaves no entry behind', async () => {
    const queue = redis.queue();
    const { worker } = noting();
    await next(worker, 'ready');
    await queue.pause();
    await eventually(() => {
      expect(worker.health().paused).toBe(true);
    });
    await addNumbers(queue, 3);
    const begun = performance.now();
    await worker.close();
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(await queue.getBacklog()).toMatchObject({ waiting: 3, active: 0 });
    expect(await redis.client.exists(KEYS.workerWake(worker.id), KEYS.worker(worker.id))).toBe(0);
  });
});

describe('worker.pause', () => {
  test('waits for running handlers; the other workers go on', async () => {
    const queue = redis.queue();
    const { worker, started, latch } = holding({ concurrency: 2 });
    await addNumbers(queue, 6);
    await eventually(() => {
      expect(started).toHaveLength(2);
    });
    const events: string[] = [];
    worker.on('paused', (by) => events.push(`paused by ${by}`));
    worker.on('resumed', (by) => events.push(`resumed by ${by}`));
    worker.on('completed', () => events.push('completed'));
    const pausing = worker.pause().then(() => events.push('resolved'));
    expect(worker.isPaused()).toBe(true);
    const { worker: other, started: startedThere } = noting();
    await take(other, 'completed', 4);
    expect(startedThere).toHaveLength(4);
    expect(events).toEqual(['paused by worker']);
    latch.open();
    await pausing;
    expect(events).toEqual(['paused by worker', 'completed', 'completed', 'resolved']);
    expect(await queue.isPaused()).toBe(false);
    await other.close();
    await addNumbers(queue, 2);
    await delay(A_WHILE);
    expect(started).toHaveLength(2);
    expect(worker.health()).toMatchObject({ paused: true, queuePaused: false, fullMs: 0 });
    const done = take(worker, 'completed', 2);
    await worker.resume();
    await done;
    expect(worker.isPaused()).toBe(false);
    expect(events.filter((event) => event !== 'completed').at(-1)).toBe('resumed by worker');
  });

  test('with doNotWaitActive, resolves at once; resume and close end a pause that waits', async () => {
    const queue = redis.queue();
    const { worker, started, latch } = holding();
    await queue.add('a', 1);
    await eventually(() => {
      expect(started).toEqual([1]);
    });
    await worker.pause(true);
    const first = worker.pause();
    await worker.resume();
    await first;
    const second = worker.pause();
    latch.open();
    await worker.close();
    await second;
  });

  test('before the start, the worker starts nothing until it is resumed', async () => {
    const queue = redis.queue();
    const { worker, started } = noting({ autorun: false });
    await worker.pause();
    void worker.run();
    await next(worker, 'ready');
    await queue.add('a', 1);
    await delay(A_WHILE);
    expect(started).toEqual([]);
    const done = next(worker, 'completed');
    await worker.resume();
    await done;
  });

  test('and a pause of the queue: both must end', async () => {
    const queue = redis.queue();
    const { worker, started } = noting();
    await next(worker, 'ready');
    await worker.pause();
    await queue.pause();
    await queue.add('a', 1);
    await eventually(() => {
      expect(worker.health().queuePaused).toBe(true);
    });
    await worker.resume();
    await delay(A_WHILE);
    expect(started).toEqual([]);
    await worker.pause();
    await queue.resume();
    await eventually(() => {
      expect(worker.health().queuePaused).toBe(false);
    });
    await delay(A_WHILE);
    expect(started).toEqual([]);
    await worker.resume();
    await eventually(() => {
      expect(started).toEqual([1]);
    });
  });

  test('from within a handler that runs in the same tick as others stops them', async () => {
    const queue = redis.queue();
    const started: unknown[] = [];
    await addNumbers(queue, 20);
    const worker: Worker = redis.worker((job) => {
      started.push(job.data);
      if (started.length === 3) void worker.pause(true);
    });
    await eventually(() => {
      expect(worker.isPaused()).toBe(true);
    });
    await eventually(async () => {
      expect(await queue.getBacklog()).toMatchObject({ waiting: 17, active: 0 });
    });
    expect(started).toHaveLength(3);
    await worker.resume();
    await eventually(() => {
      expect(started).toHaveLength(20);
    });
  });
});

describe('worker.concurrency', () => {
  test('raised, starts more at once; lowered, lets the running ones end', async () => {
    const queue = redis.queue();
    const latches: Latch[] = [];
    const worker = redis.worker(
      () => {
        const latch = new Latch();
        latches.push(latch);
        return latch.opened;
      },
      { concurrency: 2, ...QUICK },
    );
    await addNumbers(queue, 30);
    await eventually(() => {
      expect(latches).toHaveLength(2);
    });
    expect([worker.concurrency, worker.opts.concurrency, worker.health().concurrency]).toEqual([2, 2, 2]);
    worker.concurrency = 10;
    await eventually(() => {
      expect(latches).toHaveLength(10);
    });
    expect([worker.concurrency, worker.opts.concurrency, worker.health().concurrency]).toEqual([10, 2, 10]);
    worker.concurrency = 1;
    for (const latch of latches.splice(0, 9)) latch.open();
    await take(worker, 'completed', 9);
    await delay(A_WHILE);
    expect([latches.length, worker.health().running]).toEqual([1, 1]);
    worker.concurrency = 3;
    await eventually(() => {
      expect(worker.health().running).toBe(3);
    });
    await worker.close(true);
  });

  test.each([0, -1, 1.5, 100_001, NaN, Infinity, '3', null])('refuses %s, and stays as it is', (value) => {
    const worker = redis.worker(() => undefined, { concurrency: 7, autorun: false });
    expect(() => {
      worker.concurrency = value as number;
    }).toThrow(expect.objectContaining({ code: 'CMQ-004', name: 'RangeError' }) as Error);
    expect(worker.concurrency).toBe(7);
  });
});

test('a job whose ttlMs runs out during a pause becomes a dead letter after the resume, and no handler sees it', async () => {
  const queue = redis.queue();
  const { worker, started } = noting();
  await next(worker, 'ready');
  const paused = next(worker, 'paused');
  await queue.pause();
  await paused;
  await queue.add('short', 'short', { ttlMs: 50 });
  await queue.add('long', 'long', { ttlMs: 60_000 });
  await delay(150);
  // A pause does not stop the time to live, and nobody looks at the job meanwhile.
  expect(await queue.getJobCounts('paused', 'failed')).toEqual({ paused: 2, failed: 0 });
  const [completed, failed] = [next(worker, 'completed'), next(worker, 'failed')];
  await queue.resume();
  expect((await failed)[0]).toMatchObject({ name: 'short', deadLetterReason: 'expired' });
  await completed;
  expect(started).toEqual(['long']);
});
