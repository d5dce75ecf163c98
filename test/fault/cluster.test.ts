import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisCluster } from '../../lib/testing/index.js';
import { withAdmin } from '../../lib/testing/server/admin.js';
import { violations } from '../support/fault/checker.js';
import { KINDS, SlotWatch } from '../support/fault/gated.js';
import { Rig } from '../support/fault/rig.js';

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});

afterAll(() => cluster.stop());

const worker = { claimMinIdleMs: 6_000, blockMs: 1_000, concurrency: 10 };

/** What an operator's resharding does with one slot, a few keys at a time. */
async function migrate(key: string, pauseMs: number): Promise<void> {
  const nodes = await Promise.all(
    cluster.nodes.map(async (node) => ({
      node,
      id: await withAdmin(node, (client) => client.call('CLUSTER', 'MYID') as Promise<string>),
    })),
  );
  const slot = await withAdmin(cluster.nodes[0]!, (client) => client.cluster('KEYSLOT', key));
  const from = nodes[Math.floor((slot * nodes.length) / 16_384)]!;
  const to = nodes.find((node) => node !== from)!;
  await withAdmin(to.node, (client) => client.cluster('SETSLOT', slot, 'IMPORTING', from.id));
  await withAdmin(from.node, (client) => client.cluster('SETSLOT', slot, 'MIGRATING', to.id));
  for (;;) {
    const keys = await withAdmin(from.node, (client) => client.cluster('GETKEYSINSLOT', slot, 20));
    if (keys.length === 0) break;
    await withAdmin(from.node, (client) =>
      client.call('MIGRATE', to.node.host, to.node.port, '', 0, 5_000, 'KEYS', ...keys),
    );
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  for (const { node } of [to, from, ...nodes]) {
    await withAdmin(node, (client) => client.cluster('SETSLOT', slot, 'NODE', to.id));
  }
}

describe('a cluster of three', () => {
  it.each(KINDS)(
    'works with a %s queue, and goes on while its slot moves to another node under load',
    async (kind) => {
      await using rig = new Rig({ connection: { cluster: [...cluster.startNodes] }, kind });
      const client = new Cluster([...cluster.startNodes]) as unknown as Redis;
      const producer = rig.producer();
      const slots = await SlotWatch.begin(kind, client, producer);
      const workers = [await rig.worker('one', worker), await rig.worker('two', worker)];
      let count = 0;
      const load = rig.load(4, async () => {
        count += 1;
        // No faster than the limit lets jobs start.
        if (kind === 'limited') await delay(20);
        return producer.add({ do: count % 5 === 0 ? 'fail' : 'finish' }, { attempts: 2, backoff: 20 });
      });
      await rig.until('COMPLETED', 200, 10_000);
      await migrate(rig.keys.stream, 50);
      const before = rig.ids('COMPLETED').size;
      // No read waits longer than its block time for entries that have moved away.
      await rig.until('COMPLETED', before + 1, worker.blockMs + 2_000);
      await rig.until('COMPLETED', before + 200, 20_000);
      await load.stop();
      await rig.drained(client, 15_000);
      await slots.verify(rig, () => {
        for (const { gate } of workers) gate.release();
      });
      expect(violations(await rig.check(client))).toEqual([]);
      client.disconnect();
    },
    60_000,
  );
});
