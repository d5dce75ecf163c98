import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { RedisSentinel } from '../../lib/testing/index.js';
import { withAdmin } from '../../lib/testing/server/admin.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { violations } from '../support/fault/checker.js';
import { Rig } from '../support/fault/rig.js';

const worker = { claimMinIdleMs: 2_000, blockMs: 1_000, concurrency: 10, commandTimeoutMs: 3_000 };

// The old master is demoted while clients are connected to it: they get READONLY and UNBLOCKED.
it('a failover under load: work goes on by itself, and nothing is done twice that stands done', async () => {
  await using sentinel = await RedisSentinel.start();
  const connection = { sentinels: [...sentinel.sentinelAddresses], name: sentinel.name };
  await using rig = new Rig({ connection });
  const client = new Redis({ ...connection, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await rig.worker('one', worker);
  await rig.worker('two', worker);
  const producer = rig.producer('producer', { commandTimeoutMs: 3_000 });
  const load = rig.load(2, () => producer.add({ do: 'sleep', ms: 5 }));
  await rig.until('COMPLETED', 100, 10_000);

  const old = await sentinel.master();
  await withAdmin(sentinel.sentinels[0]!, (admin) => admin.call('SENTINEL', 'FAILOVER', sentinel.name));
  await waitUntil('The failover', 20_000, async () =>
    (await sentinel.master()) === old ? 'the old master is still named' : undefined,
  );
  const before = rig.ids('COMPLETED').size;
  await rig.until('COMPLETED', before + 100, 10_000);

  await load.stop();
  await rig.drained(client, 15_000);
  const findings = await rig.check(client);
  // Replication is asynchronous: what the new master had not received is gone, adds and completions alike.
  const behind = { lost: findings.lost.length, extraRuns: findings.extraRuns };
  expect(findings.lost.length).toBeLessThan(findings.acked / 2);
  expect(violations(findings, behind)).toEqual([]);
  client.disconnect();
}, 90_000);
