import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { RedisSentinel } from '../../lib/testing/index.js';
import { violations } from '../support/fault/checker.js';
import { failOver } from '../support/fault/fail-over.js';
import { Rig } from '../support/fault/rig.js';

/** By how much a healthy replica on the same host may be behind, in ms: what is older than that it has. */
const BEHIND_MS = 500;

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

  const begun = Date.now();
  await failOver(sentinel);
  const ended = Date.now();
  const before = rig.ids('COMPLETED').size;
  await rig.until('COMPLETED', before + 100, 10_000);

  await load.stop();
  await rig.drained(client, 15_000);
  const findings = await rig.check(client);
  // Replication is asynchronous: what the new master had not received is gone. That is what was written just before the old
  // one took no more writes: adds; and deliveries and completions, whose jobs run again.
  const last = lastBeforeTheGap(
    rig
      .of('ACK')
      .map(({ at }) => at)
      .filter((at) => at >= begun && at <= ended),
  );
  const near = (kind: 'ACK' | 'FINISH'): Set<string> =>
    new Set(rig.of(kind).flatMap(({ at, id }) => (at >= last - BEHIND_MS && at <= last ? [id] : [])));
  const addedThen = near('ACK');
  expect(findings.lost.filter((id) => !addedThen.has(id))).toEqual([]);
  const extraRuns = near('FINISH').size + 2 * worker.concurrency;
  expect(violations(findings, { lost: addedThen.size, extraRuns })).toEqual([]);
  console.log(
    `failover: ${findings.lost.length} of ${findings.acked} acknowledged adds lost (${addedThen.size} were near it), ` +
      `${findings.extraRuns} extra runs (${extraRuns} allowed)`,
  );
  client.disconnect();
}, 90_000);

/** While there is no master, nothing is acknowledged: the longest pause tells when. */
function lastBeforeTheGap(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  let at = 0;
  for (let i = 1; i + 1 < sorted.length; i++) {
    if (sorted[i + 1]! - sorted[i]! > sorted[at + 1]! - sorted[at]!) at = i;
  }
  return sorted[at] ?? 0;
}
