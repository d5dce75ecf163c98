import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../redis/contract/kit.js';
import { useRedis } from '../support/redis.js';
import { engine, startWorker, type Bench, type End } from './support/worker.js';

const redis = useRedis();
const open: Bench[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chasqui-threads-'));
});

afterEach(async () => {
  await Promise.all(open.splice(0).flatMap(({ queue, worker }) => [worker.close(true), queue.close()]));
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Parameters<typeof startWorker>[1] = {}): Promise<Bench> {
  const bench = await startWorker(redis.connection, options);
  open.push(bench);
  return bench;
}

const journalled = () => ({ workerThreadsOptions: { workerData: { journal: join(folder, 'journal') } } });
const journal = (): string[] => readFileSync(join(folder, 'journal'), 'utf8').trim().split('\n');

/** The worker has all its threads again. */
async function whole({ worker }: Bench, threads = 2): Promise<void> {
  await eventually(() => {
    expect(worker.health().concurrency).toBe(threads);
  });
}

const SMALL_HEAP = { workerThreadsOptions: { resourceLimits: { maxOldGenerationSizeMb: 32 } } };

describe('a job that ends its thread', () => {
  it.each([
    ['exit', { code: 3 }, { reason: 'exit', exitCode: 3 }, 'has ended with exit code 3'],
    ['exit', { code: 0 }, { reason: 'exit', exitCode: 0 }, 'has ended with exit code 0'],
    ['heap', {}, { reason: 'heap' }, 'has exhausted its heap'],
    ['uncaught', {}, { reason: 'uncaught' }, 'thrown later'],
    ['unhandled', {}, { reason: 'uncaught' }, 'nobody hears'],
  ])(
    '%s %o: fails with CMQ-026, and the next job runs in a fresh thread',
    async (name, data, fields, text) => {
      const bench = await start({ useWorkerThreads: { maxThreads: 1 }, ...SMALL_HEAP });
      const first = (await bench.run('thread')).value;
      const { error, job, deadLetterReason } = await bench.run(name, data);
      expect(error).toBeInstanceOf(engine.ThreadExitError);
      expect(error).toMatchObject({ code: 'CMQ-026', ...fields });
      expect(error?.message).toContain(`The thread that ran job ${job.id} of queue "threads"`);
      expect(error?.message).toContain(text);
      expect(deadLetterReason).toBe('retries_exhausted');
      expect((await bench.run('thread')).value).not.toBe(first);
      expect(bench.errors).toEqual([]);
    },
  );

  it('fails no other job', async () => {
    const bench = await start();
    const long = bench.run('sleep', { ms: 600 });
    await bench.run('exit', { code: 1 });
    expect((await long).value).toBeGreaterThan(0);
  });

  it('has its cause, and is tried again with its next attempt', async () => {
    const bench = await start({ retry: { initialBackoffMs: 10, jitterMs: 0 } });
    const first = await bench.run('uncaught', {}, { attempts: 2 });
    expect(first.error?.cause).toMatchObject({ name: 'TypeError', code: 'E_LATER' });
    expect(first.deadLetterReason).toBeUndefined();
    expect((await bench.ended(first.job.id)).deadLetterReason).toBe('retries_exhausted');
  });

  it('a full stack is an error of the handler', async () => {
    const bench = await start();
    expect((await bench.run('stack')).error).toMatchObject({ name: 'RangeError' });
    expect(bench.worker.health().concurrency).toBe(2);
  });

  it('a thread that ends between two jobs is an error event, and is replaced', async () => {
    const bench = await start({ useWorkerThreads: { maxThreads: 1 } });
    const before = (await bench.run('thread')).value;
    expect((await bench.run('after')).error).toBeUndefined();
    await eventually(() => {
      expect(bench.errors).toMatchObject([{ code: 'CMQ-026', reason: 'uncaught' }]);
    });
    expect((await bench.run('thread')).value).not.toBe(before);
  });
});

describe('a handler that does not end', () => {
  it('is terminated after its timeoutMs, and the next job has a thread at once', async () => {
    const bench = await start({ useWorkerThreads: { maxThreads: 1, terminateAfterMs: 100 } });
    for (let i = 0; i < 3; i++) {
      const { error } = await bench.run('hang', {}, { timeoutMs: 200 });
      expect(error).toMatchObject({ name: 'JobTimeoutError', code: 'CMQ-014' });
      // It waits until its thread has started: its own time limit does not count that.
      const next = await bench.run('thread', {}, { timeoutMs: 200 });
      expect(next.error).toBeUndefined();
    }
    expect(bench.errors).toEqual([]);
  });

  it.each(['hang', 'ignores', 'obeys'])('%s: ends when it is cancelled', async (name) => {
    const bench = await start(journalled());
    const { id } = await bench.queue.add(name, {});
    await eventually(() => {
      expect(bench.worker.health().running).toBe(1);
    });
    expect(await bench.queue.cancel(id)).toBe('signalled');
    const { error } = await bench.ended(id);
    expect(error).toMatchObject({ name: 'JobCancelledError', code: 'CMQ-012' });
    if (name === 'obeys') expect(journal()).toContain('aborted JobCancelledError CMQ-012');
    await whole(bench);
  });

  it('keeps its thread if it obeys its signal', async () => {
    const bench = await start({
      ...journalled(),
      useWorkerThreads: { maxThreads: 1, terminateAfterMs: 5_000 },
    });
    const before = (await bench.run('thread')).value;
    const { error } = await bench.run('obeys', {}, { timeoutMs: 200 });
    expect(error).toMatchObject({ name: 'JobTimeoutError' });
    expect((await bench.run('thread')).value).toBe(before);
    expect(journal()).toContain('aborted JobTimeoutError CMQ-014');
  });

  it('is terminated when its lease is lost, and nothing that it did counts', async () => {
    const bench = await start({ claimMinIdleMs: 600 });
    await bench.queue.add('hang', {});
    await eventually(() => {
      expect(bench.worker.health().running).toBe(1);
    });
    const { stream } = bench.queue.keys;
    const [[entryId]] = (await redis.client.xpending(stream, 'default', '-', '+', 1)) as [[string]];
    await redis.client.xclaim(stream, 'default', 'thief', 0, entryId, 'JUSTID');
    await eventually(() => {
      expect(bench.errors.map(({ code }) => code)).toContain('CMQ-007');
    });
    await eventually(() => {
      expect(bench.worker.health().running).toBe(0);
    });
    await whole(bench);
  });
});

describe('while all threads spin', () => {
  it('the process is free: timers fire, the health answers, and leases are renewed', async () => {
    const LEASE_MS = 500;
    const bench = await start({ claimMinIdleMs: LEASE_MS });
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 10);
    const stalled: string[] = [];
    const other = await startWorker(redis.connection, { claimMinIdleMs: LEASE_MS });
    open.push(other);
    other.worker.on('stalled', (id) => stalled.push(id));
    const begun = performance.now();
    const runs = Array.from({ length: 4 }, () => bench.queue.add('spin', { ms: 4 * LEASE_MS }));
    const ids = (await Promise.all(runs)).map(({ id }) => id);
    const ended = await Promise.all(ids.map((id) => Promise.race([bench.ended(id), other.ended(id)])));
    clearInterval(timer);
    const ms = performance.now() - begun;
    expect(ended.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(stalled).toEqual([]);
    expect(bench.errors).toEqual([]);
    // On two busy cores, a thread of the process still gets its share.
    expect(ticks).toBeGreaterThan(ms / 10 / 5);
    expect(ended.every(({ job }) => job.attemptsMade === 1)).toBe(true);
  });
});

describe('close()', () => {
  it('lets running jobs end, runs onThreadStop, and leaves no thread', async () => {
    const bench = await start(journalled());
    const run = bench.run('sleep', { ms: 300 });
    await eventually(() => {
      expect(bench.worker.health().running).toBe(1);
    });
    await bench.worker.close();
    expect((await run).value).toBeGreaterThan(0);
    const lines = journal();
    expect(lines.filter((line) => line.startsWith('start'))).toHaveLength(2);
    expect(lines.filter((line) => line.startsWith('stop'))).toHaveLength(2);
  });

  it('terminates what does not end by its deadline, and gives the job back with no attempt used', async () => {
    const bench = await start({ shutdownDeadlineSecs: 0.3 });
    const { id } = await bench.queue.add('hang', {});
    await eventually(() => {
      expect(bench.worker.health().running).toBe(1);
    });
    const begun = performance.now();
    await bench.worker.close();
    expect(performance.now() - begun).toBeLessThan(6_000);
    expect(await (await bench.queue.getJob(id))?.getState()).toBe('waiting');
    const heir = await startWorker(redis.connection, { maxAttempts: 2 });
    open.push(heir);
    await eventually(() => {
      expect(heir.worker.health().running).toBe(1);
    });
    expect((await heir.queue.getActive()).map(({ attemptsMade }) => attemptsMade)).toEqual([1]);
  });

  it('ends threads that are still starting', async () => {
    const queue = new engine.Queue('threads', { connection: redis.connection });
    const worker = new engine.Worker('threads', new URL('./fixtures/engine/endless.mjs', import.meta.url), {
      connection: redis.connection,
      autorun: false,
    });
    const run = worker.run();
    await queue.waitUntilReady();
    await worker.close();
    await run;
    await queue.close();
  });
});

describe('idleTimeoutMs', () => {
  it('closes a free thread, and starts one when a job needs it', async () => {
    const bench = await start({ ...journalled(), useWorkerThreads: { maxThreads: 2, idleTimeoutMs: 100 } });
    expect(journal()).toHaveLength(1);
    const first = (await bench.run('thread')).value;
    await eventually(() => {
      expect(journal()).toContain(`stop ${String(first)}`);
    });
    expect((await bench.run('thread')).value).not.toBe(first);
    expect(bench.worker.concurrency).toBe(2);
  });

  it('a thread that cannot start fails no job: it waits, with no attempt used', async () => {
    const bench = await start({
      useWorkerThreads: { maxThreads: 1, idleTimeoutMs: 50 },
      workerThreadsOptions: { workerData: { failOnce: (await threadIds()) + 1 } },
    });
    expect((await bench.run('thread')).value).toBeGreaterThan(0);
    // The first thread closes.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { id } = await bench.queue.add('thread', {});
    await eventually(async () => {
      expect(await (await bench.queue.getJob(id))?.getState()).toBe('delayed');
    });
    expect(bench.errors[0]).toMatchObject({ code: 'CMQ-027' });
    expect(bench.errors[0]?.message).toContain('the model is gone');
    expect(await bench.queue.getFailedCount()).toBe(0);
  });
});

/** The id of the newest thread: a `Worker` of this process has the next one. */
async function threadIds(): Promise<number> {
  const { Worker } = await import('node:worker_threads');
  const worker = new Worker('', { eval: true });
  const { threadId } = worker;
  await worker.terminate();
  return threadId;
}

describe('maxThreads', () => {
  it('bounds how many jobs run at once, and so does concurrency', async () => {
    const cores = (await import('node:os')).availableParallelism();
    const limits: [Parameters<typeof startWorker>[1], number][] = [
      [{ useWorkerThreads: { maxThreads: 3 } }, 3],
      [{ useWorkerThreads: { maxThreads: 3 }, concurrency: 1 }, 1],
      [{ useWorkerThreads: true }, cores],
      [{ useWorkerThreads: true, concurrency: 1 }, 1],
    ];
    for (const [options, expected] of limits) {
      const bench = await start(options);
      expect(bench.worker.concurrency).toBe(expected);
      bench.worker.concurrency = 50;
      await bench.worker.close();
    }
    const bench = await start({ useWorkerThreads: { maxThreads: 2 } });
    bench.worker.concurrency = 50;
    expect(bench.worker.concurrency).toBe(2);
    await Promise.all(Array.from({ length: 5 }, () => bench.queue.add('sleep', { ms: 100 })));
    await eventually(() => {
      expect(bench.worker.health().running).toBe(2);
    });
  });
});

describe('1,000 jobs over two threads', () => {
  it('each ends once, although some end their thread', async () => {
    const bench = await start({ ...SMALL_HEAP, maxAttempts: 1 });
    const { worker, queue, errors } = bench;
    const ends: End[] = [];
    const push = (end: End): void => void ends.push(end);
    worker.on('completed', (job, value) => {
      push({ job, value });
    });
    worker.on('failed', (job, error) => {
      if (job) push({ job, error: error as never });
    });
    const jobs = Array.from({ length: 1_000 }, (_, i) =>
      i % 200 === 7
        ? { name: 'exit', data: { code: 9 } }
        : i % 200 === 107
          ? { name: 'hang', data: {}, opts: { timeoutMs: 100 } }
          : { name: 'thread', data: {} },
    );
    const added = await queue.addBulk(jobs);
    await eventually(() => {
      expect(ends).toHaveLength(1_000);
    }, 60_000);
    expect(new Set(ends.map(({ job }) => job.id))).toEqual(new Set(added.map(({ id }) => id)));
    const failed = ends.flatMap(({ error }) => (error ? [error.name] : [])).sort();
    expect(failed).toEqual([
      ...Array.from({ length: 5 }, () => 'JobTimeoutError'),
      ...Array.from({ length: 5 }, () => 'ThreadExitError'),
    ]);
    const left = { waiting: 0, active: 0, delayed: 0 };
    expect(await queue.getJobCounts('waiting', 'active', 'delayed')).toMatchObject(left);
    expect(errors).toEqual([]);
    await whole(bench);
  }, 90_000);
});
