import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { readStored, violations } from '../support/fault/checker.js';
import { seeded } from '../support/fault/load.js';
import { Rig } from '../support/fault/rig.js';
import { TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const BLOCK_MS = 2_000;
const COMMAND_TIMEOUT_MS = 1_500;
/** Longer than every fault here: nothing is taken over, so nothing may run twice. */
const LEASE_MS = 6_000;
const RECOVERY_MS = BLOCK_MS + 2_000;

const queue = { commandTimeoutMs: COMMAND_TIMEOUT_MS };
const worker = {
  claimMinIdleMs: LEASE_MS,
  blockMs: BLOCK_MS,
  concurrency: 10,
  commandTimeoutMs: COMMAND_TIMEOUT_MS,
};

let proxy: TcpProxy;
let rig: Rig;

beforeEach(async () => {
  proxy = await TcpProxy.start(redis.connection);
  rig = new Rig({ connection: { host: proxy.host, port: proxy.port } });
});

afterEach(async () => {
  await rig.close();
  await proxy.stop();
});

describe('between client and Redis', () => {
  it('a black hole without a FIN for two seconds: work goes on by itself', async () => {
    await rig.worker('worker', worker);
    const producer = rig.producer('producer', queue);
    const load = rig.load(4, () => producer.add({ do: 'finish' }));
    await rig.until('COMPLETED', 100, 5_000);
    proxy.blackhole(true);
    await delay(2_000);
    proxy.blackhole(false);
    const before = rig.ids('COMPLETED').size;
    await rig.until('COMPLETED', before + 100, RECOVERY_MS);
    await load.stop();
    await rig.drained(redis.client, 2 * LEASE_MS);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  }, 30_000);

  it('adds whose replies are lost are added once, and say what they would have said', async () => {
    const { queue: jobs } = rig.producer('producer', queue);
    const taken = await jobs.add('task', { do: 'finish' }, { jobId: 'taken' });
    expect(taken.duplicate).toBe(false);
    for (let round = 1; round <= 5; round += 1) {
      proxy.blackholeReplies(true);
      const before = await redis.client.xlen(rig.keys.stream);
      const adds = [
        ...Array.from({ length: 40 }, () => jobs.add('task', { do: 'finish' })),
        jobs.add('task', { do: 'finish' }, { jobId: `new-${round}` }),
        jobs.add('task', { do: 'finish' }, { jobId: 'taken' }),
      ];
      await waitUntil('The adds', 2_000, async () =>
        (await redis.client.xlen(rig.keys.stream)) > before ? undefined : 'have not arrived',
      );
      proxy.blackholeReplies(false);
      proxy.cut();
      const added = await Promise.all(adds);
      expect(added.map(({ duplicate }) => duplicate)).toEqual([
        ...Array.from({ length: 41 }, () => false),
        true,
      ]);
    }
    const { stream } = await readStored(redis.client, rig.keys);
    expect(stream).toHaveLength(1 + 5 * 41);
    expect(new Set(stream).size).toBe(stream.length);
  });

  it('completions, retries and dead letters whose replies are lost are committed once', async () => {
    const random = seeded(6);
    await rig.worker('one', worker);
    await rig.worker('two', worker);
    const producer = rig.producer('producer', queue);
    let count = 0;
    const load = rig.load(4, () => {
      count += 1;
      return count % 3 === 0
        ? producer.add({ do: 'fail' }, { attempts: 2, backoff: 20, jobId: `bad-${count}` })
        : producer.add({ do: 'finish' }, { jobId: `good-${count}` });
    });
    for (let round = 1; round <= 6; round += 1) {
      await delay(50 + 200 * random());
      proxy.blackholeReplies(true);
      await delay(30 + 100 * random());
      proxy.blackholeReplies(false);
      proxy.cut();
    }
    await load.stop();
    await rig.drained(redis.client, 3 * LEASE_MS);
    const findings = await rig.check(redis.client);
    expect(violations(findings)).toEqual([]);
    const bad = [...rig.ids('ACK')].filter((id) => id.startsWith('bad-'));
    const { dlq } = await readStored(redis.client, rig.keys);
    expect([...dlq].sort()).toEqual(bad.sort());
    const runs = new Map<string, (number | undefined)[]>(bad.map((id) => [id, []]));
    for (const { id, attempt } of rig.of('START')) runs.get(id)?.push(attempt);
    expect([...runs].filter(([, attempts]) => attempts.join() !== '1,2')).toEqual([]);
  }, 30_000);

  it('every answer a tenth of a second late, and new connections refused for a second: work goes on', async () => {
    await rig.worker('worker', worker);
    const producer = rig.producer('producer', queue);
    proxy.delay(100);
    await producer.addMany(50, { do: 'finish' });
    await rig.until('COMPLETED', 50, 5_000);
    proxy.delay(0);
    await proxy.refuse(true);
    proxy.cut();
    const adds = producer.addMany(50, { do: 'finish' });
    await delay(1_000);
    await proxy.refuse(false);
    await adds;
    await rig.until('COMPLETED', 100, RECOVERY_MS);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });
});

describe('CLIENT KILL of every connection, five times a second', () => {
  it('loses nothing and doubles nothing', async () => {
    await rig.worker('one', worker);
    await rig.worker('two', worker);
    const producer = rig.producer('producer', queue);
    const load = rig.load(4, () => producer.add({ do: 'finish' }));
    for (let times = 1; times <= 20; times += 1) {
      await delay(200);
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
    const before = rig.ids('COMPLETED').size;
    await rig.until('COMPLETED', before + 50, RECOVERY_MS);
    await load.stop();
    await rig.drained(redis.client, 2 * LEASE_MS);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  }, 30_000);
});
