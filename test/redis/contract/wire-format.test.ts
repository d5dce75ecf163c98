import { describe, expect, test, vi } from 'vitest';
import { UnrecoverableError, encodePayload } from '../../../lib/engine/index.js';
import { KEYS, NAME, ULID, fields, next, take, useKit } from './kit.js';

const redis = useKit();

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex');
const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

/** A Job by hand: `{"to":"ada"}`, created at 1,700,000,000,000. */
const jobBytes = (id: string, attempt = 0, retry = ''): Buffer =>
  hex(
    `${retry ? '95' : '94'} ${(0xa0 | id.length).toString(16)} ${ascii(id)} c4 08 81a2746fa3616461
     cf 0000018bcfe56800 ${attempt.toString(16).padStart(2, '0')} ${retry}`,
  );

async function entries(key: string): Promise<[id: string, fields: Record<string, Buffer>][]> {
  const raw = await redis.client.xrangeBuffer(key, '-', '+');
  return raw.map(([id, flat]) => {
    const object: Record<string, Buffer> = {};
    for (let i = 0; i + 1 < flat.length; i += 2) object[String(flat[i])] = flat[i + 1]!;
    return [String(id), object];
  });
}

async function eventsOf(): Promise<Record<string, string>[]> {
  return (await redis.client.xrange(KEYS.events, '-', '+')).map(([, flat]) => fields(flat));
}

const ts = expect.stringMatching(/^\d{13}$/) as string;
const µs = expect.stringMatching(/^\d+$/) as string;

describe('keys', () => {
  test('are those of the table, with the types of the table, and all under the hash tag', async () => {
    const queue = redis.queue();
    const worker = redis.worker(
      (job) => {
        if (job.data === 'bad') throw new UnrecoverableError('no');
        return 1;
      },
      { storeResults: true },
    );
    await next(worker, 'ready');
    const failed = next(worker, 'failed');
    const completed = next(worker, 'completed');
    await queue.add('a', 'good');
    await queue.add('a', 'bad');
    const later = await queue.add('a', 'later', { delay: 60_000, jobId: 'mine' });
    const [job] = await completed;
    await failed;
    // Somebody leads from when a job is delayed: the add wakes them.
    await vi.waitFor(async () => {
      expect(await redis.client.exists(KEYS.promoterLock)).toBe(1);
    });
    const types: Record<string, string> = {};
    for (const key of await redis.keys()) types[key] = await redis.client.type(key);
    expect(types).toMatchObject({
      [KEYS.stream]: 'stream',
      [KEYS.delayed]: 'zset',
      [KEYS.dlq]: 'stream',
      [KEYS.events]: 'stream',
      [KEYS.result(job.id)]: 'string',
      [KEYS.dedup(later.id)]: 'string',
      [KEYS.delayedIndex(later.id)]: 'string',
      [KEYS.promoterLock]: 'string',
    });
    for (const key of await redis.client.keys('*'))
      expect(key.startsWith(`{chasqui:${NAME}}:`), key).toBe(true);
    const groups = (await redis.client.xinfo('GROUPS', KEYS.stream)) as unknown[][];
    expect(groups.map((group) => fields(group.map(String)).name)).toEqual(['default']);
  });
});

describe('stream entry', () => {
  test('has d and n, and nothing else', async () => {
    const queue = redis.queue();
    const job = await queue.add('send', { to: 'ada' }, { timestamp: 1_700_000_000_000 });
    expect(job.id).toMatch(ULID);
    const [[, entry]] = (await entries(KEYS.stream)) as [[string, Record<string, Buffer>]];
    expect(Object.keys(entry)).toEqual(['d', 'n']);
    expect(entry.n!.toString()).toBe('send');
    expect(entry.d!.toString('hex')).toBe(jobBytes(job.id).toString('hex'));
  });

  test('leaves n out when the name is empty', async () => {
    await redis.queue().add('', { to: 'ada' });
    expect(Object.keys((await entries(KEYS.stream))[0]![1])).toEqual(['d']);
  });

  test('carries a name of 256 bytes of UTF-8', async () => {
    const name = 'ñ'.repeat(128);
    await redis.queue().add(name, 1);
    expect((await entries(KEYS.stream))[0]![1].n!.toString()).toBe(name);
  });

  test('carries the retry block of a job that overrides the queue', async () => {
    const job = await redis
      .queue()
      .add(
        'send',
        { to: 'ada' },
        { timestamp: 1_700_000_000_000, attempts: 5, backoff: { type: 'exponential', delay: 100 } },
      );
    const retry = `92 05 95 ab ${ascii('exponential')} 64 c0 c0 c0`;
    expect((await entries(KEYS.stream))[0]![1].d!.toString('hex')).toBe(
      jobBytes(job.id, 0, retry).toString('hex'),
    );
  });

  test('an entry of another writer is run: a smaller integer, an array header of 16 bits, fields nobody knows', async () => {
    const seen: unknown[] = [];
    const worker = redis.worker((job) => {
      seen.push([job.id, job.name, job.data, job.attemptsMade, job.timestamp]);
    });
    const done = take(worker, 'completed', 2);
    await redis.client.xadd(
      KEYS.stream,
      '*',
      'd',
      hex('dc0004 a1 61 c4 01 05 00 00'),
      'n',
      'x',
      'trace',
      'abc',
    );
    await redis.client.xadd(KEYS.stream, '*', 'zz', '1', 'd', jobBytes('b', 1));
    await done;
    expect(seen).toEqual([
      ['a', 'x', 5, 1, 0],
      ['b', '', { to: 'ada' }, 2, 1_700_000_000_000],
    ]);
  });
});

describe('delayed member', () => {
  test('is the length of the name, the name and the Job; its score is the due time by Redis’s clock', async () => {
    const before = Number((await redis.client.time())[0]) * 1000;
    const job = await redis
      .queue()
      .add('send', { to: 'ada' }, { delay: 60_000, timestamp: 1_700_000_000_000 });
    const after = (Number((await redis.client.time())[0]) + 1) * 1000;
    const [member, score] = (await redis.client.zrangeBuffer(KEYS.delayed, '0', '-1', 'WITHSCORES')) as [
      Buffer,
      Buffer,
    ];
    expect(member.toString('hex')).toBe(
      hex(`04000000 ${ascii('send')} ${jobBytes(job.id).toString('hex')}`).toString('hex'),
    );
    expect(Number(score)).toBeGreaterThanOrEqual(before + 60_000);
    expect(Number(score)).toBeLessThanOrEqual(after + 60_000);
    expect(Number.isInteger(Number(score))).toBe(true);
    expect(await redis.client.xlen(KEYS.stream)).toBe(0);
  });

  test('of another writer is promoted and run', async () => {
    const worker = redis.worker(() => undefined, { delayedPollIntervalMs: 20 });
    const done = next(worker, 'completed');
    await redis.client.zadd(KEYS.delayed, 1, Buffer.concat([hex(`02000000 ${ascii('hi')}`), jobBytes('zz')]));
    const [job] = await done;
    expect([job.id, job.name, job.data]).toEqual(['zz', 'hi', { to: 'ada' }]);
  });

  test('of a retry carries the attempts used', async () => {
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { retry: { initialBackoffMs: 60_000, maxBackoffMs: 60_000 } },
    );
    const failed = next(worker, 'failed');
    const job = await redis.queue().add('send', { to: 'ada' }, { timestamp: 1_700_000_000_000 });
    await failed;
    const [member] = (await redis.client.zrangeBuffer(KEYS.delayed, '0', '-1')) as [Buffer];
    expect(member.toString('hex')).toBe(
      hex(`04000000 ${ascii('send')} ${jobBytes(job.id, 1).toString('hex')}`).toString('hex'),
    );
  });
});

describe('dead letter', () => {
  test('has the original bytes, n, source_id, reason, detail and stack', async () => {
    const worker = redis.worker(() => {
      throw new UnrecoverableError('blocked address');
    });
    await next(worker, 'ready');
    const failed = next(worker, 'failed');
    const d = jobBytes('aa');
    const source = await redis.client.xadd(KEYS.stream, '*', 'd', d, 'n', 'send', 'trace', 'abc');
    await failed;
    const [[, letter]] = (await entries(KEYS.dlq)) as [[string, Record<string, Buffer>]];
    expect(letter.d!.equals(d)).toBe(true);
    expect(
      Object.fromEntries(
        Object.entries(letter)
          .filter(([key]) => key !== 'd')
          .map(([key, value]) => [key, value.toString()]),
      ),
    ).toEqual({
      n: 'send',
      trace: 'abc',
      source_id: source,
      reason: 'unrecoverable',
      detail: 'blocked address',
      stack: expect.stringMatching(/^UnrecoverableError: blocked address\n {4}at /) as string,
      attempts: '1',
      failed_at: ts,
    });
  });

  test('of a retried job has the bytes of its last delivery', async () => {
    const worker = redis.worker(
      () => {
        throw new Error('x');
      },
      { maxAttempts: 2 },
    );
    const failed = take(worker, 'failed', 2);
    await redis.client.xadd(KEYS.stream, '*', 'd', jobBytes('aa'));
    await failed;
    const [[, letter]] = (await entries(KEYS.dlq)) as [[string, Record<string, Buffer>]];
    expect(letter.d!.toString('hex')).toBe(jobBytes('aa', 1).toString('hex'));
    expect(letter.n).toBeUndefined();
  });
});

describe('events', () => {
  test('of a job that fails, waits and completes', async () => {
    const worker = redis.worker(
      (job) => {
        if (job.attemptsMade === 1) throw new Error('SMTP is down');
        return { delivered: true };
      },
      { storeResults: true, retry: { initialBackoffMs: 2, jitterMs: 0 } },
    );
    await next(worker, 'ready');
    const completed = next(worker, 'completed');
    const { id } = await redis.queue().add('send', { to: 'ada' });
    await completed;
    const base = { id, n: 'send', ts };
    expect(await eventsOf()).toEqual([
      { e: 'waiting', ...base },
      { e: 'active', ...base, attempt: '1' },
      { e: 'failed', ...base, attempt: '1', reason: 'SMTP is down', duration_us: µs },
      { e: 'retry-scheduled', ...base, attempt: '2', backoff_ms: '2' },
      { e: 'waiting', ...base },
      { e: 'active', ...base, attempt: '2' },
      { e: 'completed', ...base, attempt: '2', duration_us: µs, returnvalue: '{"delivered":true}' },
      { e: 'drained', id: '', ts },
    ]);
  });

  test('of a delayed job that dies, without a name', async () => {
    const worker = redis.worker(() => {
      throw new UnrecoverableError('no');
    });
    await next(worker, 'ready');
    const failed = next(worker, 'failed');
    const { id } = await redis.queue().add('', 1, { delay: 5 });
    await failed;
    expect(await eventsOf()).toEqual([
      { e: 'delayed', id, ts, delay_ms: '5' },
      { e: 'waiting', id, ts },
      { e: 'active', id, ts, attempt: '1' },
      { e: 'failed', id, ts, attempt: '1', reason: 'no', duration_us: µs },
      { e: 'dlq', id, ts, attempt: '1', reason: 'unrecoverable' },
      { e: 'drained', id: '', ts },
    ]);
  });

  test('of an entry that no handler ever saw: dlq alone', async () => {
    const events = await redis.events();
    redis.worker(() => undefined);
    const dead = next(events, 'dlq');
    await redis.client.xadd(KEYS.stream, '*', 'd', 'garbage', 'n', 'send');
    await dead;
    const told = await eventsOf();
    expect(told[0]).toEqual({ e: 'dlq', id: '', n: 'send', ts, attempt: '0', reason: 'decode_failed' });
    expect(told.map(({ e }) => e)).toEqual(['dlq', 'drained']);
  });

  test('are off on both sides when they are switched off', async () => {
    const worker = redis.worker(() => undefined, { eventsEnabled: false });
    const completed = take(worker, 'completed', 2);
    await redis.queue({ eventsEnabled: false }).addBulk([
      { name: 'a', data: 1 },
      { name: 'a', data: 2, opts: { delay: 1 } },
    ]);
    await completed;
    expect(await redis.client.exists(KEYS.events)).toBe(0);
  });

  test('are kept to about eventsMaxStreamLen', async () => {
    const worker = redis.worker(() => undefined, { eventsMaxStreamLen: 100 });
    const completed = take(worker, 'completed', 1_000);
    await redis
      .queue({ eventsMaxStreamLen: 100 })
      .addBulk(Array.from({ length: 1_000 }, (_, data) => ({ name: 'a', data })));
    await completed;
    expect(await redis.client.xlen(KEYS.events)).toBeLessThan(400);
  });
});

describe('result', () => {
  test('is the msgpack of the return value, with a TTL', async () => {
    const worker = redis.worker(() => ({ delivered: true }), { storeResults: true, resultTtlMs: 5_500 });
    const completed = next(worker, 'completed');
    const { id } = await redis.queue().add('send', 1);
    await completed;
    const stored = (await redis.client.getBuffer(KEYS.result(id)))!;
    expect(stored.equals(encodePayload({ delivered: true }))).toBe(true);
    const ttl = await redis.client.pttl(KEYS.result(id));
    expect(ttl).toBeGreaterThan(5_000);
    expect(ttl).toBeLessThanOrEqual(6_000);
  });
});
