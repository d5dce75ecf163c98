import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisSentinel } from '../../lib/testing/index.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';

let sentinel: RedisSentinel;

beforeAll(async () => {
  sentinel = await RedisSentinel.start({ password: 'secret' });
});

afterAll(async () => {
  await sentinel.stop();
});

describe('RedisSentinel', () => {
  it('names its ports', () => {
    expect(sentinel.ports).toHaveLength(2);
    expect(new Set([...sentinel.ports, ...sentinel.sentinelPorts]).size).toBe(5);
  });

  it('has a replica that gets what is written from the start', async () => {
    await using fresh = await RedisSentinel.start();
    const [master, replica] = fresh.servers.map(({ host, port }) => new Redis({ host, port }));
    await master!.set('written', 'at once');
    // Replication takes a moment. A replica that is not served yet takes up to a second.
    const begun = performance.now();
    await waitUntil('The copy', 5_000, async () =>
      (await replica!.get('written')) === null ? 'not there' : undefined,
    );
    expect(performance.now() - begun).toBeLessThan(200);
    master!.disconnect();
    replica!.disconnect();
  });

  it('makes the replica master when the master dies, and a replica of the dead one when it returns', async () => {
    const client = new Redis({
      sentinels: [...sentinel.sentinelAddresses],
      name: sentinel.name,
      password: 'secret',
      retryStrategy: () => 50,
      sentinelRetryStrategy: () => 50,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => undefined);
    await client.set('kept', 'yes');
    await client.wait(1, 5_000);

    const first = await sentinel.master();
    await first.kill();
    await waitUntil('The failover', 15_000, async () =>
      (await sentinel.master()) === first ? 'the old master is still named' : undefined,
    );
    const second = await sentinel.master();
    expect(second.running).toBe(true);
    expect(await client.get('kept')).toBe('yes');

    await first.restart();
    await sentinel.ready();
    const [, , replicas] = (await client.role()) as [string, number, [string, string, string][]];
    expect(replicas.map(([, port]) => Number(port))).toEqual([first.port]);
    client.disconnect();
  }, 60_000);
});
