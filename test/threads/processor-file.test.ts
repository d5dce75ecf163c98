import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, rejection } from '../redis/contract/kit.js';
import { useRedis } from '../support/redis.js';
import { engine, fixture, fixturePath, startWorker, type Bench } from './support/worker.js';

const redis = useRedis();
const open: Bench[] = [];

async function start(...args: Parameters<typeof startWorker> extends [unknown, ...infer R] ? R : never) {
  const bench = await startWorker(redis.connection, ...args);
  open.push(bench);
  return bench;
}

afterEach(async () => {
  await Promise.all(open.splice(0).flatMap(({ queue, worker }) => [worker.close(true), queue.close()]));
});

describe('a processor file', () => {
  it('may be a URL of an ES module, or a path of CommonJS, with and without its extension', async () => {
    const esm = await start();
    expect((await esm.run('thread')).value).toBeGreaterThan(0);
    await esm.worker.close();
    const paths = [
      fixturePath('plain.cjs'),
      fixturePath('plain'),
      fixture('plain.cjs').href,
      fixturePath('default.cjs'),
    ];
    for (const path of paths) {
      const { run, worker } = await start({}, path);
      expect((await run('any', { to: 'ada' })).value).toEqual({ hello: 'ada' });
      await worker.close();
    }
  });

  it.each([{ batches: { size: 2 } }, { batchesOf: () => undefined }])('refuses %o', (options) => {
    expect(
      () =>
        new engine.Worker('threads', fixturePath('plain.cjs'), { connection: redis.connection, ...options }),
    ).toThrow(
      expect.objectContaining({
        code: 'CMQ-004',
        message:
          'Worker "threads": batches cannot run in threads, because a thread runs one job at a time. Remove "batches", or run the handler without threads.',
      }) as Error,
    );
  });

  it('gets a real job with the data that it was added with', async () => {
    const { run } = await start();
    const data = {
      date: new Date(86_400_000),
      map: new Map([['a', 1]]),
      big: 2n ** 60n,
      buffer: Buffer.from('bytes'),
      text: 'Zoë\n\u2028',
      nested: [{ none: null }],
    };
    const { value, job } = await run('about', data, { attempts: 2 });
    expect(value).toMatchObject({
      isJob: true,
      isBuffer: true,
      id: job.id,
      name: 'about',
      queueName: 'threads',
      attemptsMade: 1,
      attempts: 2,
      timestamp: job.timestamp,
      processedOn: job.processedOn,
      // A Map with text keys arrives as an object, as without threads.
      data: { date: data.date, map: { a: 1 }, big: data.big, text: data.text, nested: data.nested },
    });
    expect((await run('about', null)).value).toMatchObject({ data: null });
  });

  it('reports progress, and writes to the log of a tracked job', async () => {
    const { worker, ended } = await start();
    const tracked = new engine.Queue('threads', { connection: redis.connection, trackJobs: true });
    const progress: unknown[] = [];
    worker.on('progress', (job, value) => progress.push([job.name, value]));
    const { id } = await tracked.add('reports', {});
    const { value } = await ended(id);
    expect(value).toEqual({ rows: 1, progress: { percent: 50 }, state: 'active', isActive: true });
    expect(progress).toEqual([['reports', { percent: 50 }]]);
    expect((await tracked.getJobLogs(id)).logs).toEqual(['a row']);
    await tracked.close();
  });

  it('gets the errors of the methods of its job', async () => {
    const { run } = await start();
    expect((await run('refused')).value).toEqual([
      ['EncodeError', 'CMQ-002'],
      ['JobStateError', 'CMQ-107'],
      ['ConfigTypeError', 'CMQ-004'],
      ['ConfigRangeError', 'CMQ-004'],
      ['ConfigTypeError', 'CMQ-004'],
      ['JobStateError', 'CMQ-107'],
      ['NotSupportedError', 'CMQ-100'],
    ]);
  });

  it('frees the deduplication id of its job', async () => {
    const { run } = await start();
    expect((await run('dedup', {}, { deduplication: { id: 'd1' } })).value).toBe(true);
  });

  it('moves its job to the delayed set, with no attempt used', async () => {
    const { queue, worker } = await start();
    const { id } = await queue.add('later', { ms: 60_000 });
    await eventually(async () => expect(await queue.getDelayedCount()).toBe(1));
    const job = await queue.getJob(id);
    expect(await job?.getState()).toBe('delayed');
    expect(worker.health().running).toBe(0);
  });

  it('discards its job, and cannot do so when its run is over', async () => {
    const { run } = await start({ maxAttempts: 5, useWorkerThreads: { maxThreads: 1 } });
    expect((await run('discards')).deadLetterReason).toBe('unrecoverable');
    await run('keeps-job');
    expect((await run('uses-kept-job')).value).toEqual(['CMQ-107', 'CMQ-107']);
  });

  it('fails its job with an error, whatever it returns', async () => {
    const { run } = await start({ maxAttempts: 5 });
    const { error, deadLetterReason } = await run('fails');
    expect(error).toMatchObject({ name: 'UnrecoverableError', message: 'by job.fail()' });
    expect(deadLetterReason).toBe('unrecoverable');
  });

  it('returns what structured clone accepts', async () => {
    const { run, errors } = await start();
    const { value } = await run('returns', { kind: 'map' });
    expect(value).toEqual({ map: new Map([['a', new Date(0)]]), big: 2n ** 64n, set: new Set([1]) });
    expect((await run('returns', { kind: 'nothing' })).value).toBeUndefined();
    expect((await run('returns', { kind: 'error' })).error).toMatchObject({
      name: 'RangeError',
      message: 'returned',
    });
    expect((await run('returns', { kind: 'iterator' })).error).toMatchObject({ code: 'CMQ-004' });
    expect(errors).toEqual([]);
  });

  it.each(['function', 'nested'])('completes with an error event for a result with a %s', async (kind) => {
    const { run, errors } = await start({ storeResults: true });
    const { value, error, job } = await run('returns', { kind });
    expect([value, error]).toEqual([undefined, undefined]);
    expect(errors).toMatchObject([{ code: 'CMQ-002' }]);
    expect(errors[0]?.message).toContain(`The result of job ${job.id} ("returns") cannot leave its thread`);
  });

  it('stores results', async () => {
    const { queue } = await start({ storeResults: true });
    const job = await queue.add('about', { buffer: Buffer.from('x') });
    expect(await job.waitForResult({ timeoutMs: 5_000 })).toMatchObject({ isBuffer: true });
  });
});

describe('what a handler throws', () => {
  it.each([
    ['range', { name: 'RangeError', message: 'too far', code: 'E_FAR', extra: { at: new Date(0), big: 1n } }],
    ['aggregate', { name: 'AggregateError', message: 'several' }],
    ['delayed', { name: 'DelayedError', code: 'CMQ-015' }],
    ['text', { message: 'a text', cause: 'a text' }],
    ['null', { message: 'null', cause: null }],
    ['object', { message: '{"reason":"of its own"}', cause: { reason: 'of its own' } }],
    ['symbol', { message: 'Symbol(s)' }],
    ['cyclic', { message: 'cyclic' }],
    ['hostile', { message: 'hostile' }],
  ])('%s: arrives as it was', async (kind, expected) => {
    const { run } = await start();
    const { error, deadLetterReason } = await run('throws', { kind });
    expect(error).toMatchObject(expected);
    expect(error).toBeInstanceOf(Error);
    expect(deadLetterReason).toBe('retries_exhausted');
  });

  it('has its class, its stack and its causes', async () => {
    const { run } = await start();
    const range = (await run('throws', { kind: 'range' })).error;
    expect(range).toBeInstanceOf(RangeError);
    expect(range?.cause).toBeInstanceOf(TypeError);
    expect(range?.stack).toContain('processor.mjs');
    expect(range).not.toHaveProperty('close');
    const aggregate = (await run('throws', { kind: 'aggregate' })).error as unknown as AggregateError;
    expect(aggregate.errors.map(String)).toEqual(['Error: one', 'SyntaxError: two']);
    expect((await run('throws', { kind: 'delayed' })).error).toBeInstanceOf(engine.DelayedError);
    for (const kind of ['function', 'proxy', 'nothing', 'long']) {
      expect((await run('throws', { kind })).error).toBeInstanceOf(Error);
    }
  });

  it('a RateLimitError puts the job back, with no attempt used', async () => {
    const { queue, worker } = await start();
    const failed: unknown[] = [];
    worker.on('failed', (job) => failed.push(job));
    const job = await queue.add('throws', { kind: 'rateLimit' }, { attempts: 1 });
    await once(worker, 'active');
    await once(worker, 'active');
    await queue.pause();
    await eventually(async () => {
      expect(await queue.getJob(job.id)).toMatchObject({ attemptsMade: 0 });
    });
    expect(failed).toEqual([]);
    await queue.obliterate({ force: true });
  });

  it.each(['declined', 'named'])('%s: is final if it is unrecoverable', async (kind) => {
    const { run } = await start({ maxAttempts: 5 });
    const { error, deadLetterReason } = await run('throws', { kind });
    expect(deadLetterReason).toBe('unrecoverable');
    if (kind === 'declined') expect(error).toBeInstanceOf(engine.UnrecoverableError);
  });
});

describe('a wrong processor', () => {
  const opts = (): { connection: typeof redis.connection; autorun: false } => ({
    connection: redis.connection,
    autorun: false,
  });

  it.each([
    ['./processor.mjs', 'must be an absolute path or a file URL, not "./processor.mjs"'],
    ['/no/such\nfile.js', 'there is no file "/no/such\\nfile.js"'],
    [new URL('https://example.com/x.js'), 'must be a file URL'],
    [fixture('.'), 'there is no file'],
  ])('%s is refused', (processor, message) => {
    expect(() => new engine.Worker('threads', processor, opts())).toThrow(message);
  });

  it('is a function with options of threads', () => {
    for (const given of [{ useWorkerThreads: true }, { workerThreadsOptions: {} }]) {
      expect(() => new engine.Worker('threads', () => 1, { ...opts(), ...given })).toThrow(
        'a function cannot run in a thread',
      );
    }
    const worker = new engine.Worker('threads', () => 1, { ...opts(), useWorkerThreads: false });
    return worker.close();
  });

  it.each([
    [{ useWorkerThreads: { maxThreads: 0 } }, 'option "maxThreads" must be a whole number'],
    [{ useWorkerThreads: { maxThread: 1 } }, 'Did you mean "maxThreads"?'],
    [{ useWorkerThreads: 'yes' }, 'must be true, false, or an object'],
    [{ workerThreadsOptions: { resourceLimits: { maxOldGenerationSizeMb: 0 } } }, 'maxOldGenerationSizeMb'],
    [{ workerForkOptions: {} }, 'option "workerForkOptions" of BullMQ does not exist here'],
  ])('has the options %o', (given, message) => {
    const create = (): unknown =>
      new engine.Worker('threads', fixture('plain.cjs'), { ...opts(), ...(given as object) });
    expect(create).toThrow(message);
  });

  it.each([
    ['no-function.mjs', 'has no function as its default export', {}],
    ['broken.mjs', 'broken at the top', {}],
    ['exits.mjs', 'exited with code: 5', {}],
    ['endless.mjs', 'it has not started within 500 ms (bootTimeoutMs)', {}],
    ['plain.cjs', 'memory', { workerThreadsOptions: { resourceLimits: { maxOldGenerationSizeMb: 1 } } }],
    ['plain.cjs', 'ERR_WORKER_INVALID_EXEC_ARGV', { workerThreadsOptions: { execArgv: ['--no-such'] } }],
    ['plain.cjs', 'nowhere', { workerThreadsOptions: { execArgv: ['--require', '/nowhere.js'] } }],
  ])('%s does not start, and says why: %s', async (file, message, more) => {
    const worker = new engine.Worker('threads', fixture(file), {
      ...opts(),
      useWorkerThreads: { maxThreads: 2, bootTimeoutMs: message.includes('bootTimeoutMs') ? 500 : 10_000 },
      ...more,
    });
    const error = await rejection(worker.run());
    expect(error).toBeInstanceOf(engine.ThreadBootError);
    expect(error).toMatchObject({ code: 'CMQ-027' });
    expect(error.message + String((error.cause as { code?: string } | undefined)?.code)).toContain(message);
    expect(error.message).toContain('queue "threads"');
    await worker.close();
  });

  it('can start later: run() tries again', async () => {
    const worker = new engine.Worker('threads', fixture('broken.mjs'), opts());
    await rejection(worker.run());
    await rejection(worker.run());
    expect(worker.isRunning()).toBe(false);
    await worker.close();
  });
});
