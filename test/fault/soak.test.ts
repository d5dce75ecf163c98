import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { violations } from '../support/fault/checker.js';
import type { Child } from '../support/fault/child.js';
import { KINDS, SlotWatch } from '../support/fault/gated.js';
import { seeded } from '../support/fault/load.js';
import { Rig } from '../support/fault/rig.js';
import { TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis({ leakCheck: false });
const LEASE_MS = 900;
const CONCURRENCY = 10;
const FAULTS = 16;
const worker = { claimMinIdleMs: LEASE_MS, blockMs: 500, concurrency: CONCURRENCY, commandTimeoutMs: 1_000 };
/** Any seed will do; a failure names the one that it had. */
const SEED = Number(process.env['CHASQUI_FAULT_SEED'] ?? Math.floor(Math.random() * 1e9));

it.each(KINDS)(
  'a %s queue and any mixture of faults: nothing is lost, nothing is done twice that stands done, no slot leaks, and it goes on',
  async (kind) => {
    const random = seeded(SEED);
    await using proxy = await TcpProxy.start(redis.connection);
    await using rig = new Rig({ connection: { host: proxy.host, port: proxy.port }, kind });
    const producer = rig.producer('producer', { commandTimeoutMs: 1_000 });
    const slots = await SlotWatch.begin(kind, redis.client, producer);
    let spawned = 0;
    const spawn = (): Promise<Child> => rig.spawn(`worker-${(spawned += 1)}`, worker);
    const workers = await Promise.all([spawn(), spawn(), spawn()]);
    let count = 0;
    const load = rig.load(6, async () => {
      await delay(10);
      count += 1;
      const options = { attempts: 50, backoff: 20 };
      if (count % 10 === 0) return producer.add({ do: 'finish' }, { ...options, delay: 100 });
      if (count % 100 === 5) return producer.add({ do: 'sleep', ms: 2 * LEASE_MS }, options);
      return producer.add({ do: 'sleep', ms: 5 }, options);
    });

    // How many runs may happen again: what the parties that a fault hits have in flight.
    let extraRuns = 0;
    const everyWorker = workers.length * CONCURRENCY;
    const faults = [
      async () => {
        const victim = Math.floor(random() * workers.length);
        extraRuns += CONCURRENCY;
        await workers[victim]!.kill();
        workers[victim] = await spawn();
      },
      async () => {
        const victim = workers[Math.floor(random() * workers.length)]!;
        extraRuns += CONCURRENCY;
        victim.signal('SIGSTOP');
        await delay(1.5 * LEASE_MS);
        victim.signal('SIGCONT');
      },
      async () => {
        proxy.cut();
      },
      async () => {
        proxy.blackholeReplies(true);
        await delay(20 + 80 * random());
        proxy.blackholeReplies(false);
        proxy.cut();
      },
      async () => {
        extraRuns += everyWorker;
        proxy.blackhole(true);
        await delay(500 * random());
        proxy.blackhole(false);
      },
      async () => {
        await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      },
      async () => {
        await redis.client.script('FLUSH');
      },
      async () => {
        redis.server.pause();
        await delay(300 * random());
        redis.server.resume();
      },
    ];
    for (let times = 1; times <= FAULTS; times += 1) {
      await delay(50 + 300 * random());
      await faults[Math.floor(random() * faults.length)]!();
    }
    const before = rig.ids('COMPLETED').size;
    await rig.until('COMPLETED', before + 20, 6_000);
    await load.stop();
    await rig.drained(redis.client, 20_000, 2 * LEASE_MS);
    await slots.verify(rig, () => Promise.all(workers.map((child) => child.release())));
    const findings = await rig.check(redis.client);
    expect({ seed: SEED, violations: violations(findings, { extraRuns }) }).toEqual({
      seed: SEED,
      violations: [],
    });
    expect(findings.acked).toBeGreaterThan(200);
  },
  90_000,
);
