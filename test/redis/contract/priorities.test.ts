import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { KEYS, Latch, eventually, next, rejection, take, useKit } from './kit.js';
import { orderKit } from './order-kit.js';

const redis = useKit();
const { add, noting, runAll } = orderKit(redis);

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

describe('the order of jobs with a priority', () => {
  test('is that of a list sorted by priority, then by the time of the add; jobs without one come first', async () => {
    const next = random(15);
    const jobs = Array.from({ length: 300 }, (_, index) => ({
      name: 'job',
      data: index,
      opts: { priority: Math.floor(next() * 6) },
    }));
    await redis.queue().addBulk(jobs);
    const sorted = [...jobs].sort((a, b) => a.opts.priority - b.opts.priority).map(({ data }) => data);
    expect(await runAll(jobs.length)).toEqual(sorted);
  });

  test('has the best priority first, and the whole range', async () => {
    for (const priority of [2_097_152, 256, 1, 255, 65_536, 2_097_151, 2]) await add(priority, { priority });
    await add('none');
    expect(await runAll(8)).toEqual(['none', 1, 2, 255, 256, 65_536, 2_097_151, 2_097_152]);
  });

  test('holds while jobs are added: a better one overtakes all that wait', async () => {
    const latch = new Latch();
    const started: unknown[] = [];
    const worker = redis.worker(
      async (job) => {
        started.push(job.data);
        if (started.length === 1) await latch.opened;
      },
      { concurrency: 1 },
    );
    const done = take(worker, 'completed', 6);
    await add('first', { priority: 9 });
    await eventually(() => {
      expect(started).toEqual(['first']);
    });
    await add('c', { priority: 3 });
    await add('b', { priority: 2 });
    await add('d', { priority: 3 });
    await add('a', { priority: 1 });
    await add('plain');
    latch.open();
    await done;
    expect(started).toEqual(['first', 'plain', 'a', 'b', 'c', 'd']);
  });

  test('no job starts while a better one waits, with many workers and handlers', async () => {
    const next = random(7);
    const jobs = Array.from({ length: 1_000 }, (_, index) => ({
      name: 'job',
      data: { index, priority: 1 + Math.floor(next() * 20) },
      opts: { priority: 0 },
    }));
    for (const job of jobs) job.opts.priority = job.data.priority;
    await redis.queue().addBulk(jobs);
    const started: number[] = [];
    const workers = [1, 2, 3].map(() =>
      redis.worker(
        async (job) => {
          started.push((job.data as { priority: number }).priority);
          await delay(1);
        },
        { concurrency: 5, autorun: false },
      ),
    );
    for (const worker of workers) void worker.run();
    await eventually(() => {
      expect(started).toHaveLength(1_000);
    });
    // Each worker starts what it fetched at once, so starts are out of order by as many jobs as are fetched together.
    const sorted = [...started].sort((a, b) => a - b);
    started.forEach((priority, at) => {
      expect(priority).toBeGreaterThanOrEqual(sorted[Math.max(0, at - 15)] as number);
      expect(priority).toBeLessThanOrEqual(sorted[Math.min(999, at + 15)] as number);
    });
  });
});

describe('a job with a priority', () => {
  test('says so where it runs and where it is found', async () => {
    const job = await add(1, { priority: 7 });
    expect(job.priority).toBe(7);
    const seen: unknown[] = [];
    const worker = redis.worker((running) => {
      seen.push(running.priority, running.opts.priority);
    });
    await next(worker, 'completed');
    expect(seen).toEqual([7, 7]);
  });

  test('keeps its priority over retries', async () => {
    const started: unknown[] = [];
    await add('failing', { priority: 5, attempts: 2 });
    const latch = new Latch();
    const worker = redis.worker(
      async (job) => {
        started.push(job.data);
        if (job.data === 'failing' && job.attemptsMade === 1) throw new Error('once');
        if (job.data === 'holding') await latch.opened;
      },
      { concurrency: 1 },
    );
    const done = take(worker, 'completed', 4);
    await next(worker, 'failed');
    await add('holding');
    await eventually(async () => {
      expect(started).toContain('holding');
      // Its retry is due, and waits in the room.
      expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    });
    await add('better', { priority: 4 });
    await add('worse', { priority: 6 });
    latch.open();
    await done;
    const after = started.slice(started.indexOf('holding') + 1);
    // The retry may have run before.
    expect(after.filter((data) => data !== 'failing')).toEqual(['better', 'worse']);
    if (after.includes('failing')) expect(after).toEqual(['better', 'failing', 'worse']);
  });

  test('keeps it when it was delayed, although the room was empty for long', async () => {
    await add('late', { priority: 2, delay: 300 });
    await add('later', { priority: 1, delay: 301 });
    await delay(400);
    const promoted = redis.queue();
    await promoted.promoteJobs();
    expect(await redis.client.zcard(KEYS.room)).toBe(2);
    expect(await runAll(2)).toEqual(['later', 'late']);
  });

  test('keeps it when it is promoted by itself', async () => {
    const job = await add('promoted', { priority: 2, delay: 60_000 });
    await add('better', { priority: 1 });
    await job.promote();
    await add('worse', { priority: 3 });
    expect(await runAll(3)).toEqual(['better', 'promoted', 'worse']);
  });

  test('keeps it as a dead letter that is replayed', async () => {
    const queue = redis.queue();
    await add('dead', { priority: 3, attempts: 1 });
    let fails = true;
    const failing = redis.worker(() => {
      if (fails) throw new Error('no');
    });
    await next(failing, 'failed');
    await failing.close();
    fails = false;
    await queue.replayDlq();
    expect(await redis.client.zcard(KEYS.room)).toBe(1);
    await add('better', { priority: 2 });
    expect(await runAll(2)).toEqual(['better', 'dead']);
  });

  test('goes back to its place when its worker closes before it starts', async () => {
    const latch = new Latch();
    const first = redis.worker(() => latch.opened, { concurrency: 1, shutdownDeadlineSecs: 0 });
    await add('released', { priority: 5 });
    await next(first, 'active');
    await add('equal', { priority: 5 });
    await add('better', { priority: 4 });
    await first.close(true);
    latch.open();
    expect(await runAll(3)).toEqual(['better', 'released', 'equal']);
  });

  test('keeps it if a schedule adds it', async () => {
    const queue = redis.queue();
    const template = { name: 'job', data: 'scheduled', opts: { priority: 4 } };
    await queue.upsertJobScheduler('often', { every: 50, limit: 1 }, template);
    expect((await queue.getJobScheduler('often'))?.template?.opts).toMatchObject({ priority: 4 });
    const scheduler = redis.worker((job) => job.priority, { autorun: false });
    const done = next(scheduler, 'completed');
    void scheduler.run();
    const [job] = await done;
    expect(job).toMatchObject({ data: 'scheduled', priority: 4, returnvalue: 4 });
  });

  test('its id is taken while it waits in the room, and while it runs', async () => {
    const queue = redis.queue();
    await queue.add('job', 1, { jobId: 'mine', priority: 5 });
    expect((await queue.add('job', 2, { jobId: 'mine' })).duplicate).toBe(true);
    expect((await queue.add('job', 2, { jobId: 'mine', priority: 1 })).duplicate).toBe(true);
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened);
    await next(worker, 'active');
    expect((await queue.add('job', 3, { jobId: 'mine' })).duplicate).toBe(true);
    latch.open();
    await next(worker, 'completed');
    expect(await redis.client.exists(KEYS.delayedIndex('mine'), KEYS.room)).toBe(0);
  });

  test('of a dead worker runs again', async () => {
    const latch = new Latch();
    const dead = redis.worker(() => latch.opened, { claimMinIdleMs: 300, concurrency: 1 });
    await add(1, { priority: 5 });
    await next(dead, 'active');
    // As if its process were gone: the lease is not renewed any more.
    const entries = await redis.client.xrange(KEYS.stream, '-', '+');
    expect(entries).toHaveLength(1);
    await redis.client.xclaim(KEYS.stream, 'default', 'gone;lease=1', 0, String(entries[0]?.[0]));
    const worker = redis.worker(() => undefined, { claimMinIdleMs: 300 });
    await next(worker, 'completed');
    latch.open();
    await dead.close();
    // It says that it has lost the lease.
    redis.errors.length = 0;
  });

  test('is woken for at once: an idle worker needs no poll', async () => {
    const worker = redis.worker(() => undefined);
    await worker.waitUntilReady();
    await add('first', { priority: 1 });
    await next(worker, 'completed');
    await delay(50);
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const completed = next(worker, 'completed');
      const from = performance.now();
      await add(i, i % 2 === 0 ? { priority: 1 } : {});
      await completed;
      times.push(performance.now() - from);
    }
    // Without the wake it would take up to a second each time.
    expect(times.reduce((sum, ms) => sum + ms)).toBeLessThan(2_000);
  });
});

describe('a queue becomes gated, and is not any more', () => {
  test('while workers run: plain jobs and jobs with a priority all run, once', async () => {
    const counts = new Map<unknown, number>();
    const workers = [1, 2].map(() =>
      redis.worker((job) => {
        counts.set(job.data, (counts.get(job.data) ?? 0) + 1);
      }),
    );
    await Promise.all(workers.map((worker) => worker.waitUntilReady()));
    const queue = redis.queue();
    for (let i = 0; i < 400; i++) {
      await queue.add('job', i, i > 100 && i < 300 && i % 2 === 0 ? { priority: 1 + (i % 9) } : {});
    }
    await eventually(() => {
      expect(counts.size).toBe(400);
    });
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
  });

  test('a worker opens the gate of a queue whose room has been empty for half a minute', async () => {
    const worker = redis.worker(() => undefined);
    await add(1, { priority: 1 });
    await next(worker, 'completed');
    expect(await redis.client.hexists(KEYS.meta, 'gated')).toBe(1);
    // As if that were a minute ago.
    await redis.client.hset(KEYS.gate, 'seq', String((Date.now() - 60_000) * 2_048));
    await eventually(async () => {
      expect(await redis.client.exists(KEYS.meta, KEYS.gate)).toBe(0);
    });
    await add('plain');
    await next(worker, 'completed');
    await add('again', { priority: 3 });
    await next(worker, 'completed');
  });

  test('somebody deletes the policy: the worker goes on, and the next job in the room is fetched', async () => {
    const worker = redis.worker(() => undefined);
    await add(1, { priority: 1 });
    await next(worker, 'completed');
    await redis.client.del(KEYS.meta);
    await add(2, { priority: 1 });
    await next(worker, 'completed');
  });
});

describe('a paused queue', () => {
  test('starts no job with a priority; all run in order after the resume', async () => {
    const queue = redis.queue();
    await queue.pause();
    const { worker, started } = noting();
    void worker.run();
    for (const priority of [3, 1, 2]) await add(priority, { priority });
    await delay(300);
    expect(started).toEqual([]);
    const done = take(worker, 'completed', 3);
    await queue.resume();
    await done;
    expect(started).toEqual([1, 2, 3]);
  });
});

describe('bad input', () => {
  test.each([-1, 1.5, 2_097_153, Number.NaN, Infinity, '1', null])(
    'a priority of %s is refused',
    async (priority) => {
      const error = await rejection(add(1, { priority: priority as number }));
      expect(error).toMatchObject({ code: 'CMQ-004' });
      expect(String(error)).toContain('priority');
      expect(await redis.client.exists(KEYS.room, KEYS.stream)).toBe(0);
    },
  );

  test('a room of the wrong type: the add fails, and nothing is written', async () => {
    await redis.client.set(KEYS.room, 'x');
    expect(String(await rejection(add(1, { priority: 1 })))).toContain('WRONGTYPE');
    expect(await redis.client.exists(KEYS.stream)).toBe(0);
    await redis.client.del(KEYS.room);
    expect((await add(1, { priority: 1 })).id).toBeTruthy();
  });

  test('bytes in the room that are no job are stepped over', async () => {
    await redis.client.zadd(KEYS.room, 0, Buffer.from('\0\0garbage'));
    await redis.client.hset(KEYS.meta, 'gated', '1');
    await add('good', { priority: 1 });
    expect(await runAll(1)).toEqual(['good']);
    await eventually(async () => {
      expect(await redis.client.exists(KEYS.room)).toBe(0);
    });
  });
});

test('maxStreamLen counts the jobs of the room for jobs that go there', async () => {
  const queue = redis.queue({ maxStreamLen: 3 });
  for (let i = 0; i < 3; i++) await queue.add('job', i, { priority: 1 });
  const error = await rejection(queue.add('job', 4, { priority: 1 }));
  expect(error).toMatchObject({ code: 'CMQ-006' });
});
