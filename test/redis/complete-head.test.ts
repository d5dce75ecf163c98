import { describe, expect, test } from 'vitest';
import { queueKeys } from '../../lib/redis/keys.js';
import { boundsOf, gapsOf, toDelivery } from '../../lib/engine/worker/lease/delivery.js';
import { complete as completeBatch } from '../../lib/redis/scripts/complete.js';
import { runnerOn } from '../support/script-runner.js';
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

/** Completes entries as a worker does that read all of them in a row; resolves with the numbers of those that it had lost. */
async function complete(
  consumer: string,
  entries: readonly number[],
  inFlight = entries.length,
): Promise<number[]> {
  const ids = entries.map((entry) => `${String(entry)}-0`);
  const deliveries = ids.map((id) => toDelivery([Buffer.from(id), []], 0));
  deliveries.forEach((delivery, index) => (delivery.place = entries[index]!));
  const [first, last] = boundsOf(deliveries);
  const { lost } = await completeBatch(runnerOn(redis.client), keys, {
    group: GROUP,
    consumerId: consumer,
    first,
    last,
    jobs: deliveries,
    unannounced: 0,
    gaps: gapsOf(deliveries),
    storesResults: false,
    resultTtlMs: 1_000,
    tracked: [],
    worker: '',
    bounds: {},
    dedups: [],
    eventsCap: 0,
    eventsBatchFrom: 0,
    inFlight,
  });
  return lost.map((index) => entries[index] as number);
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

  test('none of which is in flight any more', async () => {
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

  test('whose group was set back to before its second read, as by a failover that has lost it', async () => {
    await group();
    await fill(30);
    await read('a', 10);
    await read('a', 10);
    await redis.client.xgroup('SETID', keys.stream, GROUP, '10-0');
    await redis.client.xack(keys.stream, GROUP, ...range(11, 20).map((entry) => `${String(entry)}-0`));
    const batch = range(1, 20).filter((entry) => entry !== 15);
    expect(await complete('a', batch, 20)).toEqual(range(11, 20).filter((entry) => entry !== 15));
    expect(await left()).toEqual(range(11, 30));
    await read('b', 20);
    expect(await pending()).toEqual(range(11, 30));
  });

  test('whose group was set back, where as many deliveries as it has lost make the count right', async () => {
    await group();
    await fill(40);
    await read('a', 20);
    await redis.client.xack(keys.stream, GROUP, ...range(11, 20).map((entry) => `${String(entry)}-0`));
    await redis.client.xgroup('SETID', keys.stream, GROUP, '30-0');
    await read('a', 10);
    await redis.client.xgroup('SETID', keys.stream, GROUP, '10-0');
    expect(await complete('a', range(1, 20), 20)).toEqual(range(11, 20));
    expect(await left()).toEqual(range(11, 40));
  });

  test('whose group was set back while the deliveries stand', async () => {
    await group();
    await fill(30);
    await read('a', 20);
    await redis.client.xgroup('SETID', keys.stream, GROUP, '10-0');
    expect(await complete('a', [...range(1, 14), ...range(16, 20)], 20)).toEqual([]);
    expect(await left()).toEqual([15, ...range(21, 30)]);
    expect(await pending()).toEqual([15]);
  });

  test('whose group was set forward between two reads: what nobody has had stays', async () => {
    await group();
    await fill(40);
    await read('a', 10);
    await redis.client.xgroup('SETID', keys.stream, GROUP, '15-0');
    await read('a', 15);
    expect(await complete('a', [...range(1, 10), ...range(16, 30)])).toEqual([]);
    expect(await left()).toEqual([...range(11, 15), ...range(31, 40)]);
  });

  test('where entries of many reads lie in a row with those of another worker between them, and are gone', async () => {
    await group();
    await fill(40);
    await read('a', 10);
    await read('b', 10);
    await read('a', 10);
    await complete('b', range(11, 20));
    expect(await complete('a', [...range(1, 10), ...range(21, 30)])).toEqual([]);
    expect(await left()).toEqual(range(31, 40));
  });

  test('some of which somebody has acknowledged and not deleted', async () => {
    await group();
    await fill(30);
    await read('a', 20);
    await redis.client.xack(keys.stream, GROUP, '5-0', '20-0');
    expect(await complete('a', range(1, 20), 20)).toEqual([5, 20]);
    expect(await left()).toEqual([5, ...range(20, 30)]);
  });

  test('that has an entry twice', async () => {
    await group();
    await fill(30);
    await read('a', 20);
    expect(await complete('a', [...range(1, 20), 7], 20)).toEqual([7]);
    expect(await left()).toEqual(range(21, 30));
  });

  test('of a group beside another that has more to read', async () => {
    await group();
    await fill(30);
    await redis.client.xgroup('CREATE', keys.stream, 'other', '0');
    await read('a', 20);
    const readOther = ['GROUP', 'other', 'x', 'COUNT', 5, 'STREAMS', keys.stream, '>'] as const;
    await redis.client.call('XREADGROUP', ...readOther);
    expect(await complete('a', [...range(1, 7), ...range(9, 20)], 20)).toEqual([]);
    expect(await left()).toEqual([8, ...range(21, 30)]);
  });

  test('too small to gain by it', async () => {
    await group();
    await fill(5);
    await read('a', 5);
    expect(await complete('a', range(1, 3))).toEqual([]);
    expect(await left()).toEqual([4, 5]);
  });
});
