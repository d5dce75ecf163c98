import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import { RedisServer } from '../../lib/testing/index.js';
import { Redis } from 'ioredis';

describe('durability', () => {
  let master: RedisServer;
  let replica: RedisServer;

  beforeAll(async () => {
    master = await RedisServer.start();
    replica = await RedisServer.start({ args: ['--replicaof', master.host, String(master.port)] });
    const client = new Redis(master.url);
    // The replica has synchronized when it acknowledges a write.
    await client.set('probe', '1');
    while ((await client.wait(1, 1_000)) < 1);
    client.disconnect();
  });

  afterAll(async () => {
    replica.resume();
    await replica.stop();
    await master.stop();
  });

  it('resolves an add that a replica has confirmed', async () => {
    await using queue = new Queue('mails', {
      connection: { host: master.host, port: master.port },
      durability: { replicas: 1, timeoutMs: 5_000 },
    });
    const job = await queue.add('send', { to: 'ada' });
    const there = new Redis(replica.url);
    expect(await there.xlen(queue.keys.stream)).toBe(1);
    there.disconnect();
    expect(job.id).toHaveLength(26);
  });

  it('rejects an add that no replica confirms, and says that the job is in the queue', async () => {
    await using queue = new Queue('unconfirmed', {
      connection: { host: master.host, port: master.port },
      durability: { replicas: 1, timeoutMs: 100 },
    });
    replica.pause();
    const error: unknown = await queue.add('send', { to: 'ada' }).catch((reason: unknown) => reason);
    replica.resume();
    expect(error).toMatchObject({ code: 'CMQ-008', jobIds: [expect.stringMatching(/^[0-9A-Z]{26}$/)] });
    const client = new Redis(master.url);
    expect(await client.xlen(queue.keys.stream)).toBe(1);
    client.disconnect();
  });
});
