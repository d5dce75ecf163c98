import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readStored, violations } from '../support/fault/checker.js';
import { seeded } from '../support/fault/load.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

let rig: Rig;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
});

afterEach(() => rig.close());

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}

describe('one id, many producers', () => {
  it('50 producers that race on the same 1,000 ids, at once and delayed, while workers run: 1,000 runs', async () => {
    const random = seeded(10);
    await rig.worker('one', { blockMs: 500 });
    await rig.worker('two', { blockMs: 500 });
    const ids = Array.from({ length: 1_000 }, (_, i) => `id-${i}`);
    const race = async (number: number): Promise<void> => {
      // Each with a connection of its own.
      const producer = rig.producer(`producer-${number}`, {}, { ...redis.connection });
      const order = shuffled(ids, random);
      for (let from = 0; from < order.length; from += 100) {
        await Promise.all(
          order.slice(from, from + 100).map((jobId) => {
            const late = random() < 0.5;
            return producer.add(
              { do: 'finish' },
              late ? { jobId, delay: Math.ceil(random() * 300) } : { jobId },
            );
          }),
        );
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, number) => race(number)));
    await rig.drained(redis.client, 10_000);
    await rig.until('COMPLETED', 1_000, 5_000);
    expect(rig.of('ACK')).toHaveLength(50_000);
    expect(rig.of('ACK').filter(({ detail }) => detail !== 'duplicate')).toHaveLength(1_000);
    expect(rig.of('START')).toHaveLength(1_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  }, 60_000);
});

describe('one id, many processes', () => {
  it('50 processes that add the same 1,000 ids, at once and delayed, while workers run: 1,000 runs', async () => {
    const random = seeded(50);
    await rig.worker('one', { blockMs: 500 });
    await rig.worker('two', { blockMs: 500 });
    const processes = await Promise.all(Array.from({ length: 50 }, (_, n) => rig.fork(`process-${n}`)));
    const ids = Array.from({ length: 1_000 }, (_, i) => `id-${i}`);
    await Promise.all(
      processes.map((child) =>
        child.add(
          shuffled(ids, random).map((id) => ({
            id,
            task: { do: 'finish' },
            ...(random() < 0.5 ? { options: { delay: Math.ceil(random() * 300) } } : {}),
          })),
        ),
      ),
    );
    await rig.drained(redis.client, 10_000);
    await rig.until('COMPLETED', 1_000, 5_000);
    expect(rig.of('ACK').filter(({ detail }) => detail !== 'duplicate')).toHaveLength(1_000);
    expect(rig.of('ACK')).toHaveLength(50_000);
    expect(rig.of('START')).toHaveLength(1_000);
  }, 90_000);
});

describe('four replays of the same dead letters', () => {
  it('of which two are killed: each dead letter is replayed once', async () => {
    const random = seeded(4);
    const failing = await rig.worker('failing', { blockMs: 500 });
    const producer = rig.producer();
    for (let i = 0; i < 5; i += 1) await producer.addMany(400, { do: 'fail' }, { attempts: 1 });
    await rig.until('FAILED', 2_000, 10_000);
    await failing.worker.close();
    expect(await redis.client.xlen(rig.keys.dlq)).toBe(2_000);

    const replayers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => rig.fork(name)));
    const replays = replayers.map((child) => child.replay(2_000));
    const kills = replayers.slice(0, 2).map(async (child) => {
      await delay(5 + 40 * random());
      await child.kill();
    });
    await Promise.allSettled(replays);
    await Promise.all(kills);
    await producer.queue.replayDlq(2_000);

    const { stream, dlq } = await readStored(redis.client, rig.keys);
    expect(dlq).toEqual([]);
    expect(stream).toHaveLength(2_000);
    expect(new Set(stream).size).toBe(2_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  }, 30_000);
});
