import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readExtras, type Extras } from '../../../lib/engine/codec/extras.js';
import { locateJob } from '../../../lib/engine/codec/read-envelope.js';
import type { Clock, JobsOptions, Queue, Worker, WorkerOptions } from '../../../lib/engine/index.js';
import { SOURCES } from '../../../lib/redis/scripts.generated.js';
import { KEYS, Latch, eventually, next, rejection, take, useKit } from './kit.js';

const kit = useKit();
const nothing = (): void => undefined;

/** A worker with one handler that knows it to be fast, and fetches ahead of it. A job named `busy` holds the handler. */
async function busyWorker(queue: Queue): Promise<{ worker: Worker; latch: Latch }> {
  const latch = new Latch();
  const worker = kit.worker((job) => (job.name === 'busy' ? latch.opened : undefined), { concurrency: 1 });
  const fast = take(worker, 'completed', 200);
  await queue.addBulk(Array.from({ length: 200 }, () => ({ name: 'fast', data: 1 })));
  await fast;
  return { worker, latch };
}

/** The extras of the only entry. */
async function extrasOf(stream = KEYS.stream): Promise<unknown> {
  const [[, values]] = (await kit.client.xrangeBuffer(stream, '-', '+')) as [[Buffer, Buffer[]]];
  const d = values[values.findIndex((value) => value.toString() === 'd') + 1]!;
  return readExtras(d, locateJob(d).jobTo);
}

describe('a job that has been ready for longer than its ttlMs', () => {
  test('becomes a dead letter, and no handler sees it', async () => {
    const job = await kit.queue().add('a', { x: 1 }, { ttlMs: 5, jobId: 'mine' });
    await delay(20);
    const events = await kit.events();
    const [dead, active, failures] = [next(events, 'dlq'), [] as unknown[], [] as unknown[]];
    events.on('active', (event) => active.push(event));
    events.on('failed', (event) => failures.push(event));
    const ran: unknown[] = [];
    const worker = kit.worker((run) => void ran.push(run));
    const failed = next(worker, 'failed');
    const letter = next(worker, 'deadLettered');
    expect((await dead)[0]).toMatchObject({ jobId: 'mine', reason: 'expired', attempt: 0 });
    const [ended, error] = await failed;
    expect(ended).toMatchObject({ id: job.id, deadLetterReason: 'expired' });
    expect(error.message).toMatch(
      /^It did not start within its ttlMs of 5 ms: it has been ready to run for \d+ ms\.$/,
    );
    expect((await letter)[0]).toMatchObject({ jobId: 'mine', reason: 'expired', attempts: 0 });
    const [stored] = await kit.queue().peekDlq(1);
    expect(stored).toMatchObject({ reason: 'expired', attempts: 0, detail: error.message, data: { x: 1 } });
    expect([ran, active, failures]).toEqual([[], [], []]);
  });

  test('is dropped on request, with an event', async () => {
    const queue = kit.queue();
    await queue.add('a', 1, { ttlMs: 5, expired: 'drop', jobId: 'mine', dedupTtlMs: 60_000 });
    await delay(20);
    const events = await kit.events();
    const failed = next(events, 'failed');
    const drained = next(events, 'drained');
    const worker = kit.worker(nothing);
    const [ended, error] = await next(worker, 'failed');
    expect((await failed)[0]).toEqual({
      jobId: 'mine',
      name: 'a',
      ts: expect.any(Number) as number,
      failedReason: 'expired',
      attempt: 0,
      durationUs: 0,
      expired: true,
    });
    await drained;
    expect(ended).toMatchObject({ failedReason: 'expired', deadLetterReason: undefined });
    expect(error.message).toContain('ttlMs of 5 ms');
    expect(await kit.client.xlen(KEYS.stream)).toBe(0);
    expect(await kit.client.exists(KEYS.dlq)).toBe(0);
    // The id is free at once: the job did nothing.
    expect((await queue.add('a', 1, { jobId: 'mine' })).duplicate).toBe(false);
  });

  test.each<[string, JobsOptions]>([
    ['a dead letter', {}],
    ['dropped', { expired: 'drop' }],
  ])('that is %s ends the wait for its result at once, also if the wait begins later', async (_, options) => {
    const queue = kit.queue();
    const job = await queue.add('a', 1, { ttlMs: 1, ...options });
    const waiting = rejection(job.waitForResult());
    await expect.poll(async () => kit.client.exists(`${KEYS.prefix}waiters`)).toBe(1);
    const worker = kit.worker(nothing);
    const error = await waiting;
    expect(error).toMatchObject({ code: 'CMQ-103' });
    expect(error.message).toMatch(/failed for good: expired \(It did not start within its ttlMs of 1 ms: /);
    expect((await rejection(job.waitForResult())).message).toBe(error.message);
    await worker.close();
  });

  test('runs after a replay, which gives it the whole time again', async () => {
    const queue = kit.queue();
    await queue.add('a', 1, { ttlMs: 400 });
    const [[entry]] = (await kit.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    await delay(410);
    const worker = kit.worker(nothing);
    const [letter] = await next(worker, 'deadLettered');
    expect(letter).toMatchObject({ entryId: entry, reason: 'expired' });
    const completed = next(worker, 'completed');
    expect(await queue.replayDlq(10)).toBe(1);
    await completed;
  });

  test('that was put back before is replayed without a trace of it', async () => {
    const queue = kit.queue();
    await queue.add('a', 1, { ttlMs: 5_000 });
    const latch = new Latch();
    const first = kit.worker(() => latch.opened);
    await next(first, 'active');
    await first.close(true);
    expect(await extrasOf()).toEqual({ ttlMs: 5_000, ready: 'started' });
    const second = kit.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 1 },
    );
    await next(second, 'deadLettered');
    await second.close();
    await queue.replayDlq(1);
    expect(await extrasOf()).toEqual({ ttlMs: 5_000 });
  });
});

describe('the time to live', () => {
  test('does not count while the job is delayed', async () => {
    const worker = kit.worker(nothing);
    const completed = next(worker, 'completed');
    await kit.queue().add('a', 1, { ttlMs: 1_000, delay: 1_100 });
    await completed;
  });

  test('ends with the first start: retries have no limit', async () => {
    const attempts: number[] = [];
    const worker = kit.worker(
      (job) => {
        attempts.push(job.attemptsMade);
        if (job.attemptsMade < 3) throw new Error('x');
      },
      { retry: { initialBackoffMs: 250, multiplier: 1, jitterMs: 0 } },
    );
    await kit.queue().add('a', 1, { ttlMs: 300 });
    await next(worker, 'completed');
    expect(attempts).toEqual([1, 2, 3]);
  });

  test('ends with the first start, also if the worker dies then', async () => {
    await kit.queue().add('a', 1, { ttlMs: 100 });
    // Another worker has fetched it, and is dead.
    await kit.client.xgroup('CREATE', KEYS.stream, 'default', '0');
    await kit.client.xreadgroup('GROUP', 'default', 'dead-1;lease=30', 'STREAMS', KEYS.stream, '>');
    await delay(150);
    const worker = kit.worker(nothing, { claimMinIdleMs: 60 });
    const [job] = await next(worker, 'completed');
    expect(job.attemptsMade).toBe(2);
  });

  test.each([-3_600_000, 3_600_000])(
    "counts by Redis's clock: those of producer and worker are off by %i ms",
    async (off) => {
      const clock: Clock = { now: () => Date.now() + off, monotonic: () => performance.now() + off };
      const queue = kit.queue();
      await queue.add('fine', 1, { ttlMs: 5_000, timestamp: Date.now() + off });
      await queue.add('late', 1, { ttlMs: 5, timestamp: Date.now() + off });
      await delay(20);
      const worker = kit.worker(nothing, { clock });
      const [[completed], [dead]] = await Promise.all([
        next(worker, 'completed'),
        next(worker, 'deadLettered'),
      ]);
      expect([completed.name, dead.name, dead.reason]).toEqual(['fine', 'late', 'expired']);
    },
  );

  test('does not start anew for a job that a worker fetched and puts back as it closes', async () => {
    const queue = kit.queue();
    const { worker, latch } = await busyWorker(queue);
    await queue.addBulk([
      { name: 'busy', data: 1 },
      { name: 'second', data: 1, opts: { ttlMs: 60_000 } },
    ]);
    const [, [entry]] = (await kit.client.xrange(KEYS.stream, '-', '+')) as [unknown, [string, string[]]];
    await eventually(async () => {
      expect((await kit.client.xpending(KEYS.stream, 'default'))[0]).toBe(2);
    });
    const closed = worker.close();
    await eventually(async () => {
      const [, [moved]] = (await kit.client.xrange(KEYS.stream, '-', '+')) as [unknown, [string, string[]]];
      expect(moved).not.toBe(entry);
    });
    latch.open();
    await closed;
    expect(await extrasOf()).toEqual({ ttlMs: 60_000, ready: Number(entry.split('-')[0]) });
    // And once more: the first time counts.
    const again = kit.worker(() => undefined, { accepts: () => false });
    await eventually(async () => expect(await kit.client.zcard(KEYS.delayed)).toBe(1));
    await again.close();
    const [member] = (await kit.client.zrangeBuffer(KEYS.delayed, '0', '-1')) as [Buffer];
    const job = member.subarray(4 + member.readUInt32LE(0));
    expect(readExtras(job, locateJob(job).jobTo)).toEqual({
      ttlMs: 60_000,
      ready: Number(entry.split('-')[0]),
    });
  });

  test.each<[JobsOptions]>([
    [{ ttlMs: 60_000 }],
    [{ ttlMs: 60_000, jobId: 'own', attempts: 3, backoff: { type: 'fixed', delay: 5 } }],
    [{}],
  ])('does not start anew for a job whose data are replaced while it waits: %j', async (options) => {
    const queue = kit.queue({ trackJobs: options.jobId !== undefined });
    const job = await queue.add('a', 1, options);
    const [[entry]] = (await kit.client.xrange(KEYS.stream, '-', '+')) as unknown as [[string]];
    const before = (await extrasOf()) as Extras | undefined;
    const ready = Number(entry.split('-')[0]);
    for (const data of ['x'.repeat(300), 2]) {
      await delay(5);
      await job.updateData(data);
      expect(await extrasOf()).toEqual({ ...before, ready });
    }
    const worker = kit.worker(nothing);
    const [done] = await next(worker, 'completed');
    expect(done).toMatchObject({ id: job.id, data: 2 });
    if (options.jobId === undefined) return;
    // A retry of a kept job has the whole time again.
    await worker.close();
    await job.retry('completed');
    const again = ((await extrasOf()) as Extras | undefined)?.ready;
    expect(again).toBeGreaterThan(ready);
  });

  test.each<[string, JobsOptions, Partial<WorkerOptions>]>([
    ['of the job', { ttlMs: 300 }, {}],
    ['of its name', {}, { limitsOf: () => ({ ttlMs: 300 }) }],
    ['of the worker', {}, { ttlMs: 300 }],
  ])('%s does not start anew for a job that no worker accepts for a while', async (_, options, settings) => {
    await kit.queue().add('a', 1, options);
    const refusing = kit.worker(nothing, { accepts: () => false, ...settings });
    const dead = next(refusing, 'deadLettered');
    expect((await dead)[0]).toMatchObject({ reason: 'expired' });
  });

  test("applies to jobs of the worker that were added without it, and a job's own limit comes first", async () => {
    const queue = kit.queue();
    await queue.add('plain', 1);
    await queue.add('named', 1);
    await queue.add('own', 1, { ttlMs: 60_000 });
    await queue.add('none', 1, { ttlMs: Infinity });
    await delay(20);
    const limitsOf = (name: string): object | undefined =>
      name === 'named' ? { expired: 'drop' as const } : undefined;
    const worker = kit.worker(nothing, { ttlMs: 5, limitsOf });
    const [completed, failed] = await Promise.all([take(worker, 'completed', 2), take(worker, 'failed', 2)]);
    expect((completed as { name: string }[]).map(({ name }) => name).sort()).toEqual(['none', 'own']);
    expect((failed as { name: string }[]).map(({ name }) => name).sort()).toEqual(['named', 'plain']);
    expect((await queue.peekDlq(9)).map(({ name }) => name)).toEqual(['plain']);
  });

  test('is checked for many jobs with one look at the clock', async () => {
    const queue = kit.queue();
    await queue.addBulk(
      Array.from({ length: 300 }, (_, i) => ({ name: 'a', data: i, opts: { ttlMs: i % 2 ? 1 : 60_000 } })),
    );
    await delay(10);
    const before = await callsOf('TIME');
    const worker = kit.worker(nothing);
    await Promise.all([take(worker, 'completed', 150), take(worker, 'deadLettered', 150)]);
    expect(await callsOf('TIME')).toBeLessThan(before + 100);
    expect(await kit.client.xlen(KEYS.stream)).toBe(0);
  });

  test('and a cancellation: the job ends as cancelled', async () => {
    const queue = kit.queue();
    const { worker, latch } = await busyWorker(queue);
    const [, job] = await queue.addBulk([
      { name: 'busy', data: 1 },
      { name: 'second', data: 1, opts: { ttlMs: 1, expired: 'drop' } },
    ]);
    await eventually(async () => {
      expect((await kit.client.xpending(KEYS.stream, 'default'))[0]).toBe(2);
    });
    const failed = next(worker, 'failed');
    await queue.cancel(job!.id);
    expect((await failed)[1]).toMatchObject({ code: 'CMQ-012' });
    latch.open();
  });

  test('costs a job without it no call', async () => {
    await kit.client.script('FLUSH');
    const worker = kit.worker(nothing);
    const completed = take(worker, 'completed', 50);
    await kit.queue().addBulk(Array.from({ length: 50 }, (_, i) => ({ name: 'a', data: i })));
    await completed;
    const sha = createHash('sha1').update(SOURCES['read-clock'].lua).digest('hex');
    expect(await kit.client.script('EXISTS', sha)).toEqual([0]);
    await kit.queue().add('a', 1, { ttlMs: 60_000 });
    await next(worker, 'completed');
    expect(await kit.client.script('EXISTS', sha)).toEqual([1]);
  });
});

async function callsOf(command: string): Promise<number> {
  const stats = await kit.client.info('commandstats');
  return Number(new RegExp(`cmdstat_${command.toLowerCase()}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
