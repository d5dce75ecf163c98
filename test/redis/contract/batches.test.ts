import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import {
  BatchResultError,
  JobCancelledError,
  JobStateError,
  JobTimeoutError,
  UnrecoverableError,
  Worker,
} from '../../../lib/engine/index.js';
import type { BatchProcessor, Job, MixedProcessor, WorkerOptions } from '../../../lib/engine/index.js';
import { KEYS, NAME, QUICK, eventually, next, take, useKit } from './kit.js';

const kit = useKit();

type Options = Omit<WorkerOptions, 'connection' | 'batches'> & { batches: WorkerOptions['batches'] & object };

/** Reads nothing until `run`, so that all jobs of a test are there first. */
function batchWorker(processor: BatchProcessor, options: Options): Worker {
  return kit.worker(processor as never, options);
}

const idsOf = (jobs: readonly Job[]): string[] => jobs.map(({ id }) => id);
function fail(error: unknown): never {
  throw error;
}

const adds = (count: number, name = 'mail') =>
  Array.from({ length: count }, (_, i) => ({ name, data: i, opts: { jobId: `${name}-${i}` } }));

describe('a worker with batches', () => {
  it('gets the jobs that are there, at most `size`, in the order of their arrival', async () => {
    await kit.queue().addBulk(adds(25));
    const got: string[][] = [];
    const worker = batchWorker(
      (jobs) => {
        got.push(idsOf(jobs));
      },
      { batches: { size: 10 }, concurrency: 1 },
    );
    await take(worker, 'completed', 25);
    expect(got.map((ids) => ids.length)).toEqual([10, 10, 5]);
    expect(got.flat()).toEqual(adds(25).map(({ opts }) => opts.jobId));
  });

  it('gets jobs with different names in one batch', async () => {
    const names = ['a', 'b', 'a', 'c'];
    await kit.queue().addBulk(names.map((name) => ({ name, data: null })));
    const got: string[][] = [];
    const worker = batchWorker((jobs) => void got.push(jobs.map(({ name }) => name)), {
      batches: { size: 10 },
    });
    await take(worker, 'completed', 4);
    expect(got).toEqual([names]);
  });

  it('reads more than `batch` entries for a larger batch, and no more than `concurrency` calls run at once', async () => {
    await kit.queue().addBulk(adds(500));
    let running = 0;
    const sizes: number[] = [];
    let most = 0;
    const worker = batchWorker(
      async (jobs) => {
        most = Math.max(most, (running += 1));
        sizes.push(jobs.length);
        await delay(20);
        running -= 1;
      },
      { batches: { size: 200 }, concurrency: 2 },
    );
    await take(worker, 'completed', 500);
    // The first read is small, because the size of the entries is not known yet.
    expect(Math.max(...sizes)).toBe(200);
    expect(sizes.length).toBeLessThanOrEqual(4);
    expect(most).toBe(2);
  });

  it('completes each job with its own result', async () => {
    const queue = kit.queue();
    const jobs = await queue.addBulk(adds(3));
    batchWorker(async (batch) => Promise.resolve(batch.map(({ data }) => `result ${String(data)}`)), {
      batches: { size: 3 },
      storeResults: true,
    });
    expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual([
      'result 0',
      'result 1',
      'result 2',
    ]);
  });

  it('fails single jobs: by job.fail, by setAsFailed, and by an error among the results', async () => {
    await kit.queue().addBulk(adds(4));
    const worker = batchWorker(
      (jobs) => {
        jobs[0]?.fail(new UnrecoverableError('first'));
        jobs[1]?.setAsFailed(new UnrecoverableError('second'));
        return [1, 2, new UnrecoverableError('third'), 4];
      },
      { batches: { size: 4 } },
    );
    const completed = take(worker, 'completed', 1);
    const failed = take(worker, 'failed', 3);
    expect(idsOf(await completed)).toEqual(['mail-3']);
    expect((await failed).map((job) => [job?.id, job?.failedReason])).toEqual([
      ['mail-0', 'first'],
      ['mail-1', 'second'],
      ['mail-2', 'third'],
    ]);
    expect(await kit.queue().getJobCounts()).toMatchObject({ failed: 3, active: 0, waiting: 0 });
  });

  it('retries each failed job by itself: attempts, backoff and the rest of the batch are its own', async () => {
    await kit.queue().addBulk([
      { name: 'a', data: null, opts: { attempts: 3 } },
      { name: 'b', data: null },
      { name: 'c', data: null, opts: { attempts: 1 } },
    ]);
    const runs: [string, number][][] = [];
    const worker = batchWorker(
      (jobs) => {
        runs.push(jobs.map(({ name, attemptsMade }) => [name, attemptsMade]));
        for (const job of jobs) if (job.name !== 'b' && job.attemptsMade < 3) job.fail(new Error('again'));
      },
      { batches: { size: 10 } },
    );
    await take(worker, 'completed', 2);
    expect(runs).toEqual([
      [
        ['a', 1],
        ['b', 1],
        ['c', 1],
      ],
      [['a', 2]],
      [['a', 3]],
    ]);
    expect(await kit.queue().getJobCounts()).toMatchObject({ failed: 1 });
  });

  it('fails all jobs that have not failed by themselves when it throws', async () => {
    await kit.queue().addBulk(adds(3));
    const worker = batchWorker(
      (jobs) => {
        jobs[1]?.fail(new UnrecoverableError('its own'));
        throw new UnrecoverableError('all');
      },
      { batches: { size: 3 } },
    );
    const failed = await take(worker, 'failed', 3);
    expect(Object.fromEntries(failed.map((job) => [job?.id, job?.failedReason]))).toEqual({
      'mail-0': 'all',
      'mail-1': 'its own',
      'mail-2': 'all',
    });
  });

  it.each([
    ['a shorter array', [1], 'an array of 1'],
    ['a longer array', [1, 2, 3], 'an array of 3'],
    ['an empty array', [], 'an array of 0'],
    ['an object', { secret: 'word' }, 'an object'],
    ['a Map', new Map([['mail-0', 1]]), 'an object'],
    ['null', null, 'null'],
    ['a text', 'word', 'a string'],
  ])('that returns %s says so, and the jobs become dead letters', async (_, returned, what) => {
    await kit.queue().addBulk(adds(2));
    const worker = batchWorker(() => returned as never, { batches: { size: 2 } });
    const errors: unknown[] = [];
    worker.on('failed', (_job, error) => errors.push(error));
    await take(worker, 'deadLettered', 2);
    expect(errors).toHaveLength(2);
    for (const error of errors) {
      expect(error).toBeInstanceOf(BatchResultError);
      expect(error).toMatchObject({
        code: 'CMQ-018',
        message: expect.stringContaining(`returned ${what}.`) as string,
      });
      expect(String(error)).not.toContain('word');
    }
    const [letter] = await kit.queue().peekDlq();
    expect(letter).toMatchObject({ reason: 'unrecoverable', attempts: 1 });
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a text', 'text'],
    ['an object without a prototype', Object.create(null)],
    [
      'an error whose message throws',
      new Proxy(new Error('x'), {
        get: (_, key) => {
          if (key === 'message') throw new Error('no');
          return undefined;
        },
      }),
    ],
  ])('takes %s for the error of job.fail', async (_, error) => {
    await kit.queue().addBulk(adds(2).map((job) => ({ ...job, opts: { ...job.opts, attempts: 1 } })));
    const worker = batchWorker((jobs) => jobs[0]?.fail(error), { batches: { size: 2 } });
    const done = Promise.all([take(worker, 'deadLettered', 1), take(worker, 'completed', 1)]);
    const [[letter], [completed]] = await done;
    expect(letter?.jobId).toBe('mail-0');
    expect(completed?.id).toBe('mail-1');
  });

  it('keeps the first error of job.fail, and refuses the call after the run', async () => {
    const queue = kit.queue();
    await queue.addBulk(adds(2).map((job) => ({ ...job, opts: { ...job.opts, attempts: 1 } })));
    let kept: Job | undefined;
    const worker = batchWorker(
      (jobs) => {
        kept = jobs[0];
        jobs[0]?.fail(new Error('first'));
        jobs[0]?.fail(new Error('second'));
      },
      { batches: { size: 2 } },
    );
    const [job] = await take(worker, 'failed', 1);
    expect(job?.failedReason).toBe('first');
    expect(() => kept?.fail(new Error('late'))).toThrow(JobStateError);
    const added = await queue.add('x', null, { delay: 60_000 });
    expect(() => added.fail(new Error('not here'))).toThrow(
      expect.objectContaining({
        code: 'CMQ-107',
        message: expect.stringContaining('does not run here') as string,
      }) as string,
    );
  });

  it('lets job.fail end a job of a worker without batches too', async () => {
    await kit.queue().add('a', null, { attempts: 1 });
    const worker = kit.worker((job) => {
      job.fail(new Error('by itself'));
      return 'a result';
    });
    const [job, error] = await next(worker, 'failed');
    expect(job?.failedReason).toBe('by itself');
    expect(error).toEqual(new Error('by itself'));
  });

  it('supports discard and moveToDelayed on single jobs of a batch', async () => {
    await kit.queue().addBulk(adds(3));
    const runs: string[][] = [];
    const worker = batchWorker(
      async (jobs) => {
        runs.push(idsOf(jobs));
        if (runs.length > 1) return;
        jobs[0]?.discard();
        jobs[0]?.fail(new Error('final'));
        await jobs[1]?.moveToDelayed(Date.now() + 20);
      },
      { batches: { size: 3 } },
    );
    await take(worker, 'completed', 2);
    expect(runs).toEqual([['mail-0', 'mail-1', 'mail-2'], ['mail-1']]);
    expect((await kit.queue().peekDlq()).map(({ jobId }) => jobId)).toEqual(['mail-0']);
  });

  it('writes the events, the progress and the log of each job', async () => {
    const events = await kit.events();
    const active = take(events, 'active', 2);
    const progress = take(events, 'progress', 2);
    const completed = take(events, 'completed', 2);
    const queue = kit.queue({ trackJobs: true });
    batchWorker(
      async (jobs) => {
        for (const job of jobs) {
          await job.updateProgress(Number(job.data) + 1);
          await job.log(`row of ${job.id}`);
        }
        return jobs.map(({ id }) => id);
      },
      { batches: { size: 2 } },
    );
    await queue.addBulk(adds(2));
    for (const list of [await active, await progress, await completed])
      expect((list as { jobId: string }[]).map(({ jobId }) => jobId).sort()).toEqual(['mail-0', 'mail-1']);
    const kept = await queue.getJob('mail-1');
    expect(kept).toMatchObject({ progress: 2, returnvalue: 'mail-1', attempts: [{ attempt: 1 }] });
    expect((await queue.getJobLogs('mail-1')).logs).toEqual(['row of mail-1']);
  });
});

describe('a time limit in a batch', () => {
  it('ends its job alone; the others complete with the batch', async () => {
    await kit.queue().addBulk([
      { name: 'a', data: null, opts: { jobId: 'short', timeoutMs: 20, attempts: 1 } },
      { name: 'a', data: null, opts: { jobId: 'long' } },
    ]);
    const reasons: unknown[] = [];
    const worker = batchWorker(
      async (jobs) => {
        for (const { signal } of jobs) signal.addEventListener('abort', () => reasons.push(signal.reason));
        await once(jobs[0] as Job);
      },
      { batches: { size: 2 } },
    );
    const completed = take(worker, 'completed', 1);
    const [job, error] = await next(worker, 'failed');
    expect([job?.id, error]).toEqual(['short', expect.any(JobTimeoutError)]);
    expect(idsOf(await completed)).toEqual(['long']);
    expect(reasons).toEqual([error]);
  });

  it('frees the handler when all jobs of the batch are over, and aborts the signal of the call', async () => {
    await kit.queue().addBulk(adds(3));
    const reasons: unknown[] = [];
    let calls = 0;
    const worker = batchWorker(
      (_jobs, signal) => {
        calls += 1;
        if (calls > 1) return undefined;
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        return new Promise(() => undefined);
      },
      { batches: { size: 3 }, concurrency: 1, timeoutMs: 30 },
    );
    await take(worker, 'completed', 3);
    expect(reasons).toEqual([expect.any(JobTimeoutError)]);
    expect(worker.health().running).toBe(0);
  });

  it('lets a job that has failed by itself keep its error', async () => {
    await kit.queue().addBulk(adds(1).map((job) => ({ ...job, opts: { ...job.opts, attempts: 1 } })));
    const worker = batchWorker(
      (jobs) => {
        jobs[0]?.fail(new Error('by itself'));
        return new Promise(() => undefined);
      },
      { batches: { size: 3 }, timeoutMs: 20 },
    );
    const [job] = await next(worker, 'failed');
    expect(job?.failedReason).toBe('by itself');
    await eventually(() => expect(worker.health().running).toBe(0));
  });
});

describe('a cancellation in a batch', () => {
  it('aborts the signal of its job alone, and the job fails with the batch', async () => {
    const queue = kit.queue();
    await queue.addBulk(adds(3));
    const worker = batchWorker(
      async (jobs) => {
        await once(jobs[1] as Job);
        expect(jobs.map(({ signal }) => signal.aborted)).toEqual([false, true, false]);
        jobs[1]?.fail(jobs[1].signal.reason);
      },
      { batches: { size: 3 } },
    );
    const completed = take(worker, 'completed', 2);
    await next(worker, 'active');
    await queue.cancel('mail-1');
    const [job, error] = await next(worker, 'failed');
    expect([job?.id, error]).toEqual(['mail-1', expect.any(JobCancelledError)]);
    expect(idsOf(await completed)).toEqual(['mail-0', 'mail-2']);
  });

  it('takes a job out of a batch that has not started', async () => {
    const queue = kit.queue();
    await queue.addBulk(adds(2));
    const got: string[][] = [];
    const worker = batchWorker((jobs) => void got.push(idsOf(jobs)), {
      batches: { size: 3, minSize: 3, timeoutMs: 60_000 },
    });
    await pending(2);
    const failed = next(worker, 'failed');
    await queue.cancel('mail-0');
    expect((await failed)[0]?.id).toBe('mail-0');
    await queue.addBulk(adds(2, 'more'));
    await take(worker, 'completed', 3);
    expect(got).toEqual([['mail-1', 'more-0', 'more-1']]);
  });
});

describe('minSize', () => {
  it('waits for so many jobs', async () => {
    const queue = kit.queue();
    const got: string[][] = [];
    const worker = batchWorker((jobs) => void got.push(idsOf(jobs)), {
      batches: { size: 10, minSize: 3, timeoutMs: 60_000 },
    });
    await queue.addBulk(adds(2));
    await pending(2);
    expect(got).toEqual([]);
    await queue.addBulk(adds(1, 'last'));
    await take(worker, 'completed', 3);
    expect(got).toEqual([['mail-0', 'mail-1', 'last-0']]);
  });

  it('gives up after timeoutMs since the first job', async () => {
    const queue = kit.queue();
    const sizes: number[] = [];
    const worker = batchWorker((jobs) => void sizes.push(jobs.length), {
      batches: { size: 10, minSize: 5, timeoutMs: 300 },
    });
    const started = performance.now();
    await queue.addBulk(adds(2));
    await take(worker, 'completed', 2);
    expect(performance.now() - started).toBeGreaterThanOrEqual(295);
    expect(sizes).toEqual([2]);
  });

  it('holds up no other job of the worker, though there is one handler', async () => {
    const queue = kit.queue();
    const slow = { size: 10, minSize: 5, timeoutMs: 60_000 };
    const got: unknown[] = [];
    const worker = kit.worker(
      (input: Job | Job[]) => void got.push(Array.isArray(input) ? idsOf(input) : input.id),
      { batchesOf: (name) => (name === 'batched' ? slow : undefined), concurrency: 1 },
    );
    await queue.addBulk(adds(4, 'batched'));
    await pending(4);
    await queue.addBulk(adds(20, 'single'));
    await take(worker, 'completed', 20);
    expect(got).toHaveLength(20);
    await queue.addBulk(adds(1, 'batched').map((job) => ({ ...job, opts: {} })));
    await take(worker, 'completed', 5);
    expect(got.at(-1)).toHaveLength(5);
  });

  it('keeps the leases of the jobs that wait', async () => {
    const queue = kit.queue();
    const options = { batches: { size: 9, minSize: 9, timeoutMs: 1_500 }, claimMinIdleMs: 300 };
    const got: [string, number][] = [];
    const collect: BatchProcessor = (jobs) => {
      for (const { id, attemptsMade } of jobs) got.push([id, attemptsMade]);
    };
    const first = batchWorker(collect, options);
    await queue.addBulk(adds(2));
    await pending(2);
    batchWorker(collect, options);
    await take(first, 'completed', 2);
    expect(got).toEqual([
      ['mail-0', 1],
      ['mail-1', 1],
    ]);
  });

  it.each(['close', 'pause', 'queue'] as const)('gives the jobs that wait back on %s', async (how) => {
    const queue = kit.queue();
    const worker = batchWorker(() => undefined, { batches: { size: 9, minSize: 9, timeoutMs: 60_000 } });
    await queue.addBulk(adds(2));
    await pending(2);
    if (how === 'close') await worker.close();
    else if (how === 'pause') await worker.pause();
    else await queue.pause();
    await pending(0);
    await queue.resume();
    const attempts: number[] = [];
    const other = batchWorker((jobs) => void attempts.push(...jobs.map(({ attemptsMade }) => attemptsMade)), {
      batches: { size: 9 },
    });
    // The paused worker reads nothing; the one that is not takes its turn again.
    if (how === 'queue') await worker.close();
    await take(other, 'completed', 2);
    expect(attempts).toEqual([1, 1]);
  });
});

describe('a job of a batch that cannot run', () => {
  it('leaves the batch by itself: expired, exhausted or unreadable', async () => {
    const queue = kit.queue();
    await queue.addBulk([
      { name: 'a', data: null, opts: { jobId: 'late', ttlMs: 1 } },
      { name: 'a', data: null, opts: { jobId: 'good', ttlMs: 60_000 } },
    ]);
    await kit.client.xadd(KEYS.stream, '*', 'd', 'no job', 'n', 'a');
    await queue.add('a', null, { jobId: 'last' });
    await delay(20);
    const got: string[][] = [];
    const worker = batchWorker((jobs) => void got.push(idsOf(jobs)), { batches: { size: 9 } });
    await Promise.all([take(worker, 'completed', 2), take(worker, 'deadLettered', 2)]);
    expect(got).toEqual([['good', 'last']]);
    expect((await queue.peekDlq()).map(({ reason }) => reason).sort()).toEqual(['decode_failed', 'expired']);
  });
});

describe('a batch on a full server', () => {
  afterEach(() => kit.client.config('SET', 'maxmemory', '0'));

  it('settles all of its jobs, also those that have failed', async () => {
    await kit.queue().addBulk(adds(4));
    let calls = 0;
    const worker = batchWorker(
      async (jobs) => {
        if ((calls += 1) > 1) return;
        await kit.client.config('SET', 'maxmemory-policy', 'noeviction');
        await kit.client.config('SET', 'maxmemory', '1');
        jobs[0]?.fail(new Error('again'));
      },
      { batches: { size: 4, minSize: 4 } },
    );
    const completed = await take(worker, 'completed', 4);
    expect(completed.map(({ id, attemptsMade }) => [id, attemptsMade])).toEqual([
      ['mail-1', 1],
      ['mail-2', 1],
      ['mail-3', 1],
      ['mail-0', 2],
    ]);
  });
});

describe('batchesOf', () => {
  it('gives each object of options batches of its own', async () => {
    const queue = kit.queue();
    await queue.addBulk(['a', 'b', 'c', 'single', 'a', 'b', 'c'].map((name) => ({ name, data: null })));
    const shared = { size: 10 };
    const own = { size: 2 };
    const got: unknown[] = [];
    const processor: MixedProcessor = (input) => {
      got.push(Array.isArray(input) ? input.map(({ name }) => name) : input.name);
    };
    const worker = kit.worker(processor, {
      batchesOf: (name) => (name === 'single' ? undefined : name === 'c' ? own : shared),
      concurrency: 1,
    });
    await take(worker, 'completed', 7);
    expect(got).toHaveLength(3);
    expect(got).toContainEqual(['a', 'b', 'a', 'b']);
    expect(got).toContainEqual(['c', 'c']);
    expect(got).toContain('single');
  });

  const garbage: [string, () => unknown, string][] = [
    ['throws', () => fail(new Error('no such table')), 'batchesOf("throws") threw: no such table.'],
    ['throws text', () => fail('no\nsuch table'), 'batchesOf("throws text") threw: no'],
    ['throws nothing', () => fail(undefined), 'batchesOf("throws nothing") threw: undefined.'],
    ['size -1', () => ({ size: -1 }), 'batchesOf("size -1"): option "size" must be a whole number'],
    ['no size', () => ({}), 'batchesOf("no size"): option "size" is missing.'],
    [
      'misspelled',
      () => ({ Size: 5 }),
      'batchesOf("misspelled"): unknown option "Size" (5). Did you mean "size"?',
    ],
    ['null', () => null, 'batchesOf("null"): options must be an object, not null.'],
    ['false', () => false, 'batchesOf("false"): options must be an object, not false.'],
    ['number', () => 5, 'batchesOf("number"): options must be an object, not 5.'],
    [
      'promise',
      () => Promise.resolve({ size: 5 }),
      'batchesOf("promise"): options must be an object with options',
    ],
    [
      'accessor',
      () => ({
        get size() {
          return fail(new Error('no'));
        },
      }),
      'batchesOf("accessor"): option "size" cannot be read',
    ],
  ];

  it.each([{}, { batches: { size: 3 } }])(
    'that throws, or answers nonsense, fails the job, and the handler is not called; with %o',
    async (options) => {
      const queue = kit.queue();
      await queue.addBulk(
        [...garbage.map(([name]) => name), 'good'].map((name) => ({
          name,
          data: null,
          opts: { attempts: 1 },
        })),
      );
      const got: unknown[] = [];
      const worker = kit.worker(
        (input: Job | Job[]) => void got.push(Array.isArray(input) && input.map(({ name }) => name)),
        {
          ...options,
          batchesOf: (name) =>
            name === 'good' ? { size: 5 } : (garbage.find(([other]) => other === name)?.[1]() as never),
        },
      );
      await Promise.all([take(worker, 'completed', 1), take(worker, 'deadLettered', garbage.length)]);
      expect(got).toEqual([['good']]);
      const details = new Map((await queue.peekDlq()).map(({ name, detail }) => [name, detail]));
      for (const [name, , message] of garbage) {
        expect(details.get(name)).toContain(message);
        expect(details.get(name)).toContain(
          'The handler was not called: it may expect a job, or an array of jobs.',
        );
      }
    },
  );

  it('that recovers gets the job at its next attempt', async () => {
    await kit.queue().addBulk(adds(2));
    const got: [number, number][][] = [];
    let calls = 0;
    const worker = kit.worker(
      ((jobs: Job<number>[]) =>
        void got.push(jobs.map(({ data, attemptsMade }) => [data, attemptsMade]))) as never,
      {
        batchesOf: () => ((calls += 1) === 1 ? fail(new Error('not yet')) : { size: 2 }),
        retry: { initialBackoffMs: 1, jitterMs: 0 },
      },
    );
    const [[job, error]] = await Promise.all([next(worker, 'failed'), take(worker, 'completed', 2)]);
    expect([job?.data, error]).toEqual([
      0,
      expect.objectContaining({ name: 'ConfigError', code: 'CMQ-004' }),
    ]);
    expect(got).toEqual([[[1, 1]], [[0, 2]]]);
  });

  it('is asked once for a job, also after a crash: what the handler gets does not change meanwhile', async () => {
    await kit.client.xgroup('CREATE', KEYS.stream, 'default', '0', 'MKSTREAM');
    const queue = kit.queue();
    await queue.addBulk(adds(3));
    // A worker that dies with the jobs.
    await kit.client.xreadgroup('GROUP', 'default', 'dead', 'STREAMS', KEYS.stream, '>');
    const got: unknown[] = [];
    const asked: string[] = [];
    const worker = kit.worker(
      (input: Job | Job[]) =>
        void got.push(Array.isArray(input) ? input.map(({ data }) => data as number) : input.data),
      {
        // The second job is a batch, as long as it is asked once.
        batchesOf: (name) => (asked.push(name) === 2 ? { size: 3 } : undefined),
        claimMinIdleMs: 300,
        concurrency: 1,
      },
    );
    await take(worker, 'completed', 3);
    expect(got).toHaveLength(3);
    expect(got.filter(Array.isArray)).toHaveLength(1);
    expect(asked).toHaveLength(3);
  });

  it('may change its object later: what it was when it was checked counts', async () => {
    const options = { size: 2 };
    await kit.queue().addBulk(adds(5));
    const sizes: number[] = [];
    const worker = kit.worker(
      ((jobs: Job[]) => {
        sizes.push(jobs.length);
        options.size = -1;
      }) as never,
      { batchesOf: () => options, concurrency: 1 },
    );
    await take(worker, 'completed', 5);
    expect(sizes).toEqual([2, 2, 1]);
  });

  it('may return a new object each time: jobs of one name share batches', async () => {
    await kit.queue().addBulk(Array.from({ length: 20 }, (_, i) => ({ name: `name-${i % 2}`, data: i })));
    const got: string[][] = [];
    const worker = kit.worker(((jobs: Job[]) => void got.push(jobs.map(({ name }) => name))) as never, {
      batchesOf: () => ({ size: 5, minSize: 5, timeoutMs: 60_000 }),
    });
    await take(worker, 'completed', 20);
    expect(got.map((names) => [names.length, new Set(names).size])).toEqual(Array(4).fill([5, 1]));
  });

  it('may return other options each time: each job is a batch of one then', async () => {
    await kit.queue().addBulk(adds(2_500));
    const sizes = new Set<number>();
    let calls = 0;
    const worker = kit.worker(((jobs: Job[]) => void sizes.add(jobs.length)) as never, {
      batchesOf: () => ({ size: 5, minSize: 5, timeoutMs: 60_000 + (calls += 1) }),
    });
    // No more than a bounded number of them waits.
    await take(worker, 'completed', 1_000);
    expect([...sizes]).toEqual([1]);
    await worker.close();
  });

  it('may be asked for more names than are kept', async () => {
    const names = Array.from({ length: 2_100 }, (_, i) => `name-${i}`);
    await kit.queue().addBulk(
      names.flatMap((name) => [
        { name, data: 0 },
        { name, data: 1 },
      ]),
    );
    let done = 0;
    const worker = kit.worker(((jobs: Job[]) => void (done += jobs.length)) as never, {
      batchesOf: () => ({ size: 2 }),
    });
    await take(worker, 'completed', 4_200);
    expect(done).toBe(4_200);
  });

  it.each([
    ['a priority', { priority: 1 }],
    ['a group', { group: { id: 'tenant' } }],
    ['lifo', { lifo: true }],
  ])('jobs with %s come, also where some jobs come as batches and others alone', async (_, opts) => {
    const queue = kit.queue();
    const got: number[] = [];
    const worker = kit.worker(
      (input: Job | Job[]) => void got.push(Array.isArray(input) ? input.length : 0),
      { batchesOf: (name) => (name === 'batched' ? { size: 5 } : undefined), concurrency: 4 },
    );
    const errors: unknown[] = [];
    worker.on('error', (error) => errors.push(error));
    // How many jobs a handler takes is no whole number from now on.
    for (const name of ['batched', 'single', 'batched', 'single', 'single']) {
      const completed = next(worker, 'completed');
      await queue.add(name, null);
      await completed;
    }
    const completed = take(worker, 'completed', 20);
    await queue.addBulk(
      Array.from({ length: 20 }, (_, i) => ({ name: i % 3 === 0 ? 'batched' : 'single', data: null, opts })),
    );
    await completed;
    expect(errors).toEqual([]);
  });
});

describe('the options of batches', () => {
  it.each([
    [{ size: 0 }, 'batches: option "size" must be a whole number of at least 1 and at most 10000, not 0.'],
    [{ size: -1 }, 'batches: option "size" must be'],
    [{ size: NaN }, 'batches: option "size" must be'],
    [{ size: 1e9 }, 'batches: option "size" must be'],
    [{ size: 1.5 }, 'batches: option "size" must be'],
    [{ size: '5' }, 'batches: option "size" must be'],
    [{}, 'batches: option "size" is missing.'],
    [[5], 'option "batches" must be an object'],
    [5, 'option "batches" must be an object, not 5.'],
    [
      { size: 5, minSize: 6 },
      'batches: option "minSize" must be at most "size": a batch of 5 never has 6 jobs.',
    ],
    [{ size: 5, minSize: 0 }, 'batches: option "minSize" must be'],
    [{ size: 5, timeoutMs: 100 }, 'batches: option "timeoutMs" has no effect without "minSize"'],
    [{ size: 5, minSize: 2, timeoutMs: 0 }, 'batches: option "timeoutMs" must be'],
    [{ size: 5, minSize: 2, timeoutMs: Infinity }, 'batches: option "timeoutMs" must be'],
    [{ size: 5, minSize: 2, timeout: 100 }, 'Did you mean "timeoutMs"?'],
  ])('%o are refused', (batches, message) => {
    expect(() => batchWorker(() => undefined, { batches: batches as never })).toThrow(
      expect.objectContaining({
        code: 'CMQ-004',
        message: expect.stringContaining(message) as string,
      }) as string,
    );
  });

  it('are not the option "batch", as in BullMQ Pro', () => {
    const opts = { connection: kit.connection, batch: { size: 5 } as never, ...QUICK };
    expect(() => new Worker(NAME, () => undefined, opts)).toThrow(
      expect.objectContaining({
        code: 'CMQ-004',
        message: expect.stringContaining('the option "batches"') as string,
      }) as string,
    );
  });
});

/** Resolves when the signal of the job is aborted. */
function once({ signal }: Job): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Resolves when workers have fetched so many jobs that have not ended. */
async function pending(jobs: number): Promise<void> {
  await eventually(async () => {
    const [count] = (await kit.client.xpending(KEYS.stream, 'default')) as [number];
    expect(count).toBe(jobs);
  });
}
