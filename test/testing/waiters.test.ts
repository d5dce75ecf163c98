import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import {
  Queue,
  QueueEvents,
  UnrecoverableError,
  Worker,
  type WorkerOptions,
} from '../../lib/engine/index.js';
import type { CompletedEvent } from '../../lib/engine/index.js';
import { RecordingSink, TestRedis, drain, recordEvents, waitForJob } from '../../lib/testing/index.js';

// Written as a user writes a suite: with nothing of this repository but what it exports.
const redis = new TestRedis();
let queue: Queue<number>;
const open: { close(): Promise<void> }[] = [];

beforeAll(() => redis.start());
beforeEach(async () => {
  await redis.flush();
  queue = new Queue<number>('mail', { connection: redis.connection });
  open.push(queue);
});
afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close();
  await redis.expectNoConnections();
});
afterAll(() => redis.stop());

function work(
  handler: (data: number, attempt: number) => unknown,
  options: Partial<WorkerOptions> = {},
): Worker {
  const worker = new Worker<number>('mail', async (job) => handler(job.data, job.attemptsMade), {
    connection: redis.connection,
    retry: { initialBackoffMs: 20, jitterMs: 0 },
    ...options,
  });
  open.push(worker);
  return worker;
}

describe('drain', () => {
  it('resolves at once where there is nothing to do', async () => {
    await drain(queue);
  });

  it('waits for what waits, runs, and is due', async () => {
    const done: number[] = [];
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'send', data })));
    await queue.add('send', 4, { delay: 1 });
    work((data) => done.push(data), { concurrency: 1 });
    await drain(queue, { delayed: 'all' });
    expect(done.sort()).toEqual([1, 2, 3, 4]);
  });

  it('waits for retries and other delayed jobs when asked to', async () => {
    const attempts: number[] = [];
    work((_data, attempt) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error('not yet');
    });
    await queue.add('send', 1, { attempts: 3 });
    await drain(queue, { delayed: 'all' });
    expect(attempts).toEqual([1, 2, 3]);
    await queue.add('send', 2, { delay: 60_000 });
    await drain(queue);
  });

  it('needs no events', async () => {
    const quiet = new Queue<number>('quiet', { connection: redis.connection, eventsEnabled: false });
    open.push(quiet);
    await quiet.add('send', 1);
    open.push(new Worker('quiet', async () => {}, { connection: redis.connection, eventsEnabled: false }));
    await drain(quiet);
  });

  it('says what is left if no worker runs', async () => {
    await queue.add('send', 1);
    await queue.add('send', 2, { delay: 60_000 });
    await expect(drain(queue, { timeoutMs: 60 })).rejects.toThrow(
      'Queue "mail" was not drained within 60 ms: 1 waiting, 0 active, 1 delayed, 0 of them due. Check that a worker',
    );
  });
});

describe('waitForJob', () => {
  it('resolves with the event, be it to come or long ago', async () => {
    const job = await queue.add('send', 7);
    const coming = waitForJob(queue, job.id, 'completed');
    work((data) => data * 2, { storeResults: true });
    const event = await coming;
    expectTypeOf(event).toEqualTypeOf<CompletedEvent>();
    expect(event).toMatchObject({ jobId: job.id, name: 'send', attempt: 1, returnvalue: 14 });
    expect(await waitForJob(queue, job.id, 'completed')).toEqual(event);
    expect(await waitForJob(queue, job.id, 'waiting')).toMatchObject({ jobId: job.id });
  });

  it('finds a job by what its event is like', async () => {
    work((_data, attempt) => {
      throw attempt === 1 ? new Error('first') : new UnrecoverableError('second');
    });
    const { id } = await queue.add('send', 1, { attempts: 5 });
    expect(await waitForJob(queue, ({ attempt }) => attempt === 2, 'failed')).toMatchObject({
      jobId: id,
      failedReason: expect.stringContaining('second') as string,
    });
    expect(await waitForJob(queue, id, 'dlq')).toMatchObject({ reason: 'unrecoverable' });
  });

  it('the error lists the events of the job', async () => {
    const sink = new RecordingSink();
    work(
      () => {
        throw new UnrecoverableError('never');
      },
      { metrics: sink },
    );
    const { id } = await queue.add('send', 1);
    await sink.waitFor('dlqRouted');
    await expect(waitForJob(queue, id, 'completed', { timeoutMs: 100 })).rejects.toThrow(
      new RegExp(
        `Job ${id} of queue "mail" was not "completed" within 100 ms.*waiting.*dlq of ${id} \\(attempt 1: unrecoverable\\)`,
      ),
    );
    await expect(waitForJob(queue, 'nobody', 'completed', { timeoutMs: 20 })).rejects.toThrow(
      'Its events so far: none.',
    );
  });
});

describe('recordEvents', () => {
  it('keeps what happens, in order and typed', async () => {
    await queue.add('send', 0);
    const events = await recordEvents(queue);
    open.push(events);
    const { id } = await queue.add('send', 1);
    work(() => 'done', { storeResults: true });
    await events.waitFor('completed', ({ jobId }) => jobId === id);
    expect(events.namesOf(id)).toEqual(['waiting', 'active', 'completed']);
    expect(events.of('waiting').map(({ jobId }) => jobId)).toEqual([id]);
    expect(events.of('completed').map(({ returnvalue }) => returnvalue)).toEqual(['done', 'done']);
    await events.waitFor('drained');
    events.clear();
    expect(events.all).toEqual([]);
  });

  it('can start with all events that Redis keeps', async () => {
    const { id } = await queue.add('send', 0, { delay: 60_000 });
    const events = await recordEvents(queue, { lastEventId: '0' });
    open.push(events);
    expect(await events.waitFor('delayed')).toMatchObject({ jobId: id, delay: 60_000 });
  });

  it('listens on events that it was given, and leaves them open', async () => {
    const given = new QueueEvents('mail', { connection: redis.connection });
    open.push(given);
    const events = await recordEvents(given);
    await queue.add('send', 1);
    await events.waitFor('waiting');
    await events.close();
    const waiting = once(given, 'waiting');
    await queue.add('send', 2);
    await waiting;
    expect(events.of('waiting')).toHaveLength(1);
    expect(given.listenerCount('completed')).toBe(0);
  });

  it('the error lists the recorded events', async () => {
    const events = await recordEvents(queue);
    open.push(events);
    const { id } = await queue.add('send', 1);
    await events.waitFor('waiting');
    await expect(events.waitFor('dlq', undefined, { timeoutMs: 20 })).rejects.toThrow(
      `No matching "dlq" event of queue "mail" within 20 ms. Events so far: waiting of ${id}.`,
    );
  });
});

describe('RecordingSink', () => {
  it('records the calls of a worker', async () => {
    const sink = new RecordingSink();
    work(
      (data) => {
        if (data === 2) throw new Error('no');
      },
      { metrics: sink },
    );
    await queue.add('good', 1);
    await queue.add('bad', 2, { attempts: 1 });
    await sink.waitFor('dlqRouted');
    await sink.waitFor('jobOutcome', ({ kind }) => kind === 'ok');
    expect(sink.of('dlqRouted')).toEqual([{ reason: 'retries_exhausted', attempt: 1, name: 'bad' }]);
    expect(sink.of('jobOutcome').map(({ kind, name }) => [kind, name])).toEqual(
      expect.arrayContaining([
        ['ok', 'good'],
        ['err', 'bad'],
      ]),
    );
    sink.clear();
    expect(sink.all).toEqual([]);
    await expect(sink.waitFor('leaseLost', undefined, { timeoutMs: 20 })).rejects.toThrow(
      /No matching "leaseLost" within 20 ms/,
    );
  });
});
