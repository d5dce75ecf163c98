import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConnectionError, Queue } from '../../lib/engine/index.js';
import { RedisCluster, RedisSentinel, RedisServer } from '../../lib/testing/index.js';
import { withAdmin } from '../../lib/testing/server/admin.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { violations } from '../support/fault/checker.js';
import { failOver, untilRole } from '../support/fault/fail-over.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

/** A pause reaches every worker that runs within one second. */
const SECOND = 1_000;

/** The jobs that started after a time. */
function startedAfter(rig: Rig, time: number, by?: string): string[] {
  return rig.of('START', by).flatMap(({ at, id }) => (at > time ? [id] : []));
}

describe('a pause', () => {
  let rig: Rig;
  let queue: Queue;

  beforeEach(() => {
    rig = new Rig({ connection: redis.connection });
    queue = rig.producer('steers').queue;
  });
  afterEach(() => rig.close());

  it('stops five processes within a second; after the resume, each job has run exactly once', async () => {
    const names = ['one', 'two', 'three', 'four', 'five'];
    const processes = await Promise.all(names.map((name) => rig.spawn(name, { concurrency: 2 })));
    await rig.producer().addMany(1_500, { do: 'sleep', ms: 10 });
    await rig.until('COMPLETED', 200, 10_000);
    await queue.pause();
    const paused = Date.now();
    await delay(2 * SECOND);
    expect(startedAfter(rig, paused + SECOND)).toEqual([]);
    const { waiting, active } = await queue.getBacklog();
    expect({ active, isLeft: waiting > 0 }).toEqual({ active: 0, isLeft: true });
    expect((await queue.getWorkers()).map((worker) => worker.paused)).toEqual(names.map(() => true));
    await queue.resume();
    await rig.drained(redis.client, 20_000);
    await rig.until('COMPLETED', 1_500, 5_000);
    for (const process of processes) await process.close();
    const findings = await rig.check(redis.client);
    expect(violations(findings)).toEqual([]);
    expect(findings.extraRuns).toBe(0);
  }, 60_000);

  it.each([
    ['', false],
    [', even if it does not learn of the pause by its wake stream', true],
  ])(
    'while a process is stopped (SIGSTOP): it starts nothing of what it has fetched when it goes on%s',
    async (_, isLost) => {
      const stops = await rig.spawn('stops', { concurrency: 1, batch: 64 });
      const producer = rig.producer();
      await producer.addMany(3_000, { do: 'sleep', ms: 1 });
      await rig.until('COMPLETED', 100, 10_000);
      stops.signal('SIGSTOP');
      // Its last records are on their way here.
      await delay(200);
      expect((await queue.getBacklog()).active).toBeGreaterThan(1);
      if (isLost) await redis.client.del(...(await redis.client.keys('*wake:worker:*')));
      await queue.pause();
      await producer.addMany(10, { do: 'finish' });
      await delay(2 * SECOND);
      const continued = Date.now();
      stops.signal('SIGCONT');
      await waitUntil('The release of what was fetched', 5_000, async () => {
        const { active } = await queue.getBacklog();
        return active === 0 ? undefined : `${active} active`;
      });
      await delay(SECOND);
      expect(startedAfter(rig, continued)).toEqual([]);
      await queue.resume();
      await rig.drained(redis.client, 20_000);
      await rig.until('COMPLETED', 3_010, 5_000);
      expect(violations(await rig.check(redis.client))).toEqual([]);
    },
    60_000,
  );

  it('survives kill -9 of every worker: those that start afterwards wait for the resume, and reclaim then', async () => {
    const settings = { claimMinIdleMs: 600, concurrency: 5, blockMs: 500 };
    const dies = await rig.spawn('dies', settings);
    await rig.producer().addMany(20, { do: 'hold' }, { attempts: 5 });
    await rig.until('START', 5, 5_000);
    await queue.pause();
    await dies.kill();
    const heir = await rig.spawn('heir', settings);
    await delay(2 * SECOND);
    expect(rig.ids('START', 'heir').size).toBe(0);
    await queue.resume();
    await heir.release();
    await rig.drained(redis.client, 15_000);
    await rig.until('COMPLETED', 20, 5_000, 'heir');
    const findings = await rig.check(redis.client);
    expect(violations(findings, { extraRuns: settings.concurrency })).toEqual([]);
  }, 60_000);

  it('survives kill -9 of Redis with AOF always', async () => {
    await using server = await RedisServer.start({
      args: ['--appendonly', 'yes', '--appendfsync', 'always'],
    });
    await using here = new Rig({ connection: { host: server.host, port: server.port } });
    const steers = here.producer('steers').queue as Queue;
    await here.worker('one', { concurrency: 5, blockMs: 500 });
    await steers.pause();
    await here.producer().addMany(50, { do: 'finish' });
    await server.kill();
    await server.restart();
    await waitUntil('An answer', 10_000, async () =>
      steers.isPaused().then(
        (is) => (is ? undefined : 'not paused'),
        (error: unknown) => String(error),
      ),
    );
    await delay(SECOND);
    expect(here.ids('START').size).toBe(0);
    await steers.resume();
    await here.until('COMPLETED', 50, 10_000);
  }, 60_000);
});

/** Pauses and resumes in turns until `done`. Each call succeeds or fails as documented. */
async function steerUntil(queue: Queue, done: () => boolean): Promise<{ ok: number; failed: number }> {
  const counts = { ok: 0, failed: 0 };
  for (let isPause = true; !done(); isPause = !isPause) {
    try {
      await (isPause ? queue.pause() : queue.resume());
      counts.ok += 1;
    } catch (error) {
      expect(error).toBeInstanceOf(ConnectionError);
      counts.failed += 1;
    }
    await delay(5);
  }
  return counts;
}

describe('pause on a server that fails over', () => {
  const worker = { claimMinIdleMs: 3_000, blockMs: 1_000, concurrency: 5, commandTimeoutMs: 3_000 };

  /** Pauses and resumes while the server fails over. Then a pause is in effect, and nothing starts before the resume. */
  async function steerThrough(connection: object, begin: (rig: Rig) => Promise<void>): Promise<void> {
    await using rig = new Rig({ connection: connection });
    await rig.worker('one', worker);
    await rig.worker('two', worker);
    const producer = rig.producer('producer', { commandTimeoutMs: 3_000 });
    const queue = producer.queue as Queue;
    // More than the workers can run meanwhile.
    await producer.addMany(5_000, { do: 'sleep', ms: 20 });
    await rig.until('COMPLETED', 20, 10_000);

    let isOver = false;
    const over = begin(rig).finally(() => {
      isOver = true;
    });
    const counts = await steerUntil(queue, () => isOver);
    await over;
    // A pause that the old master accepted may be lost with it. A pause that succeeds afterwards stays.
    await waitUntil('A pause', 20_000, async () =>
      queue.pause().then(
        () => undefined,
        (error: unknown) => String(error),
      ),
    );
    expect(await queue.isPaused()).toBe(true);
    const paused = Date.now();
    await delay(3 * SECOND);
    expect(startedAfter(rig, paused + SECOND)).toEqual([]);
    expect((await queue.getBacklog()).paused).toBe(true);
    console.log(
      `steering during the failover: ${counts.ok} calls succeeded, ${counts.failed} failed with CMQ-001`,
    );
    await queue.resume();
    await rig.until('COMPLETED', rig.ids('COMPLETED').size + 50, 20_000);
  }

  it('by Sentinel', async () => {
    await using sentinel = await RedisSentinel.start();
    const { name } = sentinel;
    await steerThrough({ sentinels: [...sentinel.sentinelAddresses], name }, () => failOver(sentinel));
  }, 90_000);

  it.each([
    ['takes over in order (CLUSTER FAILOVER)', false],
    ['takes over from its master, which was killed', true],
  ])(
    'in a cluster: a replica %s',
    async (_, isKilled) => {
      await using cluster = await RedisCluster.start();
      await using replica = await RedisServer.start({
        args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
      });
      await steerThrough({ cluster: [...cluster.startNodes] }, async ({ keys }) => {
        const master = await ownerOf(cluster, keys.stream);
        await replicate(cluster, master, replica);
        if (isKilled) await master.kill();
        else await withAdmin(replica, (admin) => admin.call('CLUSTER', 'FAILOVER'));
        await untilRole(replica, 'master');
        if (!isKilled) await untilRole(master, 'slave');
      });
    },
    120_000,
  );
});

async function ownerOf(cluster: RedisCluster, key: string): Promise<RedisServer> {
  const slot = await withAdmin(cluster.nodes[0]!, (admin) => admin.cluster('KEYSLOT', key));
  return cluster.nodes[Math.floor((slot * cluster.nodes.length) / 16_384)]!;
}

/**
 * Makes a node that is not in the cluster yet a replica of `master`. Resolves when it has its data, and every node knows it: then
 * it can take over.
 */
async function replicate(cluster: RedisCluster, master: RedisServer, replica: RedisServer): Promise<void> {
  const id = await withAdmin(master, (admin) => admin.call('CLUSTER', 'MYID') as Promise<string>);
  await withAdmin(replica, async (admin) => {
    await admin.cluster('MEET', master.host, master.port);
    await waitUntil('The cluster', 20_000, async () => {
      const replied = await admin.call('CLUSTER', 'REPLICATE', id).catch(String);
      return replied === 'OK' ? undefined : String(replied);
    });
    await waitUntil('The copy', 20_000, async () =>
      (await admin.info('replication')).includes('master_link_status:up') ? undefined : 'not up',
    );
  });
  const masters = cluster.nodes.length;
  await waitUntil('The view of all nodes', 20_000, async () => {
    const views = await Promise.all(
      [...cluster.nodes, replica].map((node) =>
        withAdmin(node, (admin) => admin.cluster('NODES') as Promise<string>),
      ),
    );
    const isKnown = (view: string): boolean =>
      view.includes(` slave ${id} `) || view.includes(` myself,slave ${id} `);
    const isWhole = (view: string): boolean =>
      view.trim().split('\n').length === masters + 1 && isKnown(view);
    return views.every(isWhole) ? undefined : views.join('\n');
  });
}
