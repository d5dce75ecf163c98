import { afterEach, describe, expect, test } from 'vitest';
import { KEYS, NAME, eventually, fields, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

afterEach(async () => {
  await redis.client.config('SET', 'maxmemory', '0');
});

const list = (count: number): { name: string; data: number }[] =>
  Array.from({ length: count }, (_, data) => ({ name: 'a', data }));

describe('SCRIPT FLUSH', () => {
  test('under load costs nothing', async () => {
    const ran = new Set<unknown>();
    const worker = redis.worker((job) => {
      ran.add(job.data);
      if (job.attemptsMade === 1 && (job.data as number) % 10 === 0) throw new Error('again');
    });
    const done = take(worker, 'completed', 2_000);
    const queue = redis.queue();
    let flushing = true;
    const flush = (async () => {
      while (flushing) {
        await redis.client.script('FLUSH');
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    for (let from = 0; from < 2_000; from += 50) {
      await queue.addBulk(
        list(50).map((job, index) => ({
          name: 'a',
          data: from + job.data,
          opts: index % 5 === 0 ? { delay: 3 } : {},
        })),
      );
    }
    await done;
    flushing = false;
    await flush;
    expect(ran.size).toBe(2_000);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });
});

describe('what a worker stands on is taken away while it runs', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['XGROUP DESTROY', () => redis.client.xgroup('DESTROY', KEYS.stream, 'default')],
    ['DEL of the stream', () => redis.client.del(KEYS.stream)],
    ['FLUSHALL', () => redis.client.flushall()],
    ['DEL of the wake streams', async () => redis.client.del(...(await redis.client.keys('*wake*')), 'x')],
  ])('%s: it goes on by itself, from 0', async (_, take_away) => {
    const worker = redis.worker(() => undefined, { blockMs: 5_000 });
    const queue = redis.queue();
    const first = next(worker, 'completed');
    await queue.add('a', 'before');
    await first;
    await take_away();
    const begun = performance.now();
    const two = take(worker, 'completed', 2);
    await queue.add('a', 'after');
    await queue.add('a', 'delayed', { delay: 5 });
    const jobs = await two;
    expect(jobs.map(({ data }) => data).sort()).toEqual(['after', 'delayed']);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  test('FLUSHALL again while two workers come back: who changes the policy knows both', async () => {
    const workers = [redis.worker(() => undefined), redis.worker(() => undefined)];
    await Promise.all(workers.map((worker) => next(worker, 'ready')));
    const monitor = await redis.client.monitor();
    try {
      for (let round = 0; round < 10; round += 1) {
        const again = new Promise<void>((resolve, reject) => {
          const look = (_: string, args: string[]): void => {
            if (args[1] !== 'CREATECONSUMER') return;
            monitor.off('monitor', look);
            redis.client.flushall().then(() => {
              resolve();
            }, reject);
          };
          monitor.on('monitor', look);
        });
        await redis.client.flushall();
        await again;
        await eventually(async () => {
          const consumers = (await redis.client.xinfo('CONSUMERS', KEYS.stream, 'default')) as unknown[];
          expect(consumers).toHaveLength(workers.length);
        });
      }
    } finally {
      monitor.disconnect();
    }
  });

  test('jobs that were added while there was no group are run', async () => {
    const queue = redis.queue();
    await queue.addBulk(list(10));
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '$');
    await redis.client.xgroup('DESTROY', KEYS.stream, 'default');
    const worker = redis.worker(() => undefined);
    await take(worker, 'completed', 10);
  });
});

describe('a group that was moved past its jobs', () => {
  // As docs/operations.md says.
  test('runs them after it is reset while no worker runs', async () => {
    const queue = redis.queue();
    const first = redis.worker(() => undefined);
    await next(first, 'ready');
    await first.close();
    await queue.addBulk(list(3));
    await redis.client.xgroup('SETID', KEYS.stream, 'default', '$');
    const second = redis.worker(() => undefined);
    const later = next(second, 'completed');
    await queue.add('a', 'later');
    const [ran] = await later;
    expect(ran.data).toBe('later');
    await second.close();
    expect(await queue.getBacklog()).toMatchObject({ waiting: 3, active: 0 });
    await redis.client.xgroup('SETID', KEYS.stream, 'default', '0');
    const done = take(
      redis.worker(() => undefined),
      'completed',
      3,
    );
    expect((await done).map((job) => job.data)).toEqual([0, 1, 2]);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });
});

describe('a key of the wrong type', () => {
  test.each(['stream', 'delayed'] as const)(
    '%s: adds fail with the reason, and nothing is half-done',
    async (key) => {
      await redis.client.set(KEYS[key], 'not mine');
      const before = await redis.snapshot();
      const queue = redis.queue();
      const adds = [
        () => queue.add('a', 1, key === 'delayed' ? { delay: 5 } : {}),
        () => queue.addUnique('a', 1, { jobId: 'u', ...(key === 'delayed' ? { delay: 5 } : {}) }),
        () => queue.addBulk([...list(2), { name: 'a', data: 1, opts: { delay: 50, jobId: 'v' } }]),
      ];
      for (const add of adds) {
        const error = await rejection(add());
        expect(error).toMatchObject({ code: 'CMQ-001', unknownOutcome: false });
        expect(error.message).toMatch(/WRONGTYPE.*another program writes to/);
      }
      expect(await redis.snapshot()).toEqual(before);
    },
  );

  test('events: jobs run all the same', async () => {
    await redis.client.set(KEYS.events, 'not mine');
    const worker = redis.worker(
      (job) => {
        if (job.name === 'bad') throw new Error('x');
      },
      { maxAttempts: 1 },
    );
    const [completed, failed] = [take(worker, 'completed', 2), next(worker, 'failed')];
    await redis.queue().addBulk([
      { name: 'a', data: 1 },
      { name: 'a', data: 1, opts: { delay: 2 } },
      { name: 'bad', data: 1 },
    ]);
    await Promise.all([completed, failed]);
    expect(await redis.queue().replayDlq()).toBe(1);
  });

  test('the wake stream: the add stands', async () => {
    await redis.client.set(KEYS.promoterWake, 'not mine');
    const job = await redis.queue().add('a', 1, { delay: 60_000 });
    expect(job.duplicate).toBe(false);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
  });

  test('the dead letters: a job that dies stays until they are put right', async () => {
    await redis.client.set(KEYS.dlq, 'not mine');
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 1 },
    );
    const [error] = await Promise.all([next(worker, 'error'), redis.queue().add('a', 1)]);
    expect(error[0]).toMatchObject({
      code: 'CMQ-001',
      message: expect.stringMatching(/WRONGTYPE/) as string,
    });
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
    const failed = next(worker, 'failed');
    await redis.client.del(KEYS.dlq);
    await failed;
    expect(await redis.client.xlen(KEYS.dlq)).toBe(1);
    redis.errors.length = 0;
  });

  test('the delayed set: a job that fails stays until it is put right', async () => {
    const worker = redis.worker(
      (job) => {
        if (job.attemptsMade === 1) throw new Error('x');
      },
      { delayedEnabled: false },
    );
    await next(worker, 'ready');
    await redis.client.set(KEYS.delayed, 'not mine');
    const [error] = await Promise.all([next(worker, 'error'), redis.queue().add('a', 1)]);
    expect(error[0]).toMatchObject({ code: 'CMQ-001' });
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
    const failed = next(worker, 'failed');
    await redis.client.del(KEYS.delayed);
    await failed;
    expect(await redis.client.zcard(KEYS.delayed)).toBe(1);
    redis.errors.length = 0;
  });
});

describe('the memory limit, with noeviction', () => {
  test('adds fail with the reason and change nothing; workers drain, retry and dead-letter; then adds succeed', async () => {
    const queue = redis.queue();
    await queue.addBulk(
      Array.from({ length: 60 }, (_, data) => ({
        name: data % 3 === 0 ? 'bad' : 'good',
        data,
        opts: { attempts: 2, backoff: 1 },
      })),
    );
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.client.config('SET', 'maxmemory', '1');
    const before = await redis.snapshot();
    for (const add of [
      () => queue.add('a', 1),
      () => queue.add('a', 1, { delay: 50 }),
      () => queue.addUnique('a', 1, { jobId: 'u' }),
      () => queue.addBulk(list(10)),
    ]) {
      const error = await rejection(add());
      expect(error).toMatchObject({ code: 'CMQ-001', unknownOutcome: false });
      expect(error.message).toMatch(/OOM.*Nothing was added/);
    }
    expect(await redis.snapshot()).toEqual(before);
    // The group has to be there: making it takes memory.
    await redis.client.config('SET', 'maxmemory', '0');
    const worker = redis.worker(
      (job) => {
        if (job.name === 'bad') throw new Error('x');
      },
      { autorun: false },
    );
    const events: string[] = [];
    worker.on('completed', () => events.push('completed'));
    worker.on('failed', (job) => events.push(`failed ${job.attemptsMade}`));
    await redis.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await redis.client.xgroup('CREATE', KEYS.promoterWake, 'default', '0', 'MKSTREAM');
    await redis.client.xgroup('CREATE', KEYS.schedulerWake, 'default', '0', 'MKSTREAM');
    await redis.client.config('SET', 'maxmemory', '1');
    const done = take(worker, 'completed', 40);
    const failed = take(worker, 'failed', 20);
    void worker.run();
    await Promise.all([done, failed]);
    await redis.client.config('SET', 'maxmemory', '0');
    await expect
      .poll(() => events.filter((event) => event === 'failed 2').length, { timeout: 5_000 })
      .toBe(20);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(20);
    await queue.add('a', 1);
    redis.errors.length = 0;
  });

  test('delayed jobs are promoted, retried and reclaimed while the server is full, whichever worker is woken', async () => {
    const queue = redis.queue();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const worker = redis.worker(async (job) => {
      if (job.name === 'gated') await gate;
      if (job.name === 'bad' && job.attemptsMade === 1) throw new Error('again');
    });
    worker.on('failed', () => undefined);
    const running = await queue.add('gated', 0, { jobId: 'gated' });
    await next(worker, 'active');
    await queue.addBulk(
      Array.from({ length: 40 }, (_, data) => ({
        name: data % 4 === 0 ? 'bad' : 'good',
        data,
        opts: { delay: 600, backoff: 100, ...(data % 5 === 0 ? { jobId: `own-${data}` } : {}) },
      })),
    );
    // No entry of the wake stream is left that would begin the script that promotes.
    await eventually(async () => {
      const [group] = (await redis.client.xinfo('GROUPS', KEYS.promoterWake)) as unknown[][];
      const info = fields(group!.map(String));
      expect(info['pending']).toBe('0');
      expect(info['last-delivered-id']).not.toBe('0-0');
    });
    expect(await redis.client.zcard(KEYS.delayed)).toBe(40);
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.client.config('SET', 'maxmemory', '1');
    await take(worker, 'completed', 40);
    expect(await queue.cancel(running.id)).toBe('signalled');
    const completed = next(worker, 'completed');
    open();
    await completed;
    expect((await rejection(queue.add('a', 1))).message).toContain('OOM');
    expect(redis.errors.map(String)).toEqual([]);
    expect(await redis.client.exists(KEYS.delayed, KEYS.stream)).toBe(1);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });
});

describe('a cut connection', () => {
  test('loses nothing and doubles nothing, whenever it comes', async () => {
    const runs = new Map<unknown, number>();
    const worker = redis.worker((job) => void runs.set(job.data, (runs.get(job.data) ?? 0) + 1), {
      claimMinIdleMs: 300,
    });
    await next(worker, 'ready');
    const queue = redis.queue({}, NAME);
    let cutting = true;
    const cut = (async () => {
      while (cutting) {
        await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    let accepted = 0;
    for (let batch = 0; batch < 40; batch++) {
      await Promise.all(
        Array.from({ length: 10 }, async (_, index) => {
          await queue.add('a', batch * 10 + index);
          accepted += 1;
        }),
      );
    }
    cutting = false;
    await cut;
    await expect.poll(() => runs.size, { timeout: 8_000 }).toBe(400);
    expect(accepted).toBe(400);
    await expect.poll(() => redis.client.xlen(KEYS.stream), { timeout: 8_000 }).toBe(0);
    redis.errors.length = 0;
  });
});
