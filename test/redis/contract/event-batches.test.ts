import { describe, expect, test } from 'vitest';
import type { QueueEvents, QueueEventsMap, QueueOptions, WorkerOptions } from '../../../lib/engine/index.js';
import { QueueFullError } from '../../../lib/engine/index.js';
import { eventEntries, eventsIn } from '../../support/events.js';
import { KEYS, next, take, useKit } from './kit.js';

/*
 * Events of many jobs share an entry of the stream. Nobody who listens should notice.
 */

const redis = useKit();

const EVENTS = ['waiting', 'delayed', 'active', 'completed', 'failed', 'retry-scheduled', 'dlq'] as const;

const jobs = (count: number, name = 'send'): { name: string; data: number }[] =>
  Array.from({ length: count }, (_, data) => ({ name, data }));

/** By job, what is told of it, in its order: without what no two runs share. */
function listen(events: QueueEvents): Map<string, unknown[]> {
  const told = new Map<string, unknown[]>();
  for (const event of EVENTS) {
    events.on(event, ((given: Record<string, unknown>) => {
      const { jobId, ts, durationUs, ...said } = given;
      expect(ts).toBeGreaterThan(1_700_000_000_000);
      if (event === 'completed' || event === 'failed') expect(durationUs).toBeGreaterThanOrEqual(0);
      const id = jobId as string;
      told.set(id, [...(told.get(id) ?? []), [event, said]]);
    }) as never);
  }
  return told;
}

/** Some complete with a result, some without, some fail first, some are delayed; names differ, ids too. */
async function work(options: Partial<QueueOptions & WorkerOptions>): Promise<Map<string, unknown[]>> {
  const { eventsBatched } = options as { eventsBatched: boolean };
  const events = await redis.events();
  const told = listen(events);
  const queue = redis.queue({ eventsBatched });
  await queue.addBulk([
    ...Array.from({ length: 60 }, (_, data) => ({
      name: data % 5 === 0 ? 'other' : 'send',
      data,
      opts: { jobId: `"job" \\ ${String(data)} é 漢` },
    })),
    ...Array.from({ length: 60 }, (_, at) => ({
      name: '',
      data: 60 + at,
      opts: { jobId: `j${String(at)}` },
    })),
  ]);
  await queue.addBulk(
    Array.from({ length: 40 }, (_, at) => ({
      name: 'later',
      data: 120 + at,
      opts: { jobId: `later ${String(at)}`, delay: 30 + at },
    })),
  );
  const done = take(events, 'completed', 160);
  const worker = redis.worker(
    ({ data, attemptsMade }) => {
      const number = data as number;
      if (number % 3 === 0 && attemptsMade === 1) throw new Error(`no: "${String(number)}" \ud800 \u0000 ü`);
      return number % 7 === 0 ? { number, text: 'ä"\n', list: [], none: {} } : undefined;
    },
    { ...options, storeResults: true, retry: { initialBackoffMs: 5, jitterMs: 0, multiplier: 1 } },
  );
  await done;
  await worker.close();
  await events.close();
  return told;
}

describe('a batch of events', () => {
  test('emits for each job the same as entries of its own', async () => {
    const single = await work({ eventsBatched: false });
    const entries = await eventEntries(redis.client, KEYS.events);
    expect(entries.filter(({ e }) => e === 'batch')).toEqual([]);
    await redis.client.flushall();
    const batched = await work({ eventsBatched: true });
    const kinds = (await eventEntries(redis.client, KEYS.events)).filter(({ e }) => e === 'batch');
    expect(new Set(kinds.map(({ of }) => of))).toEqual(
      new Set(['waiting', 'delayed', 'active,completed', 'active,failed,retry-scheduled']),
    );
    expect(single.size).toBe(160);
    expect(Object.fromEntries(batched)).toEqual(Object.fromEntries(single));
  });

  test('is one entry, in ASCII if its values are, and repeats nothing', async () => {
    await redis.queue().addBulk(jobs(40));
    const [entry, ...others] = await eventEntries(redis.client, KEYS.events);
    expect(others).toEqual([]);
    const { ids = '', ...rest } = entry!;
    const ts = expect.stringMatching(/^\d{13}$/) as string;
    expect(rest).toEqual({ e: 'batch', of: 'waiting', ts, jobs: '40', n: 'send' });
    expect((JSON.parse(ids) as string[]).length).toBe(40);
  });

  test('is not used for fewer than 16 jobs', async () => {
    await redis.queue().addBulk(jobs(15));
    const entries = await eventEntries(redis.client, KEYS.events);
    expect(entries.map(({ e }) => e)).toEqual(Array<string>(15).fill('waiting'));
    await redis.queue().addBulk(jobs(16));
    expect((await eventEntries(redis.client, KEYS.events)).length).toBe(16);
  });

  test('is used for starts, too, if jobs run for a while', async () => {
    const events = await redis.events();
    const active = take(events, 'active', 30);
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    redis.worker(() => gate, { concurrency: 30 });
    await redis.queue().addBulk(jobs(30));
    const told = await active;
    expect(told.every(({ attempt, prev, name }) => attempt === 1 && prev === '' && name === 'send')).toBe(
      true,
    );
    const done = take(events, 'completed', 30);
    open();
    await done;
    const all = await eventsIn(redis.client, KEYS.events);
    expect(all.filter(({ e }) => e === 'active').length).toBe(30);
  });

  test('leaves out jobs that were not added', async () => {
    const queue = redis.queue({ maxStreamLen: 60 });
    const unique = Array.from({ length: 40 }, (_, data) => ({
      name: 'a',
      data,
      opts: { jobId: `id ${String(data % 30)}` },
    }));
    await queue.addBulk(unique);
    const waiting = (await eventsIn(redis.client, KEYS.events)).filter(({ e }) => e === 'waiting');
    expect(waiting.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, at) => `id ${String(at)}`));
    // Two groups of one call: the second finds no room.
    const [kept, refused] = await Promise.allSettled([queue.addBulk(jobs(20)), queue.addBulk(jobs(20))]);
    expect(kept.status).toBe('fulfilled');
    expect((refused as PromiseRejectedResult).reason).toBeInstanceOf(QueueFullError);
    const all = (await eventsIn(redis.client, KEYS.events)).filter(({ e }) => e === 'waiting');
    expect(all.length).toBe(50);
    const added = (kept as PromiseFulfilledResult<{ id: string }[]>).value.map(({ id }) => id);
    expect(all.slice(30).map(({ id }) => id)).toEqual(added);
  });

  test('gives each event an id from which a reader can continue', async () => {
    const queue = redis.queue();
    await queue.addBulk(jobs(3));
    await queue.addBulk(jobs(20));
    await queue.addBulk(jobs(2));
    const told: { jobId: string; id: string }[] = [];
    const all = await redis.events({ lastEventId: '0' });
    const everything = take(all, 'waiting', 25);
    all.on('waiting', ({ jobId }, id) => told.push({ jobId, id }));
    await everything;
    expect(new Set(told.map(({ id }) => id)).size).toBe(25);
    expect(told.slice(3, 23).every(({ id }) => /^\d+-\d+:\d+$/.test(id))).toBe(true);
    expect(told.filter(({ id }) => /^\d+-\d+$/.test(id)).length).toBe(5);
    for (const last of [0, 2, 3, 12, 21, 22, 23]) {
      const events = await redis.events({ lastEventId: told[last]!.id });
      const heard = await take(events, 'waiting', 24 - last);
      expect(heard.map(({ jobId }) => jobId)).toEqual(told.slice(last + 1).map(({ jobId }) => jobId));
      await events.close();
    }
  });

  test.each(['5-', '5-1:', '5:1', ':1', '5-1:1:1', '-1'])(
    '%s is no id to go on from',
    async (lastEventId) => {
      await expect(redis.events({ lastEventId })).rejects.toMatchObject({ code: 'CMQ-004' });
    },
  );

  test('counts as many events when the stream is trimmed', async () => {
    const queue = redis.queue({ eventsMaxStreamLen: 1_000 });
    for (let i = 0; i < 60; i++) await queue.addBulk(jobs(100));
    const kept = await eventsIn(redis.client, KEYS.events);
    expect(kept.length).toBeGreaterThanOrEqual(1_000);
    expect(kept.length).toBeLessThan(2_000);
    // The newest are those that are kept.
    const last = await queue.add('last', 1);
    expect((await eventsIn(redis.client, KEYS.events)).at(-1)?.id).toBe(last.id);
    // What counts them stays small.
    expect(await redis.client.zcard(`${KEYS.prefix}events:batches`)).toBeLessThan(30);
  });

  test('counts so beside single events as well', async () => {
    const queue = redis.queue({ eventsMaxStreamLen: 500 });
    for (let i = 0; i < 40; i++) {
      await queue.addBulk(jobs(50));
      for (let k = 0; k < 30; k++) await queue.add('one', k);
    }
    const kept = await eventsIn(redis.client, KEYS.events);
    expect(kept.length).toBeGreaterThanOrEqual(500);
    expect(kept.length).toBeLessThan(2_000);
  });

  test('that is malformed stops nothing', async () => {
    const events = await redis.events();
    const problems: Error[] = [];
    events.removeAllListeners('error');
    events.on('error', (error) => problems.push(error));
    const add = (...fields: string[]) => redis.client.xadd(KEYS.events, '*', 'e', 'batch', ...fields);
    const told: string[] = [];
    events.on('waiting', ({ jobId }) => told.push(jobId));
    const unknown = next(events, 'unknown');
    await add('of', 'waiting', 'ts', '1', 'ids', '["a",');
    await add('of', 'waiting', 'ts', '1', 'ids', '{"a":1}');
    await add('of', 'sung', 'ts', '1', 'ids', '["a"]', 'by', 'ops');
    await add(
      'of',
      'waiting',
      'ts',
      '1',
      'jobs',
      '1e9',
      'started',
      'x',
      'ids',
      '["b","c"]',
      '__proto__',
      'x',
    );
    await add('of', 'waiting', 'ts', '1', 'ids', '["d",{},null]', 'n', 'x');
    await add();
    await redis.client.xadd(KEYS.events, '*', 'e', 'waiting', 'id', 'last');
    expect((await unknown)[0]).toMatchObject({ eventName: 'sung', fields: { id: 'a', by: 'ops' } });
    await expect.poll(() => told).toEqual(['b', 'c', 'd', '', '', 'last']);
    expect(problems.map(({ name }) => name)).toEqual(['SyntaxError', 'SyntaxError']);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test('is emitted to the end if a listener throws', async () => {
    const events = await redis.events();
    const problems: string[] = [];
    events.removeAllListeners('error');
    events.on('error', ({ message }) => problems.push(message));
    let heard = 0;
    events.on('waiting', () => {
      heard += 1;
      if (heard % 2 === 0) throw new Error('a listener of mine');
    });
    await redis.queue().addBulk(jobs(20));
    await expect.poll(() => heard).toBe(20);
    expect(problems).toEqual(Array<string>(10).fill('a listener of mine'));
  });

  test('of a hundred thousand events lets other work run in between', async () => {
    await redis.queue().addBulk(jobs(100_000));
    const events = await redis.events({ lastEventId: '0' });
    let turns = 0;
    let turnsAtFirst = -1;
    events.once('waiting', () => (turnsAtFirst = turns));
    let turn = setImmediate(function next() {
      turns += 1;
      turn = setImmediate(next);
    });
    const heard: QueueEventsMap['waiting'][0][] = await take(events, 'waiting', 100_000);
    clearImmediate(turn);
    expect(new Set(heard.map(({ jobId }) => jobId)).size).toBe(100_000);
    // All of them come with one read: without turns there would be none in between.
    expect(turns - turnsAtFirst).toBeGreaterThan(1);
  });

  test('that Redis refuses fails no job', async () => {
    await redis.client.set(`${KEYS.prefix}events:batches`, 'not mine');
    const events = await redis.events();
    const done = take(events, 'completed', 100);
    redis.worker(() => undefined);
    await redis.queue().addBulk(jobs(100));
    await done;
  });
});
