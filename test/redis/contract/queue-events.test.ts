import { describe, expect, test } from 'vitest';
import { QueueEvents, UnrecoverableError } from '../../../lib/engine/index.js';
import type { QueueEventsMap } from '../../../lib/engine/index.js';
import { KEYS, NAME, eventually, next, take, useKit } from './kit.js';

const redis = useKit();

const ALL = [
  'waiting',
  'active',
  'completed',
  'failed',
  'retry-scheduled',
  'delayed',
  'dlq',
  'retries-exhausted',
  'drained',
  'unknown',
] as const satisfies (keyof QueueEventsMap)[];

/** Notes every event with its arguments. */
function note(events: QueueEvents): unknown[][] {
  const told: unknown[][] = [];
  for (const event of ALL) events.on(event, (...args: unknown[]) => told.push([event, ...args]));
  return told;
}

const eventId = expect.stringMatching(/^\d+-\d+$/) as string;
const ts = expect.any(Number) as number;

describe('the events', () => {
  test('of a job that is delayed, fails, and completes, with their arguments', async () => {
    const events = await redis.events();
    const told = note(events);
    redis.worker(
      (job) => {
        if (job.attemptsMade === 1) throw new Error('SMTP is down');
        return { delivered: true };
      },
      { storeResults: true, retry: { initialBackoffMs: 3, jitterMs: 0 } },
    );
    const drained = next(events, 'drained');
    const { id: jobId } = await redis.queue().add('send', 1, { delay: 2 });
    await drained;
    const base = { jobId, name: 'send', ts };
    const durationUs = expect.any(Number) as number;
    expect(told).toEqual([
      ['delayed', { ...base, delay: 2 }, eventId],
      ['waiting', base, eventId],
      ['active', { ...base, prev: '', attempt: 1 }, eventId],
      ['failed', { ...base, failedReason: 'SMTP is down', attempt: 1, durationUs }, eventId],
      ['retry-scheduled', { ...base, attempt: 2, backoffMs: 3 }, eventId],
      ['waiting', base, eventId],
      ['active', { ...base, prev: '', attempt: 2 }, eventId],
      ['completed', { ...base, attempt: 2, durationUs, returnvalue: { delivered: true } }, eventId],
      ['drained', eventId],
    ]);
  });

  test('of a dead letter: dlq, and retries-exhausted as its other name', async () => {
    const events = await redis.events();
    const told = note(events);
    redis.worker(() => {
      throw new UnrecoverableError('no');
    });
    const drained = next(events, 'drained');
    const { id: jobId } = await redis.queue().add('send', 1);
    await drained;
    const base = { jobId, name: 'send', ts };
    expect(told.slice(-3)).toEqual([
      ['dlq', { ...base, reason: 'unrecoverable', attempt: 1 }, eventId],
      ['retries-exhausted', { ...base, reason: 'unrecoverable', attemptsMade: 1 }, eventId],
      ['drained', eventId],
    ]);
    expect(told.filter(([event]) => event === 'failed').length).toBe(1);
  });

  test('of unknown names are emitted as unknown, with their fields', async () => {
    const events = await redis.events();
    const unknown = next(events, 'unknown');
    const id = await redis.client.xadd(KEYS.events, '*', 'e', 'sung', 'by', 'ops', '__proto__', 'x');
    const [event, at] = await unknown;
    expect(at).toBe(id);
    expect(event.eventName).toBe('sung');
    expect(Object.entries(event.fields)).toEqual([
      ['e', 'sung'],
      ['by', 'ops'],
      ['__proto__', 'x'],
    ]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test('that are malformed do not stop the others', async () => {
    const events = await redis.events();
    const unknown = next(events, 'unknown');
    const waiting = next(events, 'waiting');
    await redis.client.xadd(KEYS.events, '*', 'x', 'y');
    await redis.client.xadd(KEYS.events, '*', 'e', 'waiting');
    expect((await unknown)[0]).toMatchObject({ eventName: '' });
    expect((await waiting)[0]).toEqual({ jobId: '', name: '', ts: 0 });
  });

  test('do not carry a return value that is large, or that JSON cannot hold', async () => {
    const events = await redis.events();
    const completed = take(events, 'completed', 2);
    redis.worker((job) => (job.name === 'big' ? 'x'.repeat(10_000) : 2n ** 60n), {
      storeResults: true,
      concurrency: 1,
    });
    await redis.queue().addBulk([
      { name: 'big', data: 1 },
      { name: 'bigint', data: 1 },
    ]);
    expect((await completed).map(({ returnvalue }) => returnvalue)).toEqual([undefined, undefined]);
  });
});

describe('where it starts', () => {
  test('at the newest event by default', async () => {
    await redis.queue().add('before', 1);
    const events = await redis.events();
    const waiting = next(events, 'waiting');
    await redis.queue().add('after', 1);
    expect((await waiting)[0].name).toBe('after');
  });

  test('from the beginning, with "0"; from an event, with its id', async () => {
    const queue = redis.queue();
    for (const name of ['a', 'b', 'c']) await queue.add(name, 1);
    const all = redis.events({ lastEventId: '0', autorun: false });
    all.catch(() => undefined);
    const told: [string, string][] = [];
    const events = new QueueEvents(NAME, { connection: redis.connection, lastEventId: '0' });
    events.on('waiting', ({ name }, id) => told.push([name, id]));
    await take(events, 'waiting', 3);
    await events.close();
    expect(told.map(([name]) => name)).toEqual(['a', 'b', 'c']);
    const rest = new QueueEvents(NAME, { connection: redis.connection, lastEventId: told[0]![1] });
    const two = await take(rest, 'waiting', 2);
    await rest.close();
    expect(two.map(({ name }) => name)).toEqual(['b', 'c']);
  });
});

describe('life', () => {
  test('with autorun: false it waits for run()', async () => {
    const events = new QueueEvents(NAME, { connection: redis.connection, autorun: false });
    const running = events.run();
    expect(events.run()).toBe(running);
    await events.waitUntilReady();
    const waiting = next(events, 'waiting');
    await redis.queue().add('a', 1);
    await waiting;
    await events.close();
    await running;
  });

  test('close is shared, resolves at once, and leaves no connection', async () => {
    const events = await redis.events({ blockingTimeout: 60_000 });
    await redis.queue().add('a', 1);
    const begun = performance.now();
    const closing = events.close();
    expect(events.close()).toBe(closing);
    await closing;
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test('closed before it has started, and while it starts', async () => {
    for (let round = 0; round < 9; round++) {
      const events = new QueueEvents(NAME, { connection: redis.connection });
      events.on('error', (error) => redis.errors.push(error));
      if (round % 3 === 1) await Promise.resolve();
      if (round % 3 === 2) await new Promise((resolve) => setTimeout(resolve, round));
      await events.close();
      await events.waitUntilReady().catch(() => undefined);
    }
  });

  test('await using closes it', async () => {
    await using events = new QueueEvents(NAME, { connection: redis.connection });
    await events.waitUntilReady();
  });

  test('continues where it was after its connection was cut', async () => {
    const events = await redis.events({ blockingTimeout: 500 });
    const told: unknown[] = [];
    events.on('waiting', ({ name }) => told.push(name));
    const queue = redis.queue();
    const first = next(events, 'waiting');
    await queue.add('a', 1);
    await first;
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const two = take(events, 'waiting', 2);
    await queue.add('b', 1);
    await queue.add('c', 1);
    await two;
    expect(told).toEqual(['a', 'b', 'c']);
    redis.errors.length = 0;
  });

  test('continues when the events are deleted', async () => {
    const events = await redis.events({ blockingTimeout: 100 });
    const queue = redis.queue();
    const first = next(events, 'waiting');
    await queue.add('a', 1);
    await first;
    await redis.client.del(KEYS.events);
    // Ids of the new stream begin anew, in the ms in which it is made.
    const [, last] = await first;
    await eventually(async () => {
      const [seconds, micros] = await redis.client.time();
      expect(Number(seconds) * 1000 + Number(micros) / 1000).toBeGreaterThan(parseInt(last, 10) + 1);
    });
    const second = next(events, 'waiting');
    await queue.add('b', 1);
    expect((await second)[0].name).toBe('b');
  });

  test('a listener that throws is reported, and the others are called', async () => {
    const events = await redis.events();
    events.on('waiting', () => {
      throw new Error('listener');
    });
    const two = take(events, 'delayed', 1);
    const queue = redis.queue();
    await queue.add('a', 1);
    await queue.add('b', 1, { delay: 60_000 });
    await two;
    expect(redis.errors.map(({ message }) => message)).toEqual(['listener']);
    redis.errors.length = 0;
  });
});
