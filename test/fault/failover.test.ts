import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { RedisSentinel } from '../../lib/testing/index.js';
import { violations } from '../support/fault/checker.js';
import { failOver } from '../support/fault/fail-over.js';
import { KINDS, SlotWatch } from '../support/fault/gated.js';
import { Rig } from '../support/fault/rig.js';

/** By how much a healthy replica on the same host may be behind, in ms: what is older than that it has. */
const BEHIND_MS = 500;

const worker = { claimMinIdleMs: 2_000, blockMs: 1_000, concurrency: 10, commandTimeoutMs: 3_000 };

// The old master is demoted while clients are connected to it: they get READONLY and UNBLOCKED.
it.each(KINDS)(
  'a failover under load of a %s queue: work goes on by itself, nothing is done twice that stands done, no slot leaks',
  async (kind) => {
    await using sentinel = await RedisSentinel.start();
    const connection = { sentinels: [...sentinel.sentinelAddresses], name: sentinel.name };
    await using rig = new Rig({ connection, kind });
    const client = new Redis({ ...connection, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    const producer = rig.producer('producer', { commandTimeoutMs: 3_000 });
    const slots = await SlotWatch.begin(kind, client, producer);
    const workers = [await rig.worker('one', worker), await rig.worker('two', worker)];
    const load = rig.load(2, () => producer.add({ do: 'sleep', ms: 5 }));
    await rig.until('COMPLETED', 100, 10_000);

    const begun = Date.now();
    await failOver(sentinel);
    const ended = Date.now();
    // The old master is a replica now, and some sentinel may still name it.
    const { host, port } = await sentinel.master();
    const master = new Redis({ host, port });
    master.on('error', () => undefined);
    slots.client = master;
    const before = rig.ids('COMPLETED').size;
    await rig.until('COMPLETED', before + 100, 10_000);

    await load.stop();
    await rig.drained(master, 15_000);
    // Replication is asynchronous, and clients that stay connected to the old master write to it until it is demoted: the new one
    // does not know of that. It is adds; and deliveries and completions, whose jobs run again.
    const near = (kind: 'ACK' | 'START' | 'FINISH'): Set<string> =>
      new Set(rig.of(kind).flatMap(({ at, id }) => (at >= begun - BEHIND_MS && at <= ended ? [id] : [])));
    const release = (): void => {
      for (const { gate } of workers) gate.release();
    };
    // It has not counted these starts.
    await slots.verify(rig, release, near('START').size);
    const findings = await rig.check(master);
    const addedThen = near('ACK');
    expect(findings.lost.filter((id) => !addedThen.has(id))).toEqual([]);
    const extraRuns = near('FINISH').size + 2 * worker.concurrency;
    expect(violations(findings, { lost: addedThen.size, extraRuns })).toEqual([]);
    console.log(
      `failover: ${findings.lost.length} of ${findings.acked} acknowledged adds lost (${addedThen.size} were near it), ` +
        `${findings.extraRuns} extra runs (${extraRuns} allowed)`,
    );
    client.disconnect();
    master.disconnect();
  },
  90_000,
);
