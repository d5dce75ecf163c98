import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { Queue, Worker } from '../../lib/engine/index.js';
import { RedisServer } from '../../lib/testing/index.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { violations } from '../support/fault/checker.js';
import { KINDS, SlotWatch } from '../support/fault/gated.js';
import { Rig } from '../support/fault/rig.js';

const BLOCK_MS = 1_000;
/** The longest pause between two attempts to connect. */
const BACKOFF_MS = 1_000;
const RECOVERY_MS = Math.max(BLOCK_MS, BACKOFF_MS) + 2_000;

const queue = { commandTimeoutMs: 3_000 };
const worker = { claimMinIdleMs: 1_000, blockMs: BLOCK_MS, concurrency: 10, commandTimeoutMs: 3_000 };

function control(server: RedisServer): Redis {
  const client = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  return client;
}

describe('kill -9 of Redis', () => {
  it.each(KINDS)(
    'of a %s queue with appendfsync always loses nothing, whenever it comes',
    async (kind) => {
      await using server = await RedisServer.start({ appendonly: 'always' });
      await using rig = new Rig({ connection: { host: server.host, port: server.port }, kind });
      const client = control(server);
      const producer = rig.producer('producer', queue);
      const slots = await SlotWatch.begin(kind, client, producer);
      const workers = [await rig.worker('one', worker), await rig.worker('two', worker)];
      const load = rig.load(4, () => producer.add({ do: 'finish' }));
      for (let kills = 1; kills <= 3; kills += 1) {
        await rig.until('COMPLETED', rig.ids('COMPLETED').size + 200, 10_000);
        await server.kill();
        await server.restart();
      }
      await rig.until('COMPLETED', rig.ids('COMPLETED').size + 200, 10_000);
      await load.stop();
      await rig.drained(client, 15_000);
      await slots.verify(rig, () => {
        for (const { gate } of workers) gate.release();
      });
      const findings = await rig.check(client);
      expect(findings.acked).toBeGreaterThan(800);
      // At each kill, what both workers had under way may run once more.
      expect(violations(findings, { extraRuns: 3 * 2 * worker.concurrency })).toEqual([]);
      client.disconnect();
    },
    60_000,
  );

  it('with appendfsync everysec loses adds of the last two seconds only', async () => {
    await using server = await RedisServer.start({ appendonly: 'everysec' });
    await using rig = new Rig({ connection: { host: server.host, port: server.port } });
    const client = control(server);
    const producer = rig.producer('producer', queue);
    const load = rig.load(4, async () => {
      await producer.add({ do: 'finish' });
      await delay(1);
    });
    await delay(3_000);
    const killedAt = Date.now();
    await server.kill();
    await load.stop(false);
    await server.restart();
    await load.stop();

    await rig.worker('worker', worker);
    await rig.drained(client, 15_000);
    const findings = await rig.check(client);
    const ackedAt = new Map(rig.of('ACK').map(({ id, at }) => [id, at]));
    const early = findings.lost.filter((id) => ackedAt.get(id)! < killedAt - 2_000);
    expect(early).toEqual([]);
    expect(violations(findings, { lost: findings.lost.length })).toEqual([]);
    client.disconnect();
  }, 30_000);
});

describe('Redis that starts again with no data', () => {
  it('the limit that a running worker declares holds from the first job on', async () => {
    await using server = await RedisServer.start();
    const connection = { host: server.host, port: server.port };
    const queue = new Queue('limited', { connection });
    const starts: number[] = [];
    const limiter = { max: 5, duration: 500 };
    const worker = new Worker('limited', () => void starts.push(performance.now()), { connection, limiter });
    queue.on('error', () => undefined);
    worker.on('error', () => undefined);
    await worker.waitUntilReady();
    await server.kill();
    await server.restart();
    await waitUntil('The limit', RECOVERY_MS, async () => {
      const limit = await queue.getGlobalRateLimit().catch(String);
      return limit !== null && typeof limit === 'object' ? undefined : String(limit);
    });
    await queue.addBulk(Array.from({ length: 15 }, () => ({ name: 'a', data: 1 })));
    await waitUntil('The jobs', 10_000, () =>
      Promise.resolve(starts.length === 15 ? undefined : String(starts.length)),
    );
    // Three windows: the third one begins two durations after the first.
    expect((starts[10] as number) - (starts[0] as number)).toBeGreaterThan(900);
    await Promise.all([worker.close(), queue.close()]);
  }, 30_000);
});

describe('Redis away when a worker starts', () => {
  it('the worker starts by itself when Redis is there', async () => {
    await using server = await RedisServer.start();
    await using rig = new Rig({ connection: { host: server.host, port: server.port } });
    await server.kill();
    const starting = rig.worker('worker', { ...worker, connectTimeoutMs: 500 });
    await waitUntil('The report of the outage', 10_000, async () => {
      const count = rig.of('ERROR', 'worker').length;
      return count === 1 ? undefined : `${count}`;
    });
    // Long enough for two starts to fail, which is told no more.
    await delay(2_500);
    expect(rig.of('ERROR', 'worker')).toHaveLength(1);
    await server.restart();
    await starting;
    await rig.producer().add({ do: 'finish' });
    await rig.until('COMPLETED', 1, RECOVERY_MS);
  });
});

describe('Redis away for six seconds', () => {
  it.concurrent.each(['SIGSTOP', 'SIGKILL'] as const)(
    'by %s: work goes on by itself',
    async (signal) => {
      await using server = await RedisServer.start({ appendonly: 'always' });
      await using rig = new Rig({ connection: { host: server.host, port: server.port } });
      const client = control(server);
      await rig.worker('one', worker);
      await rig.worker('two', worker);
      const producer = rig.producer('producer', queue);
      const load = rig.load(2, () => producer.add({ do: 'sleep', ms: 20 }));
      await rig.until('COMPLETED', 50, 10_000);

      if (signal === 'SIGSTOP') server.pause();
      else await server.kill();
      await delay(6_000);
      const before = rig.ids('COMPLETED').size;
      if (signal === 'SIGSTOP') server.resume();
      else await server.restart();
      await rig.until('COMPLETED', before + 50, RECOVERY_MS);

      await load.stop();
      await rig.drained(client, 15_000);
      expect(violations(await rig.check(client), { extraRuns: 2 * worker.concurrency })).toEqual([]);
      client.disconnect();
    },
    30_000,
  );
});

describe('Redis away for less than a lease', () => {
  it('makes no job run twice: leases look expired, but their worker lives', async () => {
    await using server = await RedisServer.start();
    await using rig = new Rig({ connection: { host: server.host, port: server.port } });
    const client = control(server);
    const settings = { ...worker, claimMinIdleMs: 1_500 };
    await rig.worker('one', settings);
    await rig.worker('two', settings);
    await rig.producer('producer', queue).addMany(10, { do: 'sleep', ms: 4_500 });
    await rig.until('START', 10, 5_000);
    for (let times = 1; times <= 2; times += 1) {
      await delay(300);
      server.pause();
      await delay(1_300);
      server.resume();
    }
    await rig.drained(client, 15_000);
    expect(rig.of('START')).toHaveLength(10);
    expect(violations(await rig.check(client))).toEqual([]);
    client.disconnect();
  }, 30_000);
});
