import { describe, expect, test } from 'vitest';
import type { Queue } from '../../../lib/engine/index.js';
import { UnrecoverableError, encodePayload } from '../../../lib/engine/index.js';
import { encodeEnvelope } from '../../../lib/engine/codec/write-envelope.js';
import { KEYS, Latch, next, take, useKit } from './kit.js';

const redis = useKit();

const MAX_ID = '18446744073709551615-18446744073709551615';

const jobBytes = (id: string, data: unknown = 1, attempt = 0): Buffer =>
  encodeEnvelope({ id, payload: encodePayload(data), createdAtMs: 1_700_000_000_000, attempt });

/** Puts `count` jobs among the dead letters, named letter-0 and on. */
async function kill(count: number, options: { attempts?: number; backoff?: number } = {}): Promise<void> {
  const worker = redis.worker(() => {
    throw new UnrecoverableError('no');
  });
  const failed = take(worker, 'failed', count);
  await redis
    .queue()
    .addBulk(Array.from({ length: count }, (_, data) => ({ name: `letter-${data}`, data, opts: options })));
  await failed;
  await worker.close();
}

describe('an entry that is not a job', () => {
  const payloadOf = (bytes: string): Buffer =>
    encodeEnvelope({ id: 'x', payload: Buffer.from(bytes, 'hex'), createdAtMs: 0, attempt: 0 });
  const deep = Buffer.alloc(100_000, 0x91);

  test.each<[string, (string | Buffer)[], string, RegExp]>([
    ['no field d', ['x', '1'], 'malformed', /missing payload/],
    ['d written as D', ['D', 'abc'], 'malformed', /missing payload/],
    ['an empty d', ['d', ''], 'decode_failed', /the bytes end/],
    ['text', ['d', 'hello', 'n', 'send'], 'decode_failed', /not an array/],
    ['JSON', ['d', '{"id":"1"}'], 'decode_failed', /not an array/],
    ['the wrong arity', ['d', Buffer.from('93a161c40000', 'hex')], 'decode_failed', /3 elements/],
    ['six elements', ['d', Buffer.from('96a161c4000000c0c0', 'hex')], 'decode_failed', /6 elements/],
    [
      'created_at_ms as a float',
      ['d', Buffer.from('94a161c400cb4278bcfe5680000000', 'hex')],
      'decode_failed',
      /created_at_ms/,
    ],
    ['a payload that is no MessagePack', ['d', payloadOf('c1')], 'decode_failed', /MessagePack/],
    ['a payload that is cut off', ['d', payloadOf('a561')], 'decode_failed', /MessagePack/],
    ['a length bomb', ['d', payloadOf('ddffffffff')], 'decode_failed', /more elements/],
    ['an extension type', ['d', payloadOf('d40000')], 'decode_failed', /MessagePack/],
    [
      'nesting of 100,000',
      ['d', encodeEnvelope({ id: 'x', payload: deep, createdAtMs: 0, attempt: 0 })],
      'decode_failed',
      /./,
    ],
    [
      'an oversize payload',
      ['d', jobBytes('a', 'x'.repeat(1_048_577)), 'n', 'big'],
      'oversize_payload',
      /maxPayloadBytes is 1048576/,
    ],
    [
      'an oversize entry that is no job',
      ['d', Buffer.alloc(3_000_000, 0x41)],
      'oversize_payload',
      /maxPayloadBytes/,
    ],
    ['a huge name', ['d', 'x', 'n', 'n'.repeat(100_000)], 'decode_failed', /./],
    ['names of prototypes', ['__proto__', 'x', 'constructor', 'y', 'd', 'z'], 'decode_failed', /./],
    ['the field d twice', ['d', jobBytes('a'), 'd', 'zzz'], 'decode_failed', /./],
    [
      'fields that the dead letter uses',
      ['d', 'x', 'reason', 'mine', 'source_id', 'me', 'detail', 'no'],
      'decode_failed',
      /not an array/,
    ],
  ])('%s: to the dead letters with its bytes, and the next job runs', async (_, entry, reason, detail) => {
    const events = await redis.events();
    const dead = next(events, 'dlq');
    const source = await redis.client.xadd(KEYS.stream, '*', ...entry);
    await redis.queue().add('good', 1);
    const worker = redis.worker(() => undefined, { concurrency: 1 });
    const [[job]] = await Promise.all([next(worker, 'completed'), dead]);
    expect(job.name).toBe('good');
    const [letter] = await redis.queue().peekDlq();
    expect(letter).toMatchObject({
      sourceId: source,
      reason,
      detail: expect.stringMatching(detail) as string,
      attempts: 0,
    });
    // Every original field is there, byte for byte.
    const [[, flat]] = (await redis.client.xrangeBuffer(KEYS.dlq, '-', '+')) as [[Buffer, Buffer[]]];
    const kept = flat.map((part) => part.toString('hex'));
    for (let i = 0; i < entry.length; i += 2) {
      const field = String(entry[i]);
      const key = ['reason', 'source_id', 'detail'].includes(field) ? `original_${field}` : field;
      const value = Buffer.from(entry[i + 1]!).toString('hex');
      expect(
        kept.some(
          (part, at) => at % 2 === 0 && part === Buffer.from(key).toString('hex') && kept[at + 1] === value,
        ),
        field,
      ).toBe(true);
    }
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('a hundred of them, among a hundred jobs, do not delay the jobs', async () => {
    const queue = redis.queue();
    for (let i = 0; i < 100; i++) {
      await redis.client.xadd(KEYS.stream, '*', 'd', `garbage ${i}`);
      await queue.add('good', i);
    }
    const worker = redis.worker(() => undefined, { concurrency: 3 });
    await take(worker, 'completed', 100);
    await expect.poll(() => redis.client.xlen(KEYS.dlq)).toBe(100);
    const letters = await queue.peekDlq(200);
    expect(letters.map(({ payload }) => payload.toString())).toEqual(
      Array.from({ length: 100 }, (_, i) => `garbage ${i}`),
    );
  });

  test('in the delayed set becomes a dead letter as well', async () => {
    const members = [
      'x',
      'hello world',
      Buffer.from('ffffffff00', 'hex'),
      Buffer.concat([Buffer.from('05000000', 'hex'), Buffer.from('hello'), Buffer.from('junk')]),
    ];
    const events = await redis.events();
    const dead = take(events, 'dlq', members.length);
    for (const member of members) await redis.client.zadd(KEYS.delayed, 1, member);
    redis.worker(() => undefined);
    await dead;
    expect(await redis.client.zcard(KEYS.delayed)).toBe(0);
    const letters = await redis.queue().peekDlq();
    expect(letters.map(({ reason, name }) => [reason, name]).sort()).toEqual([
      ['decode_failed', ''],
      ['decode_failed', ''],
      ['decode_failed', ''],
      ['decode_failed', 'hello'],
    ]);
  });

  test('a hostile backoff (NaN, infinite, enormous) loses no job', async () => {
    const retry = (multiplier: number, delayMs: number, maxDelayMs?: number): Buffer =>
      encodeEnvelope({
        id: 'x',
        payload: encodePayload(1),
        createdAtMs: 0,
        attempt: 1,
        retry: {
          maxAttempts: 3,
          backoff: { kind: 'exponential', delayMs, maxDelayMs, multiplier, jitterMs: 0 },
        },
      });
    const bad = [
      retry(NaN, 5),
      retry(Infinity, 0),
      retry(-Infinity, 5),
      retry(Infinity, 2 ** 60, 2 ** 63),
      retry(1e308, 2 ** 60, 2 ** 63),
    ];
    for (const d of bad) await redis.client.xadd(KEYS.stream, '*', 'd', d);
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { delayedEnabled: false },
    );
    await take(worker, 'failed', bad.length);
    expect(await redis.client.zcard(KEYS.delayed)).toBe(bad.length);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('an attempt counter above every limit is exhausted, without a run', async () => {
    let runs = 0;
    const events = await redis.events();
    const dead = next(events, 'dlq');
    await redis.client.xadd(KEYS.stream, '*', 'd', jobBytes('a', 1, 4_000_000_000));
    redis.worker(() => (runs += 1));
    await dead;
    expect(runs).toBe(0);
    expect(await redis.queue().peekDlq()).toMatchObject([
      { jobId: 'a', reason: 'retries_exhausted', detail: '4000000000 attempts are used; 3 are allowed.' },
    ]);
  });
});

describe('the greatest possible stream id, written by hand', () => {
  test.each<[string, (queue: Queue) => Promise<unknown>]>([
    ['add', (queue) => queue.add('a', 1)],
    ['addUnique', (queue) => queue.addUnique('a', 1, { jobId: 'mine' })],
    [
      'addBulk',
      (queue) =>
        queue.addBulk([
          { name: 'a', data: 1, opts: { delay: 60_000 } },
          { name: 'a', data: 1, opts: { delay: 60_000, jobId: 'later' } },
          { name: 'a', data: 1, opts: { jobId: 'mine' } },
        ]),
    ],
  ])('blocks %s with an error that says so; nothing is half-done', async (_, add) => {
    const queue = redis.queue({ eventsEnabled: false });
    await redis.client.xadd(KEYS.stream, MAX_ID, 'd', jobBytes('last'));
    const before = await redis.snapshot();
    await expect(add(queue)).rejects.toMatchObject({
      code: 'CMQ-001',
      message: expect.stringMatching(/greatest possible id/) as string,
    });
    expect(await redis.snapshot()).toEqual(before);
  });

  test('loses no dead letter that is replayed', async () => {
    await kill(2);
    await redis.client.xadd(KEYS.stream, MAX_ID, 'd', jobBytes('last'));
    await expect(redis.queue().replayDlq()).rejects.toMatchObject({ code: 'CMQ-001' });
    expect(await redis.client.xlen(KEYS.dlq)).toBe(2);
  });

  test('loses no job that a closing worker releases', async () => {
    const queue = redis.queue();
    const latch = new Latch();
    const worker = redis.worker(() => latch.opened, { shutdownDeadlineSecs: 0, concurrency: 1 });
    const active = next(worker, 'active');
    await queue.add('a', 1);
    await active;
    const [[entry]] = (await redis.client.xrange(KEYS.stream, '-', '+')) as [[string, string[]]];
    await redis.client.xadd(KEYS.stream, MAX_ID, 'd', jobBytes('last'));
    await worker.close();
    latch.open();
    redis.errors.length = 0;
    // It is still pending, so another worker reclaims it when its lease ends.
    expect(await redis.client.xpending(KEYS.stream, 'default', entry, entry, 1)).toHaveLength(1);
  });

  test('among the dead letters loses no job that is dead-lettered', async () => {
    await redis.client.xadd(KEYS.dlq, MAX_ID, 'd', 'x');
    const worker = redis.worker(
      () => {
        throw new UnrecoverableError('no');
      },
      { shutdownDeadlineSecs: 0.1 },
    );
    const error = next(worker, 'error');
    await redis.queue().add('a', 1);
    await error;
    expect(await redis.client.xlen(KEYS.stream)).toBe(1);
    await worker.close();
    redis.errors.length = 0;
  });
});

describe('peekDlq', () => {
  test('returns dead letters oldest first, 20 by default, and changes nothing', async () => {
    await kill(25);
    const queue = redis.queue();
    const before = await redis.snapshot();
    expect((await queue.peekDlq()).map(({ data }) => data)).toEqual(
      Array.from({ length: 20 }, (_, index) => index),
    );
    expect((await queue.peekDlq(3)).length).toBe(3);
    expect((await queue.peekDlq(100)).length).toBe(25);
    expect((await queue.peekDlq(Infinity)).length).toBe(25);
    expect(await queue.peekDlq(0)).toEqual([]);
    expect(await redis.snapshot()).toEqual(before);
  });

  test('returns all fields', async () => {
    const before = Date.now();
    await kill(1, { attempts: 5 });
    const [letter] = await redis.queue().peekDlq();
    expect(letter).toEqual({
      dlqId: expect.stringMatching(/^\d+-\d+$/) as string,
      sourceId: expect.stringMatching(/^\d+-\d+$/) as string,
      reason: 'unrecoverable',
      detail: 'no',
      stack: expect.stringMatching(/^UnrecoverableError: no\n {4}at /) as string,
      name: 'letter-0',
      payload: expect.any(Buffer) as Buffer,
      jobId: expect.stringMatching(/^.{26}$/) as string,
      data: 0,
      attempts: 1,
      failedAt: expect.any(Number) as number,
    });
    expect(letter!.failedAt).toBeGreaterThanOrEqual(before - 1_000);
  });

  test('returns nothing for a queue without dead letters, or without keys', async () => {
    expect(await redis.queue().peekDlq()).toEqual([]);
    expect(await redis.keys()).toEqual([]);
  });

  test('returns a hand-written dead letter without any of our fields', async () => {
    await redis.client.xadd(KEYS.dlq, '*', 'x', '1');
    expect(await redis.queue().peekDlq()).toMatchObject([
      {
        sourceId: '',
        reason: '',
        detail: undefined,
        name: '',
        jobId: undefined,
        data: undefined,
        attempts: undefined,
      },
    ]);
  });
});

describe('replayDlq', () => {
  test('moves jobs back with all attempts, their name and their options', async () => {
    const attempts: number[] = [];
    let fixed = false;
    const worker = redis.worker((job) => {
      attempts.push(job.attemptsMade);
      if (!fixed) throw new Error('not yet');
    });
    const failed = take(worker, 'failed', 2);
    const queue = redis.queue();
    const job = await queue.add('send', { to: 'ada' }, { attempts: 2, backoff: 1 });
    await failed;
    fixed = true;
    const done = next(worker, 'completed');
    expect(await queue.replayDlq()).toBe(1);
    const [again] = await done;
    expect(attempts).toEqual([1, 2, 1]);
    expect(again).toMatchObject({ id: job.id, name: 'send', data: { to: 'ada' }, timestamp: job.timestamp });
    expect(again.opts).toEqual({ attempts: 2, backoff: { type: 'fixed', delay: 1 } });
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
    expect(await queue.replayDlq()).toBe(0);
  });

  test('moves the oldest, up to its limit, 100 by default', async () => {
    await kill(130);
    const queue = redis.queue();
    expect(await queue.replayDlq(3)).toBe(3);
    expect((await queue.peekDlq(1))[0]!.data).toBe(3);
    expect(await queue.replayDlq(0)).toBe(0);
    expect(await queue.replayDlq()).toBe(100);
    expect(await queue.replayDlq(Infinity)).toBe(27);
    expect(await redis.client.xlen(KEYS.stream)).toBe(130);
  });

  test('skips dead letters that cannot be decoded: they stay, and do not block others', async () => {
    await redis.client.xadd(KEYS.dlq, '*', 'd', 'garbage', 'reason', 'decode_failed');
    await redis.client.xadd(KEYS.dlq, '*', 'x', '1');
    await kill(2);
    await redis.client.xadd(KEYS.dlq, '*', 'd', 'more garbage');
    const queue = redis.queue();
    expect(await queue.replayDlq()).toBe(2);
    expect((await queue.peekDlq()).map(({ payload }) => payload.toString())).toEqual([
      'garbage',
      '',
      'more garbage',
    ]);
  });

  test('by several callers at once moves each dead letter once', async () => {
    await kill(200);
    const queues = Array.from({ length: 4 }, () => redis.queue());
    const moved = await Promise.all(queues.map((queue) => queue.replayDlq(200)));
    expect(moved.reduce((sum, count) => sum + count, 0)).toBe(200);
    expect(await redis.client.xlen(KEYS.stream)).toBe(200);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
  });

  test('does not replay a job twice that fails again during the replay', async () => {
    await kill(50);
    let runs = 0;
    const worker = redis.worker(() => {
      runs += 1;
      throw new UnrecoverableError('still no');
    });
    const failed = take(worker, 'failed', 50);
    expect(await redis.queue().replayDlq(1_000)).toBe(50);
    await failed;
    expect(runs).toBe(50);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(50);
  });

  test('announces waiting', async () => {
    await kill(1);
    const events = await redis.events();
    const waiting = next(events, 'waiting');
    await redis.queue().replayDlq();
    expect((await waiting)[0]).toMatchObject({ name: 'letter-0' });
  });
});

describe('a selection', () => {
  /** Two letters by reason `unrecoverable`, one by `retries_exhausted`, one that is no job. */
  async function four(): Promise<string[]> {
    await kill(2);
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 1 },
    );
    const failed = next(worker, 'failed');
    await redis.queue().add('exhausted', 2);
    await failed;
    await worker.close();
    await redis.client.xadd(KEYS.dlq, '*', 'd', 'garbage', 'reason', 'decode_failed');
    return (await redis.queue().peekDlq()).map(({ dlqId }) => dlqId);
  }

  const left = async (): Promise<unknown[]> =>
    (await redis.queue().peekDlq()).map(({ name, reason }) => name || reason);

  test('by reason, by id of the dead letter, by id of the job, and up to a limit is replayed', async () => {
    const ids = await four();
    const queue = redis.queue();
    expect(await queue.replayDlq({ reason: 'retries_exhausted' })).toBe(1);
    expect(await left()).toEqual(['letter-0', 'letter-1', 'decode_failed']);
    expect(await queue.replayDlq({ ids: [ids[1]!, ids[3]!, 'never'] })).toBe(1);
    expect(await left()).toEqual(['letter-0', 'decode_failed']);
    const jobId = (await queue.peekDlq(1))[0]!.jobId!;
    expect(await queue.replayDlq({ ids: [jobId], reason: 'retries_exhausted' })).toBe(0);
    expect(await queue.replayDlq({ ids: [jobId], limit: 0 })).toBe(0);
    expect(await queue.replayDlq({ ids: [jobId], limit: 5 })).toBe(1);
    expect(await left()).toEqual(['decode_failed']);
    expect(await redis.client.xlen(KEYS.stream)).toBe(3);
  });

  test('is dropped for good, also dead letters that cannot be decoded', async () => {
    const ids = await four();
    const queue = redis.queue();
    expect(await queue.dropDlq({ ids: [ids[0]!] })).toBe(1);
    expect(await queue.dropDlq({ reason: 'decode_failed' })).toBe(1);
    expect(await queue.dropDlq({ reason: 'decode_failed' })).toBe(0);
    expect(await left()).toEqual(['letter-1', 'exhausted']);
    expect(await queue.dropDlq({ all: true })).toBe(2);
    expect(await left()).toEqual([]);
    expect(await queue.dropDlq({ all: true })).toBe(0);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('all of thousands are dropped', async () => {
    for (let i = 0; i < 1_201; i++) void redis.client.xadd(KEYS.dlq, '*', 'd', `garbage ${i}`);
    expect(await redis.queue().dropDlq({ all: true })).toBe(1_201);
    expect(await redis.client.xlen(KEYS.dlq)).toBe(0);
  });

  test.each<[string, (queue: Queue) => Promise<unknown>]>([
    ['dropping without saying which', (queue) => queue.dropDlq({})],
    ['dropping all and some', (queue) => queue.dropDlq({ all: true, reason: 'malformed' })],
    ['a reason that does not exist', (queue) => queue.dropDlq({ reason: 'panic' as 'malformed' })],
    ['ids with a number', (queue) => queue.dropDlq({ ids: ['x', 1 as never] })],
    ['ids that are no list', (queue) => queue.dropDlq({ ids: 'x' as never })],
    ['a misspelt option', (queue) => queue.replayDlq({ reson: 'malformed' } as never)],
    ['a negative limit', (queue) => queue.replayDlq({ reason: 'malformed', limit: -1 })],
  ])('is refused: %s', async (_, call) => {
    await redis.client.xadd(KEYS.dlq, '*', 'd', 'garbage', 'reason', 'malformed');
    await expect(call(redis.queue())).rejects.toMatchObject({ code: 'CMQ-004' });
    expect(await redis.client.xlen(KEYS.dlq)).toBe(1);
  });
});

describe('dlqMaxStreamLen', () => {
  test('keeps about so many, and reports dropped dead letters to metrics, listeners and health', async () => {
    let evicted = 0;
    const worker = redis.worker(
      () => {
        throw new UnrecoverableError('no');
      },
      { dlqMaxStreamLen: 10, metrics: { dlqEvicted: ({ count }) => void (evicted += count) } },
    );
    let told = 0;
    worker.on('dlqEvicted', ({ count, cap }) => {
      expect(cap).toBe(10);
      told += count;
    });
    const failed = take(worker, 'failed', 500);
    await redis.queue().addBulk(Array.from({ length: 500 }, (_, data) => ({ name: 'a', data })));
    await failed;
    const left = await redis.client.xlen(KEYS.dlq);
    expect(left).toBeLessThan(250);
    expect(evicted).toBe(500 - left);
    expect(told).toBe(evicted);
    expect(worker.health()).toMatchObject({
      dlqEvicted: evicted,
      lastDlqEvictedAgeMs: expect.any(Number) as number,
    });
  });

  test('of 0 keeps all', async () => {
    const worker = redis.worker(
      () => {
        throw new UnrecoverableError('no');
      },
      { dlqMaxStreamLen: 0 },
    );
    const failed = take(worker, 'failed', 500);
    await redis.queue().addBulk(Array.from({ length: 500 }, (_, data) => ({ name: 'a', data })));
    await failed;
    expect(await redis.client.xlen(KEYS.dlq)).toBe(500);
  });
});
