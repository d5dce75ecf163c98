import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { violations } from '../support/fault/checker.js';
import type { Child } from '../support/fault/child.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const LEASE_MS = 900;
const SIZE = 50;

let rig: Rig;
let stopping = false;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
  stopping = false;
});

afterEach(() => {
  stopping = true;
  return rig.close();
});

const worker = { claimMinIdleMs: LEASE_MS, blockMs: 500, concurrency: 2, batches: { size: SIZE } };

/** Of the jobs of each call, how many there were. */
const sizes = (by?: string): number[] => rig.of('BATCH', by).map(({ detail }) => Number(detail));

describe('kill -9 of a worker in the middle of a batch', () => {
  it('uses one attempt of each of its jobs; they run again alone, and none is lost', async () => {
    // The first read of a worker is small, so the batch waits for the next one.
    const full = { size: SIZE, minSize: SIZE, timeoutMs: 10_000 };
    const doomed = await rig.spawn('doomed', { ...worker, concurrency: 1, batches: full });
    await rig.producer().addMany(SIZE, { do: 'hold' }, { attempts: 3 });
    await rig.until('START', SIZE, 10_000, 'doomed');
    await doomed.kill();
    const heir = await rig.spawn('heir', worker);
    await heir.release();
    await rig.drained(redis.client, 15_000);

    const again = rig.of('START', 'heir');
    expect(again.map(({ attempt }) => attempt)).toEqual(Array.from({ length: SIZE }, () => 2));
    expect(new Set(sizes('heir'))).toEqual(new Set([1]));
    await rig.until('COMPLETED', SIZE, 5_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });

  it('by one of its jobs, again and again, costs the others one attempt, and ends with a dead letter', async () => {
    const producer = rig.producer();
    for (let i = 1; i <= 20; i += 1) {
      const task = i === 7 ? ({ do: 'exit' } as const) : ({ do: 'sleep', ms: 50 } as const);
      await producer.add(task, { attempts: 3, jobId: i === 7 ? 'poison' : `good-${i}` });
    }
    void supervise();
    await waitUntil('The verdict on the poison', 30_000, async () =>
      (await redis.client.xlen(rig.keys.dlq)) === 1 ? undefined : 'no dead letter',
    );
    await rig.drained(redis.client, 10_000);

    const [letter] = await producer.queue.peekDlq();
    expect(letter).toMatchObject({ jobId: 'poison', reason: 'retries_exhausted', attempts: 3 });
    const findings = await rig.check(redis.client);
    expect(findings.committed).toBe(19);
    expect(violations(findings)).toEqual([]);
  });
});

describe('a batch of which one job has lost its lease', () => {
  it('completes the others, and that job where it is now', async () => {
    const { worker: first, gate } = await rig.worker('first', { ...worker, claimMinIdleMs: 30_000 });
    await rig.producer().addMany(5, { do: 'hold' });
    await rig.until('START', 5, 5_000);
    // Another member of the group takes one entry over, as it may after a failover.
    const [[entry]] = (await redis.client.xpending(rig.keys.stream, 'default', '-', '+', 1)) as [[string]];
    await redis.client.xclaim(rig.keys.stream, 'default', 'thief;lease=100', 0, entry);
    gate.release();
    await rig.until('COMPLETED', 4, 5_000, 'first');
    await rig.until('ERROR', 1, 5_000, 'first');
    await rig.drained(redis.client, 10_000);
    await rig.until('COMPLETED', 5, 5_000);
    expect(first.health().running).toBe(0);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });
});

describe('SIGTERM, as close() of a worker', () => {
  it('with a batch that waits for more, and one that outlives the grace time, gives back all jobs', async () => {
    const waiting = await rig.spawn('waiting', {
      ...worker,
      concurrency: 1,
      shutdownDeadlineSecs: 0.3,
      batches: { size: 10, minSize: 10, timeoutMs: 60_000 },
    });
    // Ten run and do not end; three more wait for seven others.
    const producer = rig.producer();
    await producer.addMany(10, { do: 'hold' });
    await rig.until('START', 10, 5_000);
    await producer.addMany(3, { do: 'hold' });
    await waiting.close();
    const [pending] = (await redis.client.xpending(rig.keys.stream, 'default')) as [number];
    expect(pending).toBe(0);

    const heir = await rig.spawn('heir', worker);
    await heir.release();
    await rig.drained(redis.client, 10_000);
    expect(rig.of('START', 'heir').map(({ attempt }) => attempt)).toEqual(
      Array.from({ length: 13 }, () => 1),
    );
    await rig.until('COMPLETED', 13, 5_000);
    // The ten run again, with no attempt used.
    expect(violations(await rig.check(redis.client), { extraRuns: 10 })).toEqual([]);
  });
});

describe('100,000 jobs through batches of 50 across 3 processes', () => {
  it('each complete once, also when one of the processes is killed and replaced', async () => {
    const JOBS = 100_000;
    // The checker counts the completions by their events.
    const events = { eventsMaxStreamLen: 10 * JOBS };
    const settings = { ...worker, ...events };
    const workers = await Promise.all(['one', 'two', 'three'].map((name) => rig.spawn(name, settings)));
    const producer = rig.producer('producer', events);
    for (let added = 0; added < JOBS; added += 1_000) {
      await producer.addMany(1_000, { do: 'finish' });
      if (added !== JOBS / 2) continue;
      await workers[0]?.kill();
      await rig.spawn('four', settings);
    }
    await rig.drained(redis.client, 60_000, 2 * LEASE_MS);
    const findings = await rig.check(redis.client);
    expect(violations(findings)).toEqual([]);
    expect(findings.committed).toBe(JOBS);
    expect(Math.max(...sizes())).toBe(SIZE);
  }, 180_000);
});

/** As a process manager does: whenever the worker's process ends, starts the next. */
async function supervise(): Promise<void> {
  for (let count = 1; !stopping; count += 1) {
    let child: Child;
    try {
      child = await rig.spawn(`worker-${count}`, worker);
    } catch {
      // It died before it could say that it reads.
      continue;
    }
    await child.exited;
  }
}
