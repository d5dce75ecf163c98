import { Cluster, Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { useCluster, useRedis, useSentinel } from '../support/redis.js';

describe('useRedis', () => {
  const redis = useRedis();

  it('brings a server up again for the test after the one that killed it', async () => {
    await redis.client.set('left', 'behind');
    await redis.server.kill();
  });

  it('empties it between tests', async () => {
    expect(redis.server.running).toBe(true);
    expect(await redis.client.dbsize()).toBe(0);
  });
});

describe('useCluster', () => {
  const servers = useCluster();

  it('gives connection options that reach every node', async () => {
    const client = new Cluster(servers.connection.cluster);
    const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    client.disconnect();
    await servers.cluster.nodes[0]?.kill();
  });

  it('brings a killed node up again, and empties all', async () => {
    for (const node of servers.cluster.nodes) expect(await servers.client(node).dbsize()).toBe(0);
    const client = new Cluster(servers.connection.cluster);
    expect(await client.set('key', 'value')).toBe('OK');
    client.disconnect();
  });
});

describe('useSentinel', () => {
  const servers = useSentinel({ password: 'secret' });

  it('gives connection options that reach the master', async () => {
    const client = new Redis(servers.connection);
    expect((await client.role())[0]).toBe('master');
    client.disconnect();
    servers.sentinel.sentinels[0]?.pause();
    await servers.sentinel.sentinels[1]?.kill();
  });

  it('brings killed and paused sentinels back', async () => {
    expect(servers.sentinel.sentinels.every(({ running }) => running)).toBe(true);
    const [master] = servers.sentinel.servers;
    if (master) expect(await servers.sentinel.master()).toBe(master);
  });
});
