import { describe, expect, test } from 'vitest';
import { queueKeys } from '../../lib/redis/keys.js';
import { boundsOf, toDelivery } from '../../lib/engine/consumer/delivery.js';
import { runScript } from '../../lib/redis/scripts.js';
import { useRedis } from '../support/redis.js';

/*
 * A batch that is all there is at the head of the queue is removed as a range. What these tests are about is everything
 * that lies beside such a batch: it must be there afterwards.
 */

const redis = useRedis();
const keys = queueKeys('head');
const GROUP = 'default';

/** Adds entries 1-0 … n-0. */
async function fill(count: number): Promise<void> {
  for (let i = 1; i <= count; i++) await redis.client.xadd(keys.stream, `${String(i)}-0`, 'd', String(i));
}

async function read(consumer: string, count: number): Promise<void> {
  await redis.client.xreadgroup('GROUP', GROUP, consumer, 'COUNT', count, 'STREAMS', keys.stream, '>');
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Completes entries as a worker does; resolves with the numbers of those whose lease was not ours. */
async function complete(consumer: string, entries: readonly number[]): Promise<number[]> {
  const ids = entries.map((entry) => `${String(entry)}-0`);
  const [first, last] = boundsOf(ids.map((id) => toDelivery([Buffer.from(id), []], 0)));
  const args = [GROUP, consumer, first, last, ids.length, 0, 0, 0, 1000, 0, 0, ids.join(' '), 0];
  const lost = (await runScript(redis.client, 'complete', keys, args)) as number[];
  return lost.map((index) => entries[index - 1] as number);
}

async function left(): Promise<number[]> {
  const entries = await redis.client.xrange(keys.stream, '-', '+');
  return entries.map(([id]) => Number.parseInt(id));
}

async function pending(): Promise<number[]> {
  const rows = (await redis.client.xpending(keys.stream, GROUP, '-', '+', 1000)) as [string][];
  return rows.map(([id]) => Number.parseInt(id));
}

const group = (from = '0') => redis.client.xgroup('CREATE', keys.stream, GROUP, from, 'MKSTREAM');

describe('completing a batch', () => {
  test('at the head, with more waiting behind it', async () => {
    await group();
    await fill(300);
    await read('a', 250);
    expect(await complete('a', range(1, 200))).toEqual([]);
    expect(await left()).toEqual(range(201, 300));
    expect(await pending()).toEqual(range(201, 250));
  });

  test('behind a job that still runs', async () => {
    await group();
    await fill(100);
    await read('a', 100);
    expect(await complete('a', range(2, 60))).toEqual([]);
    expect(await left()).toEqual([1, ...range(61, 100)]);
    expect(await pending()).toEqual([1, ...range(61, 100)]);
    // The head is gone: what lay between is not there to be removed twice.
    expect(await complete('a', [1, ...range(61, 80)])).toEqual([]);
    expect(await left()).toEqual(range(81, 100));
  });

  test('around a job that still runs', async () => {
    await group();
    await fill(50);
    await read('a', 50);
    expect(await complete('a', [...range(1, 19), ...range(21, 40)])).toEqual([]);
    expect(await left()).toEqual([20, ...range(41, 50)]);
    expect(await pending()).toEqual([20, ...range(41, 50)]);
  });

  test('among those of another worker', async () => {
    await group();
    await fill(60);
    for (let i = 0; i < 30; i++) {
      await read('a', 1);
      await read('b', 1);
    }
    const odd = range(1, 60).filter((entry) => entry % 2 === 1);
    expect(await complete('a', odd)).toEqual([]);
    expect(await left()).toEqual(range(1, 60).filter((entry) => entry % 2 === 0));
    expect(await complete('b', await left())).toEqual([]);
    expect(await left()).toEqual([]);
  });

  test('some of which another worker has taken over', async () => {
    await group();
    await fill(40);
    await read('a', 40);
    await redis.client.xclaim(keys.stream, GROUP, 'b', 0, '7-0', '8-0', 'JUSTID');
    expect(await complete('a', range(1, 30))).toEqual([7, 8]);
    expect(await left()).toEqual([7, 8, ...range(31, 40)]);
    expect(await pending()).toEqual([7, 8, ...range(31, 40)]);
  });

  test('some of which another worker has taken over, and finished', async () => {
    await group();
    await fill(60);
    await read('a', 50);
    const taken = range(11, 20).map((entry) => `${String(entry)}-0`);
    await redis.client.xclaim(keys.stream, GROUP, 'b', 0, ...taken, 'JUSTID');
    expect(await complete('b', range(11, 20))).toEqual([]);
    // By now nobody but it holds anything.
    expect(await complete('a', range(1, 40))).toEqual(range(11, 20));
    expect(await left()).toEqual(range(41, 60));
    expect(await pending()).toEqual(range(41, 50));
  });

  test('between those of other workers', async () => {
    await group();
    await fill(120);
    for (const consumer of ['a', 'b', 'c']) await read(consumer, 40);
    expect(await complete('b', range(41, 80))).toEqual([]);
    expect(await left()).toEqual([...range(1, 40), ...range(81, 120)]);
    expect(await pending()).toEqual([...range(1, 40), ...range(81, 120)]);
    expect(await complete('b', range(1, 40))).toEqual(range(1, 40));
    expect(await pending()).toEqual([...range(1, 40), ...range(81, 120)]);
    expect(await complete('a', range(1, 40))).toEqual([]);
    expect(await left()).toEqual(range(81, 120));
  });

  test('among very many workers', async () => {
    await group();
    await fill(60);
    for (let i = 0; i < 20; i++) await read(`w${String(i)}`, 1);
    await read('a', 40);
    await redis.client.xclaim(keys.stream, GROUP, 'w3', 0, '30-0', 'JUSTID');
    expect(await complete('a', range(21, 50))).toEqual([30]);
    expect(await pending()).toEqual([...range(1, 20), 30, ...range(51, 60)]);
    expect(await left()).toEqual([...range(1, 20), 30, ...range(51, 60)]);
  });

  test('in another order than they were added', async () => {
    await group();
    await fill(40);
    await read('a', 40);
    expect(await complete('a', range(1, 30).reverse())).toEqual([]);
    expect(await left()).toEqual(range(31, 40));
    expect(await pending()).toEqual(range(31, 40));
  });

  test('none of which is held any more', async () => {
    await group();
    await fill(30);
    await read('a', 30);
    await redis.client.xgroup('DESTROY', keys.stream, GROUP);
    await group();
    expect(await complete('a', range(1, 20))).toEqual(range(1, 20));
    expect(await left()).toEqual(range(1, 30));
  });

  test('of which one was completed before, while one between them runs', async () => {
    await group();
    await fill(20);
    await read('a', 20);
    await complete('a', [5]);
    // As many pending between the first and the last as the batch has jobs, and yet others.
    expect(await complete('a', [...range(1, 5), ...range(7, 12)])).toEqual([5]);
    expect(await left()).toEqual([6, ...range(13, 20)]);
  });

  test('sent twice', async () => {
    await group();
    await fill(40);
    await read('a', 30);
    await complete('a', range(1, 20));
    expect(await complete('a', range(1, 20))).toEqual(range(1, 20));
    expect(await left()).toEqual(range(21, 40));
  });

  test('after entries that were there before the group and are not its own', async () => {
    await fill(10);
    await group('10-0');
    for (let i = 11; i <= 40; i++) await redis.client.xadd(keys.stream, `${String(i)}-0`, 'd', 'x');
    await read('a', 20);
    expect(await complete('a', range(11, 30))).toEqual([]);
    expect(await left()).toEqual([...range(1, 10), ...range(31, 40)]);
  });

  test('whose entries somebody deleted meanwhile', async () => {
    await group();
    await fill(30);
    await read('a', 20);
    await redis.client.xdel(keys.stream, '1-0', '5-0', '20-0');
    expect(await complete('a', range(1, 20))).toEqual([]);
    expect(await left()).toEqual(range(21, 30));
    await read('a', 10);
    await redis.client.xtrim(keys.stream, 'MAXLEN', 0);
    expect(await complete('a', range(21, 30))).toEqual([]);
    expect(await pending()).toEqual([]);
  });

  test('too small to gain by it', async () => {
    await group();
    await fill(5);
    await read('a', 5);
    expect(await complete('a', range(1, 3))).toEqual([]);
    expect(await left()).toEqual([4, 5]);
  });
});
