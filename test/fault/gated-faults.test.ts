import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { RedisServer } from '../../lib/testing/index.js';
import { violations } from '../support/fault/checker.js';
import { KINDS, SlotWatch } from '../support/fault/gated.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis({ leakCheck: false });
const BLOCK_MS = 500;
const RECOVERY_MS = BLOCK_MS + 2_000;
const LEASE_MS = 900;
const worker = { claimMinIdleMs: LEASE_MS, blockMs: BLOCK_MS, concurrency: 20, commandTimeoutMs: 2_000 };
const GATED = KINDS.filter((kind) => kind !== 'plain');

describe('a server at its memory limit', () => {
  it.each(GATED)(
    'refuses adds to a %s queue as a whole, and the queue drains within its limits',
    async (kind) => {
      await using rig = new Rig({ connection: redis.connection, kind });
      const producer = rig.producer();
      const slots = await SlotWatch.begin(kind, redis.client, producer);
      const workers = [await rig.spawn('one', worker), await rig.spawn('two', worker)];
      const load = rig.load(2, async () => {
        await delay(4);
        return producer.add({ do: 'sleep', ms: 20 }, { attempts: 3, backoff: 20 });
      });
      await rig.until('COMPLETED', 50, 10_000);
      await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
      await redis.client.config('SET', 'maxmemory', '1');
      try {
        await rig.until('REJECT', 20, 5_000);
        await load.stop();
        await rig.drained(redis.client, 10_000);
      } finally {
        await redis.client.config('SET', 'maxmemory', '0');
      }
      await slots.verify(rig, () => Promise.all(workers.map((child) => child.release())));
      expect(violations(await rig.check(redis.client))).toEqual([]);
    },
    40_000,
  );
});

describe('workers of a gated queue that are killed', () => {
  it.each(GATED)(
    'all of a %s queue, one after the other, by SIGKILL and SIGSTOP',
    async (kind) => {
      await using rig = new Rig({ connection: redis.connection, kind });
      const producer = rig.producer();
      const slots = await SlotWatch.begin(kind, redis.client, producer);
      let workers = await Promise.all(['a', 'b', 'c'].map((name) => rig.spawn(name, worker)));
      const load = rig.load(3, async () => {
        await delay(10);
        return producer.add({ do: 'sleep', ms: 20 }, { attempts: 20, backoff: 20 });
      });
      for (const victim of workers) {
        await rig.until('COMPLETED', rig.ids('COMPLETED').size + 30, 10_000);
        if (victim.name === 'b') {
          victim.signal('SIGSTOP');
          await delay(1.5 * LEASE_MS);
          victim.signal('SIGCONT');
        } else await victim.kill();
        workers = [
          ...workers.filter(({ running }) => running),
          await rig.spawn(`after ${victim.name}`, worker),
        ];
      }
      await load.stop();
      await rig.drained(redis.client, 15_000, 2 * LEASE_MS);
      await slots.verify(rig, () => Promise.all(workers.map((child) => child.release())));
      const tier = { extraRuns: 3 * worker.concurrency };
      expect(violations(await rig.check(redis.client), tier)).toEqual([]);
    },
    60_000,
  );
});

const losses = {
  FLUSHALL: (_: RedisServer, client: Redis): Promise<unknown> => client.flushall(),
  FLUSHDB: (_: RedisServer, client: Redis): Promise<unknown> => client.flushdb(),
  'a start of Redis with no data': async (server: RedisServer): Promise<unknown> => {
    await server.kill();
    return server.restart();
  },
};

describe.each(Object.keys(losses) as (keyof typeof losses)[])('%s', (loss) => {
  it.each(GATED)(
    'while a %s queue is busy: work goes on, and new limits hold from the first job on',
    async (kind) => {
      await using server = await RedisServer.start();
      await using rig = new Rig({ connection: { host: server.host, port: server.port }, kind });
      const client = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
      client.on('error', () => undefined);
      const before = rig.producer('before', { commandTimeoutMs: 2_000 });
      await SlotWatch.begin(kind, client, before);
      const workers = [await rig.worker('one', worker), await rig.worker('two', worker)];
      const load = rig.load(2, () => before.add({ do: 'sleep', ms: 10 }));
      await rig.until('COMPLETED', 50, 10_000);
      await losses[loss](server, client);
      const completed = rig.ids('COMPLETED').size;
      await rig.until('COMPLETED', completed + 1, RECOVERY_MS);
      await load.stop();
      await client.flushall();
      // What ran then has lost its lease.
      await rig.drained(client, 10_000, 2 * LEASE_MS);

      const producer = rig.producer('producer');
      const slots = await SlotWatch.begin(kind, client, producer);
      await producer.addMany(100, { do: 'sleep', ms: 10 });
      await rig.drained(client, 10_000);
      await slots.verify(rig, () => {
        for (const { gate } of workers) gate.release();
      });
      const { committedTwice, placedTwice, phantom } = await rig.check(client);
      expect({ committedTwice, placedTwice, phantom }).toEqual({
        committedTwice: [],
        placedTwice: [],
        phantom: [],
      });
      client.disconnect();
    },
    40_000,
  );
});
