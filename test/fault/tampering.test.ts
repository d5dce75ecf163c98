import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { violations } from '../support/fault/checker.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const BLOCK_MS = 1_000;
const RECOVERY_MS = BLOCK_MS + 2_000;
const worker = { claimMinIdleMs: 1_000, blockMs: BLOCK_MS, concurrency: 10 };

let rig: Rig;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
});

afterEach(() => rig.close());

describe('SCRIPT FLUSH ten times a second', () => {
  it('loses nothing and doubles nothing', async () => {
    await rig.worker('one', { ...worker, claimMinIdleMs: 6_000 });
    await rig.worker('two', { ...worker, claimMinIdleMs: 6_000 });
    const producer = rig.producer();
    let count = 0;
    const load = rig.load(4, () => {
      count += 1;
      return producer.add({ do: count % 4 === 0 ? 'fail' : 'finish' }, { attempts: 2, backoff: 10 });
    });
    for (let times = 1; times <= 25; times += 1) {
      await delay(100);
      await redis.client.script('FLUSH');
    }
    await load.stop();
    await rig.drained(redis.client, 10_000);
    expect(rig.ids('ACK').size).toBeGreaterThan(100);
    expect(violations(await rig.check(redis.client))).toEqual([]);
    expect(rig.of('ERROR')).toEqual([]);
  });
});

describe('what somebody deletes from a live queue', () => {
  const deeds = {
    'the group (XGROUP DESTROY)': () => redis.client.xgroup('DESTROY', rig.keys.stream, 'default'),
    'the stream (DEL)': () => redis.client.del(rig.keys.stream),
    'everything (FLUSHALL)': () => redis.client.flushall(),
  };

  it.each(Object.keys(deeds))('%s: the worker recovers by itself, idle or busy', async (name) => {
    const deed = deeds[name as keyof typeof deeds];
    const { gate } = await rig.worker('worker', worker);
    const producer = rig.producer();
    await deed();
    await producer.addMany(20, { do: 'finish' });
    await rig.until('COMPLETED', 20, RECOVERY_MS);

    await producer.addMany(5, { do: 'hold-deaf' });
    await rig.until('START', 25, 5_000);
    await deed();
    gate.release();
    await producer.addMany(20, { do: 'finish' });
    await rig.until('COMPLETED', 40, RECOVERY_MS);
    await rig.drained(redis.client, 5_000);
  });

  it('the group, with jobs waiting: they all run', async () => {
    const { gate } = await rig.worker('worker', worker);
    const producer = rig.producer();
    await producer.addMany(10, { do: 'hold-deaf' });
    await rig.until('START', 10, 5_000);
    await producer.addMany(100, { do: 'finish' });
    await redis.client.xgroup('DESTROY', rig.keys.stream, 'default');
    gate.release();
    await rig.until('FINISH', 110, RECOVERY_MS);
    await rig.drained(redis.client, 5_000);
    // What ran when the group went has lost its lease with it, and runs once more.
    expect(violations(await rig.check(redis.client), { extraRuns: worker.concurrency })).toEqual([]);
  });
});
