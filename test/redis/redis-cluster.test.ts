import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisCluster } from '../../lib/testing/index.js';

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});

afterAll(async () => {
  await cluster.stop();
});

describe('RedisCluster', () => {
  it('serves every slot from three masters', async () => {
    const client = new Cluster([...cluster.startNodes]);
    const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
    const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()));
    expect(sizes).toHaveLength(3);
    expect(sizes.every((size) => size > 0)).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(300);
    client.disconnect();
  });

  it('names its ports', () => {
    expect(cluster.ports).toEqual(cluster.nodes.map(({ port }) => port));
    expect(new Set(cluster.ports).size).toBe(3);
  });
});
