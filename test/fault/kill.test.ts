import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { violations } from '../support/fault/checker.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const LEASE_MS = 1_500;
const SCAN_MS = LEASE_MS / 3;
/** For processes to be scheduled on a machine with few cores. */
const SLACK_MS = 500;
const JOBS = 100;

let rig: Rig;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
});

afterEach(() => rig.close());

const worker = { claimMinIdleMs: LEASE_MS, concurrency: JOBS, blockMs: 500 };

describe('kill -9 of a worker that runs 100 jobs', () => {
  it('runs each of them again elsewhere within a lease and a scan, as attempt 2, and loses none', async () => {
    const doomed = await rig.spawn('doomed', worker);
    await rig.producer().addMany(JOBS, { do: 'hold' });
    await rig.until('START', JOBS, 10_000);
    const heir = await rig.spawn('heir', worker);

    const killedAt = Date.now();
    await doomed.kill();
    await rig.until('START', JOBS, 10_000, 'heir');
    await heir.release();
    await rig.drained(redis.client, 5_000);

    const again = rig.of('START', 'heir');
    expect(again.map(({ attempt }) => attempt)).toEqual(Array.from({ length: JOBS }, () => 2));
    const last = Math.max(...again.map(({ at }) => at));
    expect(last - killedAt).toBeLessThanOrEqual(LEASE_MS + SCAN_MS + SLACK_MS);
    await rig.until('COMPLETED', JOBS, 5_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });

  it('does so where the heir has had no handler free for longer than a lease, as soon as one is', async () => {
    const producer = rig.producer();
    const doomed = await rig.spawn('doomed', worker);
    await producer.addMany(5, { do: 'hold' });
    await rig.until('START', 5, 5_000, 'doomed');
    await doomed.kill();
    await producer.addMany(5, { do: 'sleep', ms: 1.1 * LEASE_MS });
    const heir = await rig.spawn('heir', { ...worker, concurrency: 5 });

    await rig.until('START', 10, 10_000, 'heir');
    const free = Math.max(...rig.of('FINISH', 'heir').map(({ at }) => at));
    const taken = Math.max(...rig.of('START', 'heir').map(({ at }) => at));
    expect(taken - free).toBeLessThanOrEqual(SCAN_MS + SLACK_MS);
    await heir.release();
    await rig.drained(redis.client, 5_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });
});

describe('the heartbeat', () => {
  it('keeps a handler of three lease times from running twice beside an idle worker', async () => {
    await rig.spawn('first', worker);
    await rig.spawn('second', worker);
    await rig.producer().addMany(20, { do: 'sleep', ms: 3 * LEASE_MS });
    await rig.drained(redis.client, 10_000);
    await rig.until('COMPLETED', 20, 5_000);
    expect(rig.of('START')).toHaveLength(20);
    expect(rig.of('ERROR')).toEqual([]);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });
});
