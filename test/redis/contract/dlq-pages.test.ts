import { describe, expect, test } from 'vitest';
import { encodePayload } from '../../../lib/engine/index.js';
import type { DlqEntry, DlqPageOptions } from '../../../lib/engine/index.js';
import { encodeEnvelope } from '../../../lib/engine/codec/write-envelope.js';
import { KEYS, addDeadLetter, rejection, useKit } from './kit.js';

const redis = useKit();

interface Letter {
  id?: string;
  name?: string;
  reason?: string;
  detail?: string;
  stack?: string;
  data?: unknown;
}

/** Writes dead letters as dead-letter.lua does. The entry of number i has the id `<1000 + i>-0`. */
async function letters(count: number, of: (i: number) => Letter = () => ({})): Promise<void> {
  const pipeline = redis.client.pipeline();
  for (let i = 0; i < count; i++) {
    const {
      id = `${1_000 + i}-0`,
      name = 'send',
      reason = 'retries_exhausted',
      detail,
      stack,
      data = i,
    } = of(i);
    const d = encodeEnvelope({
      id: `job-${i}`,
      payload: encodePayload(data),
      createdAtMs: 1_700_000_000_000,
      attempt: 0,
    });
    pipeline.xadd(
      KEYS.dlq,
      id,
      ...['d', d, 'n', name, 'source_id', '1-0', 'reason', reason, 'attempts', 3, 'failed_at', 1_000 + i],
      ...(detail === undefined ? [] : ['detail', detail]),
      ...(stack === undefined ? [] : ['stack', stack]),
    );
  }
  await pipeline.exec();
}

/** All pages. */
async function read(options: DlqPageOptions): Promise<DlqEntry[][]> {
  const queue = redis.queue();
  const pages: DlqEntry[][] = [];
  let after: string | undefined;
  do {
    const page = await queue.getDlq({ ...options, ...(after !== undefined && { after }) });
    pages.push(page.entries);
    after = page.next;
  } while (after !== undefined);
  return pages;
}

const dataOf = (pages: DlqEntry[][]): unknown[] => pages.flat().map(({ data }) => data);

describe('a page of dead letters', () => {
  test('of an empty queue is empty, and the last', async () => {
    expect(await redis.queue().getDlq()).toEqual({ entries: [], next: undefined });
    expect(await redis.keys()).toEqual([]);
  });

  test('has all that a dead letter says', async () => {
    await addDeadLetter(redis, { jobId: 'order-1' });
    const { entries, next } = await redis.queue().getDlq();
    expect(next).toBeUndefined();
    expect(entries).toEqual(await redis.queue().peekDlq());
    expect(entries).toMatchObject([
      { jobId: 'order-1', name: 'a', data: 1, reason: 'retries_exhausted', attempts: 1, detail: 'x' },
    ]);
  });

  test.each(['newest', 'oldest'] as const)('the %s first: all pages together are the list', async (order) => {
    await letters(120);
    const pages = await read({ order, limit: 50 });
    const all = Array.from({ length: 120 }, (_, i) => i);
    expect(pages.map(({ length }) => length)).toEqual([50, 50, 20]);
    expect(dataOf(pages)).toEqual(order === 'oldest' ? all : all.toReversed());
  });

  test('a full last page is the last', async () => {
    await letters(100);
    for (const order of ['newest', 'oldest'] as const) {
      expect((await read({ order, limit: 50 })).map(({ length }) => length)).toEqual([50, 50]);
    }
  });

  test('by default, has the 50 newest', async () => {
    await letters(60);
    const { entries } = await redis.queue().getDlq();
    expect(entries.map(({ data }) => data)).toEqual(Array.from({ length: 50 }, (_, i) => 59 - i));
  });

  test('newer dead letters do not move the pages of the newest first', async () => {
    await letters(20);
    const queue = redis.queue();
    const first = await queue.getDlq({ limit: 10 });
    await letters(5, (i) => ({ id: `${2_000 + i}-0`, data: 'new' }));
    const second = await queue.getDlq({ limit: 10, after: first.next as string });
    expect(dataOf([first.entries, second.entries])).toEqual(Array.from({ length: 20 }, (_, i) => 19 - i));
    expect(second.next).toBeUndefined();
  });

  test('goes on behind a dead letter that was deleted', async () => {
    await letters(20);
    const queue = redis.queue();
    const { next } = await queue.getDlq({ limit: 10, order: 'oldest' });
    await redis.client.xtrim(KEYS.dlq, 'MINID', '1015');
    const rest = await queue.getDlq({ limit: 10, order: 'oldest', after: next as string });
    expect(rest.entries.map(({ data }) => data)).toEqual([15, 16, 17, 18, 19]);
  });

  test('contains what cannot be decoded', async () => {
    await redis.client.xadd(KEYS.dlq, '1-0', 'x', '1');
    await redis.client.xadd(KEYS.dlq, '2-0', 'd', 'junk', 'n', 'send', 'reason', 'decode_failed');
    const { entries } = await redis.queue().getDlq({ order: 'oldest' });
    expect(entries).toMatchObject([
      { dlqId: '1-0', jobId: undefined, data: undefined, name: '', reason: '', payload: Buffer.alloc(0) },
      { dlqId: '2-0', jobId: undefined, data: undefined, name: 'send', payload: Buffer.from('junk') },
    ]);
    expect((await redis.queue().getDlq({ text: 'unk' })).entries).toHaveLength(1);
  });

  test('ends early if the dead letters are large', async () => {
    await letters(30, () => ({ data: 'x'.repeat(1_000_000) }));
    const queue = redis.queue();
    const page = await queue.getDlq();
    expect(page.entries.length).toBeGreaterThanOrEqual(16);
    expect(page.entries.length).toBeLessThan(25);
    const rest = await queue.getDlq({ after: page.next as string });
    expect(page.entries.length + rest.entries.length).toBe(30);
  });
});

describe('a filter', () => {
  test('of name, reason and text: a dead letter matches all that are set', async () => {
    await letters(40, (i) => ({
      name: i % 2 ? 'send' : '',
      reason: i % 4 < 2 ? 'unrecoverable' : 'retries_exhausted',
      ...(i % 8 === 0 && { detail: 'Timeout of ünit 7' }),
      ...(i % 8 === 1 && { stack: 'Error: at send.ts:7' }),
      data: { to: `user-${i}@example.com` },
    }));
    const idsOf = async (filter: DlqPageOptions): Promise<number[]> =>
      (await read({ ...filter, order: 'oldest', limit: 7 }))
        .flat()
        .map(({ dlqId }) => parseInt(dlqId) - 1_000);
    const numbers = Array.from({ length: 40 }, (_, i) => i);
    expect(await idsOf({ name: 'send' })).toEqual(numbers.filter((i) => i % 2));
    expect(await idsOf({ name: '' })).toEqual(numbers.filter((i) => i % 2 === 0));
    expect(await idsOf({ name: 'sen' })).toEqual([]);
    expect(await idsOf({ reason: 'unrecoverable' })).toEqual(numbers.filter((i) => i % 4 < 2));
    expect(await idsOf({ text: 'of ünit' })).toEqual(numbers.filter((i) => i % 8 === 0));
    expect(await idsOf({ text: 'at send.ts' })).toEqual(numbers.filter((i) => i % 8 === 1));
    expect(await idsOf({ text: 'user-3@' })).toEqual([3]);
    expect(await idsOf({ text: 'user-.@' }), 'a text is no pattern').toEqual([]);
    expect(await idsOf({ text: 'TIMEOUT' })).toEqual([]);
    expect(await idsOf({ text: 'user-', name: 'send', reason: 'unrecoverable' })).toEqual(
      numbers.filter((i) => i % 4 === 1),
    );
  });

  test('of time: from since, before until', async () => {
    await letters(10);
    for (const order of ['newest', 'oldest'] as const) {
      const pages = await read({ order, since: 1_003, until: new Date(1_006), limit: 2 });
      expect(dataOf(pages).toSorted()).toEqual([3, 4, 5]);
    }
    expect(dataOf(await read({ since: 1_009 }))).toEqual([9]);
    expect(dataOf(await read({ until: 1_001 }))).toEqual([0]);
    expect(dataOf(await read({ since: 1_006, until: 1_006 }))).toEqual([]);
    expect(dataOf(await read({ since: 1_006, until: 1_003 }))).toEqual([]);
  });

  test('that is rare ends a page early, and the pages go on', async () => {
    await letters(45_000, (i) => (i % 20_000 === 500 ? { name: 'rare' } : {}));
    const pages = await read({ name: 'rare', order: 'oldest' });
    expect(dataOf(pages)).toEqual([500, 20_500, 40_500]);
    expect(pages.length).toBe(3);
  }, 30_000);

  test('applies to drop and replay too', async () => {
    const queue = redis.queue();
    await letters(20, (i) => ({ name: i % 2 ? 'send' : 'other', ...(i < 4 && { detail: 'boom' }) }));
    expect(await queue.dropDlq({ text: 'boom', name: 'send' })).toBe(2);
    expect(await queue.dropDlq({ since: 1_018 })).toBe(2);
    expect(await queue.dropDlq({ ids: ['job-4', 'job-17', '1006-0'], until: 1_010 })).toBe(2);
    expect(await queue.replayDlq({ name: 'other', until: 1_009 })).toBe(3);
    expect(dataOf(await read({ order: 'oldest' }))).toEqual([5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
    await expect(queue.dropDlq({})).rejects.toMatchObject({ code: 'CMQ-004' });
    await expect(queue.dropDlq({ all: true, name: 'x' })).rejects.toMatchObject({ code: 'CMQ-004' });
  });
});

describe('a cursor', () => {
  test('of another queue, order or filter is refused', async () => {
    await letters(20);
    const queue = redis.queue();
    const given: DlqPageOptions = { name: 'send', reason: 'retries_exhausted', limit: 5, since: 5 };
    const after = (await queue.getDlq(given)).next as string;
    await expect(queue.getDlq({ ...given, after, limit: 10 })).resolves.toBeDefined();
    await expect(queue.getDlq({ ...given, after, since: new Date(5) })).resolves.toBeDefined();
    const { since: _since, ...without } = given;
    const others: DlqPageOptions[] = [
      { ...given, order: 'oldest' },
      { ...given, name: 'other' },
      { ...given, text: 'x' },
      { ...given, until: 10 },
      without,
    ];
    for (const other of others) {
      const error = await rejection(queue.getDlq({ ...other, after }));
      expect(error).toMatchObject({ code: 'CMQ-109', name: 'CursorError' });
      expect(error.message).toMatch(/another queue, order or filter.*leave "after" out/);
    }
    const error = await rejection(redis.queue({}, 'other').getDlq({ ...given, after }));
    expect(error.code).toBe('CMQ-109');
  });

  test.each([
    '',
    '1-0',
    '0',
    'MS4w',
    '\u0000',
    'x'.repeat(10_000),
    Buffer.from('2.0123456789abcdef.1-0').toString('base64url'),
    Buffer.from('1.0123456789abcdef.+').toString('base64url'),
    7,
    null,
    {},
  ])('that is no cursor is refused: %j', async (after) => {
    const error = await rejection(redis.queue().getDlq({ after } as DlqPageOptions));
    expect(error.code).toBe('CMQ-109');
    expect(error.message).toMatch(/is not a cursor.*begin again/);
  });
});

describe('options of getDlq', () => {
  test.each<[unknown, RegExp]>([
    [{ order: 'new' }, /"order" must be one of newest, oldest/],
    [{ limit: 0 }, /"limit" must be a whole number of at least 1 and at most 1000/],
    [{ limit: 1_001 }, /"limit"/],
    [{ limit: Infinity }, /"limit"/],
    [{ limit: 1.5 }, /"limit"/],
    [{ reason: 'timeout' }, /"reason" must be one of/],
    [{ name: 7 }, /"name" must be a string/],
    [{ name: '\ud800' }, /surrogate/],
    [{ text: '' }, /"text" must not be empty/],
    [{ since: 'yesterday' }, /"since" must be a Date or whole unix ms/],
    [{ since: new Date(NaN) }, /"since"/],
    [{ until: -1 }, /"until"/],
    [{ orders: 'newest' }, /Did you mean "order"/],
    [7, /options must be an object/],
  ])('%j is refused', async (options, message) => {
    const error = await rejection(redis.queue().getDlq(options as DlqPageOptions));
    expect(error).toMatchObject({ code: 'CMQ-004', name: 'ConfigError' });
    expect(error.message).toMatch(message);
  });

  test('a key of the wrong type: the error says so', async () => {
    await redis.client.set(KEYS.dlq, 'x');
    const queue = redis.queue();
    for (const call of [() => queue.getDlq(), () => queue.getDlqHistogram()]) {
      expect((await rejection(call())).message).toMatch(/WRONGTYPE.*another program writes to/);
    }
  });
});

describe('a histogram of dead letters', () => {
  test('of an empty queue', async () => {
    expect(await redis.queue().getDlqHistogram()).toEqual({ total: 0, groups: [] });
    expect(await redis.keys()).toEqual([]);
  });

  test('by reason, name, hour and day', async () => {
    const HOUR = 3_600_000;
    await letters(10, (i) => ({
      id: `${1_700_000_000_000 + i * HOUR}-0`,
      name: i < 7 ? 'send' : '__proto__',
      reason: i < 4 ? 'unrecoverable' : 'retries_exhausted',
    }));
    const queue = redis.queue();
    expect(await queue.getDlqHistogram()).toEqual({
      total: 10,
      groups: [
        { key: 'retries_exhausted', count: 6 },
        { key: 'unrecoverable', count: 4 },
      ],
    });
    expect(await queue.getDlqHistogram({ by: 'name', reason: 'retries_exhausted' })).toEqual({
      total: 6,
      groups: [
        { key: '__proto__', count: 3 },
        { key: 'send', count: 3 },
      ],
    });
    const hours = await queue.getDlqHistogram({ by: 'hour', since: 1_700_000_000_000 + 8 * HOUR });
    expect(hours.groups).toEqual([
      { key: '2023-11-15T06:00Z', count: 1 },
      { key: '2023-11-15T07:00Z', count: 1 },
    ]);
    expect((await queue.getDlqHistogram({ by: 'day' })).groups).toEqual([
      { key: '2023-11-14', count: 2 },
      { key: '2023-11-15', count: 8 },
    ]);
  });

  test('counts in steps, says how far it is, and can be ended', async () => {
    await letters(3_500);
    const queue = redis.queue();
    const seen: number[] = [];
    const { total } = await queue.getDlqHistogram({ onProgress: ({ done }) => seen.push(done) });
    expect(total).toBe(3_500);
    expect(seen.length).toBeGreaterThanOrEqual(4);
    expect(seen.at(-1)).toBe(3_500);
    const controller = new AbortController();
    const reason = new Error('enough');
    const call = queue.getDlqHistogram({
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    expect(await rejection(call)).toBe(reason);
    expect(await rejection(queue.getDlqHistogram({ signal: controller.signal }))).toBe(reason);
  });

  test.each<[unknown, RegExp]>([
    [{ by: 'week' }, /"by" must be one of reason, name, hour, day/],
    [{ signal: {} }, /"signal" must be an AbortSignal/],
    [{ onProgress: 1 }, /"onProgress" must be a function/],
  ])('%j is refused', async (options, message) => {
    const error = await rejection(redis.queue().getDlqHistogram(options as object));
    expect(error.code).toBe('CMQ-004');
    expect(error.message).toMatch(message);
  });
});
