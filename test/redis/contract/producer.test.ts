import { afterEach, describe, expect, test } from 'vitest';
import {
  Consumer,
  Producer,
  Promoter,
  RepeatPattern,
  Scheduler,
  decodePayload,
} from '../../../lib/engine/index.js';
import type { AddOptions, ConsumerJob, ProducerConfig } from '../../../lib/engine/index.js';
import { KEYS, NAME, ULID, eventually, next, rejection, take, useKit } from './kit.js';

const redis = useKit();

let open: { close: () => Promise<unknown> }[] = [];
let stopping: AbortController[] = [];
let running: Promise<void>[] = [];

afterEach(async () => {
  for (const controller of stopping) controller.abort();
  await Promise.all([...running, ...open.map((one) => one.close())]);
  open = [];
  stopping = [];
  running = [];
});

async function connect(config: ProducerConfig = {}): Promise<Producer> {
  const producer = await Producer.connect(redis.connection, { queueName: NAME, ...config });
  open.push(producer);
  return producer;
}

/** Runs until the test has ended. */
function background(service: { run: (signal: AbortSignal) => Promise<void> }): AbortController {
  const controller = new AbortController();
  stopping.push(controller);
  running.push(service.run(controller.signal));
  return controller;
}

/** What a consumer gets, by id. */
function consume(count: number): Promise<Map<string, ConsumerJob<unknown>>> {
  const jobs = new Map<string, ConsumerJob<unknown>>();
  return new Promise((resolve) => {
    background({
      run: (signal) =>
        new Consumer(redis.connection, { queueName: NAME }).run((job) => {
          jobs.set(job.id, job);
          if (jobs.size === count) resolve(jobs);
        }, signal),
    });
  });
}

describe('Producer', () => {
  test('connects by URL or options, and has the keys it writes', async () => {
    const producer = await Producer.connect(redis.url, { queueName: NAME });
    open.push(producer);
    expect([producer.streamKey, producer.delayedKey, producer.dlqKey]).toEqual([
      KEYS.stream,
      KEYS.delayed,
      KEYS.dlq,
    ]);
    expect(producer.producerId).toMatch(/^[0-9a-f-]{36}$/);
    expect((await connect()).producerId).not.toBe(producer.producerId);
    const unnamed = await Producer.connect(redis.url);
    open.push(unnamed);
    expect(unnamed.streamKey).toBe('{chasqui:default}:stream');
  });

  test.each<[string, unknown, RegExp]>([
    ['a misspelt option', { queueNam: 'x' }, /unknown option "queueNam".*"queueName"/],
    ['a wrong type', { maxStreamLen: 'x' }, /"maxStreamLen"/],
    ['a blank name', { queueName: ' ' }, /queue name/],
  ])('refuses %s', async (_, config, says) => {
    const error = await rejection(Producer.connect(redis.url, config as ProducerConfig));
    expect(error).toMatchObject({ code: 'CMQ-004' });
    expect(error.message).toMatch(says);
  });

  test('connect rejects if nothing listens, and leaves nothing open', async () => {
    const error = await rejection(Producer.connect({ host: '127.0.0.1', port: 1 }, { connectTimeoutMs: 50 }));
    expect(error).toMatchObject({
      code: 'CMQ-001',
      message: expect.stringContaining('127.0.0.1:1') as string,
    });
  });

  test('adds in every way, and a consumer gets each', async () => {
    const producer = await connect();
    const retry: AddOptions = {
      retry: { maxAttempts: 7, backoff: { type: 'fixed', delay: 5 } },
      name: 'send',
    };
    const ids = {
      add: await producer.add('add'),
      addWithId: await producer.addWithId('id-1', 'addWithId'),
      addWithOptions: await producer.addWithOptions('addWithOptions', { ...retry, id: 'id-2' }),
      addIn: await producer.addIn(5, 'addIn'),
      addAt: await producer.addAt(new Date(Date.now() + 5), 'addAt'),
      addAtMs: await producer.addAt(Date.now() + 5, 'addAtMs'),
      addAtPast: await producer.addAt(0, 'addAtPast'),
      addInWithOptions: await producer.addInWithOptions(5, 'addInWithOptions', retry),
      addAtWithOptions: await producer.addAtWithOptions(Date.now() + 5, 'addAtWithOptions', retry),
      addInWithId: await producer.addInWithId('id-3', 5, 'addInWithId'),
      addAtWithId: await producer.addAtWithId('id-4', Date.now() + 5, 'addAtWithId'),
    };
    const bulks = {
      addBulk: await producer.addBulk(['a', 'b']),
      addBulkWithOptions: await producer.addBulkWithOptions(['c', 'd'], retry),
      addBulkWithOptionsOne: await producer.addBulkWithOptions(['e'], { id: 'id-5' }),
      addBulkNamed: await producer.addBulkNamed([
        ['first', 'f'],
        ['second', 'g'],
      ]),
      addInBulk: await producer.addInBulk(5, ['h', 'i']),
      addInBulkWithIds: await producer.addInBulkWithIds(5, [
        ['id-6', 'j'],
        ['id-7', 'k'],
      ]),
    };
    const jobs = await consume(Object.keys(ids).length + Object.values(bulks).flat().length);
    for (const [method, id] of Object.entries(ids)) expect(jobs.get(id)?.payload, method).toBe(method);
    expect(
      Object.values(bulks)
        .flat()
        .map((id) => jobs.get(id)?.payload),
    ).toEqual(Array.from('abcdefghijk'));
    expect(ids.add).toMatch(ULID);
    expect([ids.addWithId, ids.addWithOptions, ids.addInWithId, ids.addAtWithId]).toEqual([
      'id-1',
      'id-2',
      'id-3',
      'id-4',
    ]);
    expect(bulks.addBulkWithOptionsOne).toEqual(['id-5']);
    expect(bulks.addInBulkWithIds).toEqual(['id-6', 'id-7']);
    for (const id of [
      ids.addWithOptions,
      ids.addInWithOptions,
      ids.addAtWithOptions,
      ...bulks.addBulkWithOptions,
    ]) {
      expect(jobs.get(id)).toMatchObject({
        name: 'send',
        opts: { attempts: 7, backoff: { type: 'fixed', delay: 5 } },
      });
    }
    expect(bulks.addBulkNamed.map((id) => jobs.get(id)?.name)).toEqual(['first', 'second']);
  });

  test('addAt is exact to the ms', async () => {
    const producer = await connect();
    const at = Date.now() + 60_000;
    await producer.addAt(at, 1);
    await producer.addAt(new Date(at + 1), 1);
    const scores = await redis.client.zrange(KEYS.delayed, '0', '-1', 'WITHSCORES');
    expect([scores[1], scores[3]]).toEqual([String(at), String(at + 1)]);
  });

  test.each<[string, (producer: Producer) => Promise<unknown>, string]>([
    [
      'one id for several payloads',
      (producer) => producer.addBulkWithOptions([1, 2], { id: 'x' }),
      'CMQ-004',
    ],
    [
      'a name too long',
      (producer) =>
        producer.addBulkNamed([
          ['ok', 1],
          ['n'.repeat(257), 2],
        ]),
      'CMQ-004',
    ],
    ['a misspelt option', (producer) => producer.addWithOptions(1, { nmae: 'x' } as AddOptions), 'CMQ-004'],
    [
      'a misspelt option of retry',
      (producer) => producer.addWithOptions(1, { retry: { attempts: 5 } } as AddOptions),
      'CMQ-004',
    ],
    ['a blank id', (producer) => producer.addWithId(' ', 1), 'CMQ-004'],
    ['a negative delay', (producer) => producer.addIn(-1, 1), 'CMQ-004'],
    ['a delay beyond the limit', (producer) => producer.addIn(31 * 86_400_000, 1), 'CMQ-004'],
    ['a time beyond the limit', (producer) => producer.addAt(Date.now() + 31 * 86_400_000, 1), 'CMQ-004'],
    ['an invalid date', (producer) => producer.addAt(new Date(NaN), 1), 'CMQ-004'],
    ['a function', (producer) => producer.add(() => 1), 'CMQ-002'],
    ['data too large', (producer) => producer.add('x'.repeat(2_000_000)), 'CMQ-023'],
  ])('refuses %s: rejects, and adds nothing', async (_, add, code) => {
    const producer = await connect();
    // A rejection, not a throw: a caller that chains `.catch` must see it.
    let call: Promise<unknown> | undefined;
    expect(() => {
      call = add(producer);
      call.catch(() => undefined);
    }).not.toThrow();
    expect(await rejection(call!)).toMatchObject({ code });
    expect(await redis.keys()).toEqual([]);
  });

  test('a taken id adds nothing', async () => {
    const producer = await connect();
    expect(await producer.addInWithId('x', 60_000, 1)).toBe('x');
    expect(await producer.addWithId('x', 1)).toBe('x');
    expect(
      await producer.addInBulkWithIds(5, [
        ['x', 1],
        ['y', 2],
      ]),
    ).toEqual(['x', 'y']);
    expect((await redis.client.zcard(KEYS.delayed)) + (await redis.client.xlen(KEYS.stream))).toBe(2);
  });

  test('cancels one and many', async () => {
    const producer = await connect();
    const [a, b] = await producer.addInBulk(60_000, [1, 2]);
    await producer.addInWithId('mine', 60_000, 3);
    expect(await producer.cancelDelayed(a!)).toBe(true);
    expect(await producer.cancelDelayed(a!)).toBe(false);
    expect(await producer.cancelDelayedBulk([a!, 'mine', 'never', b!])).toEqual([false, true, false, true]);
    expect(await producer.cancelDelayedBulk([])).toEqual([]);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
  });

  test('peeks and replays dead letters', async () => {
    const producer = await connect();
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 1 },
    );
    const failed = take(worker, 'failed', 3);
    await producer.addBulk([1, 2, 3]);
    await failed;
    await worker.close();
    expect((await producer.peekDlq(2)).map(({ data }) => data)).toEqual([1, 2]);
    expect(await producer.replayDlq(2)).toBe(2);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(1);
  });

  test('reads results as bytes, one and many', async () => {
    const producer = await connect();
    const worker = redis.worker((job) => ({ was: job.data }), { storeResults: true });
    const done = take(worker, 'completed', 2);
    const [a, b] = await producer.addBulk([1, 2]);
    await done;
    expect(decodePayload((await producer.getResult(a!))!)).toEqual({ was: 1 });
    expect(await producer.getResult('never')).toBeUndefined();
    const many = await producer.getResultBulk([b!, 'never', a!]);
    expect(many.map((bytes) => bytes && decodePayload(bytes))).toEqual([{ was: 2 }, undefined, { was: 1 }]);
  });

  test('declares, lists and removes schedules', async () => {
    const producer = await connect();
    const spec = { jobName: 'tick', pattern: RepeatPattern.every(60_000), payload: { n: 1 } };
    const key = await producer.upsertRepeatable(spec);
    expect(key).toBe(`tick::${spec.pattern.signature()}`);
    expect(await producer.upsertRepeatable({ ...spec, key: 'mine' })).toBe('mine');
    expect((await producer.listRepeatable(10)).map((meta) => meta.key).sort()).toEqual([key, 'mine'].sort());
    expect(await producer.removeRepeatable('mine')).toBe(true);
    expect(await producer.removeRepeatable('mine')).toBe(false);
  });

  test('closed, it refuses with CMQ-005', async () => {
    const producer = await connect();
    await producer.close();
    await producer.close();
    for (const call of [
      producer.add(1),
      producer.addIn(5, 1),
      producer.peekDlq(1),
      producer.cancelDelayed('x'),
    ]) {
      expect(await rejection(call)).toMatchObject({ code: 'CMQ-005' });
    }
  });
});

describe('Consumer', () => {
  test('passes jobs to the handler until its signal is aborted, then waits for running handlers', async () => {
    const controller = new AbortController();
    const seen: unknown[] = [];
    const producer = await connect();
    const run = new Consumer<{ n: number }>(redis.url, { queueName: NAME, concurrency: 1 }).run(
      async (job) => {
        seen.push([job.name, job.payload.n, job.attemptsMade]);
        controller.abort();
        await new Promise((resolve) => setTimeout(resolve, 20));
        seen.push('end');
      },
      controller.signal,
    );
    await producer.addBulkNamed([
      ['a', { n: 1 }],
      ['b', { n: 2 }],
    ]);
    await run;
    expect(seen).toEqual([['a', 1, 1], 'end']);
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
  });

  test('with a signal that is aborted already, it ends at once', async () => {
    await new Consumer(redis.url, { queueName: NAME }).run(() => undefined, AbortSignal.abort());
    expect(await redis.keys()).toEqual([]);
  });

  test('stores what the handler returns, but not undefined and not an empty Buffer', async () => {
    const producer = await connect();
    const events = await redis.events();
    const done = take(events, 'completed', 3);
    background({
      run: (signal) =>
        new Consumer(redis.connection, { queueName: NAME, storeResults: true }).run(
          ({ payload }) => [Buffer.from('x'), Buffer.alloc(0), undefined][payload as number],
          signal,
        ),
    });
    const ids = await producer.addBulk([0, 1, 2]);
    await done;
    const results = await producer.getResultBulk(ids);
    expect(results.map((bytes) => bytes && decodePayload(bytes))).toEqual([
      Buffer.from('x'),
      undefined,
      undefined,
    ]);
  });

  test.each<[string, unknown]>([
    ['a misspelt option', { concurency: 1 }],
    ['a wrong type', { blockMs: 'x' }],
    ['a blank name', { queueName: '' }],
  ])('refuses %s', (_, config) => {
    expect(() => new Consumer(redis.url, config as object)).toThrow(
      expect.objectContaining({ code: 'CMQ-004' }),
    );
  });

  test('rejects if nothing listens', async () => {
    const consumer = new Consumer({ host: '127.0.0.1', port: 1 }, { connectTimeoutMs: 50 });
    expect(await rejection(consumer.run(() => undefined))).toMatchObject({ code: 'CMQ-001' });
  });
});

describe('Promoter', () => {
  test('promotes for workers without a promoter, and wakes for an earlier job', async () => {
    const ticks: number[] = [];
    background(
      new Promoter(redis.connection, {
        queueName: NAME,
        pollIntervalMs: 60_000,
        metrics: { promoterTick: ({ promoted }) => ticks.push(promoted) },
      }),
    );
    const worker = redis.worker(() => undefined, { delayedEnabled: false });
    await next(worker, 'ready');
    await eventually(() => {
      expect(ticks.length).toBeGreaterThan(0);
    });
    const producer = await connect();
    await producer.addIn(30_000, 'late');
    const done = next(worker, 'completed');
    await producer.addIn(20, 'soon');
    expect((await done)[0].data).toBe('soon');
    expect(ticks).toContain(1);
  });

  test('stops with its signal, gives up the lead, and leaves nothing open', async () => {
    await (await connect()).addIn(60_000, 'late');
    const controller = background(new Promoter(redis.url, { queueName: NAME }));
    await eventually(async () => {
      expect(await redis.client.exists(KEYS.promoterLock)).toBe(1);
    });
    controller.abort();
    await Promise.all(running);
    expect(await redis.client.exists(KEYS.promoterLock)).toBe(0);
  });

  test('refuses a misspelt option', () => {
    expect(() => new Promoter(redis.url, { pollInterval: 5 } as object)).toThrow(
      /unknown option "pollInterval".*"pollIntervalMs"/,
    );
  });
});

describe('Scheduler', () => {
  test('fires for workers without a scheduler', async () => {
    background(new Scheduler(redis.connection, { queueName: NAME, tickIntervalMs: 20 }));
    const worker = redis.worker(() => undefined, { runScheduler: false });
    await next(worker, 'ready');
    const done = take(worker, 'completed', 2);
    const producer = await connect();
    await producer.upsertRepeatable({ jobName: 'tick', pattern: RepeatPattern.every(50), payload: { n: 1 } });
    const jobs = await done;
    expect(jobs.map(({ name, data }) => [name, data])).toEqual(Array(2).fill(['tick', { n: 1 }]));
  });

  test('refuses a misspelt option', () => {
    expect(() => new Scheduler(redis.url, { tickInterval: 5 } as object)).toThrow(
      /unknown option "tickInterval"/,
    );
  });
});
