import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Job, Worker } from '../../../lib/engine/index.js';
import { KEYS, Latch, eventually, next, take, useKit } from './kit.js';

const redis = useKit();

const LEASE_MS = 600;
const SCAN_MS = LEASE_MS / 3;
/** For a machine with few cores. */
const SLACK_MS = 500;
const lease = { claimMinIdleMs: LEASE_MS, blockMs: 300 };
const HOUR = 3_600_000;

let latch = new Latch();
afterEach(() => {
  latch.open();
  latch = new Latch();
});

interface Pending {
  id: string;
  consumer: string;
  starts: number;
}

async function pending(): Promise<Pending[]> {
  const rows = (await redis.client.xpending(KEYS.stream, 'default', '-', '+', 100)) as [
    string,
    string,
    number,
    number,
  ][];
  return rows.map(([id, consumer, , starts]) => ({ id, consumer, starts }));
}

const pendingOf = async (worker: Worker): Promise<number> =>
  (await pending()).filter(({ consumer }) => consumer === worker.id).length;

/** Jobs whose worker has died, long ago or just now; no worker that runs already gets to see them before. */
async function orphans(
  count: number,
  { name = 'orphan', consumer = 'dead', starts = 1, idleMs = HOUR, attempts = 10 } = {},
): Promise<void> {
  const side = redis.queue({}, 'side');
  const opts = { attempts };
  await side.addBulk(Array.from({ length: count }, (_, data) => ({ name, data: `${name}-${data}`, opts })));
  const entries = await redis.client.xrangeBuffer(side.keys.stream, '-', '+');
  await redis.client.del(side.keys.stream);
  await redis.client.xgroup('CREATE', KEYS.stream, 'default', '$', 'MKSTREAM').catch(() => undefined);
  const steps = redis.client.multi();
  for (const [, entry] of entries) steps.xadd(KEYS.stream, '*', ...entry);
  steps.xreadgroup('GROUP', 'default', consumer, 'COUNT', count, 'STREAMS', KEYS.stream, '>');
  await steps.exec();
  await abandon(consumer, starts, idleMs);
}

/** Makes what a consumer holds that of one that has died. */
async function abandon(consumer: string, starts: number, idleMs: number): Promise<void> {
  for (const { id } of (await pending()).filter((entry) => entry.consumer === consumer)) {
    await redis.client.xclaim(
      ...([KEYS.stream, 'default', consumer, 0, id] as const),
      ...(['IDLE', idleMs, 'RETRYCOUNT', starts, 'JUSTID'] as const),
    );
  }
}

/** A worker whose handlers end when the latch opens. */
async function busy(jobs: number, options: object = {}): Promise<{ worker: Worker; ran: Job[] }> {
  const ran: Job[] = [];
  const worker = redis.worker(
    async (job) => {
      ran.push(job);
      await latch.opened;
    },
    { ...lease, concurrency: 1, ...options },
  );
  const active = take(worker, 'active', jobs);
  await redis.queue().addBulk(Array.from({ length: jobs }, (_, data) => ({ name: 'long', data })));
  await active;
  return { worker, ran };
}

describe('workers with the same name', () => {
  test.each(['name', 'consumerId'])('are different consumers, and run each job once (%s)', async (option) => {
    const runs: unknown[] = [];
    const make = (): Worker =>
      redis.worker(
        async (job) => {
          runs.push(job.data);
          await delay(2 * LEASE_MS);
        },
        { ...lease, concurrency: 10, [option]: 'mail' },
      );
    const workers = [make(), make()] as const;
    await Promise.all(workers.map((worker) => next(worker, 'ready')));
    const done = Promise.all(
      workers.map((worker) => new Promise<void>((resolve) => worker.once('completed', () => resolve()))),
    );
    await redis.queue().addBulk(Array.from({ length: 20 }, (_, data) => ({ name: 'a', data })));
    await done;
    await eventually(async () => {
      expect(await redis.client.xlen(KEYS.stream)).toBe(0);
    });
    expect(runs).toHaveLength(20);
    expect(workers[0].id).not.toBe(workers[1].id);
    for (const { id } of workers) expect(id).toMatch(/^mail-/);
  });
});

describe('workers with different leases', () => {
  test('a job is safe for as long as the lease of the worker that runs it says', async () => {
    const { ran, worker } = await busy(5, { concurrency: 5, claimMinIdleMs: 4_000 });
    const impatient = redis.worker(
      (job) => {
        ran.push(job);
      },
      { claimMinIdleMs: 100, blockMs: 300 },
    );
    await next(impatient, 'ready');
    // Several times its own lease, and less than a heartbeat of the other.
    await delay(1_000);
    latch.open();
    await take(worker, 'completed', 5);
    expect(ran).toHaveLength(5);
  });

  test('a job whose worker died is taken over when the lease of that worker is over', async () => {
    const worker = redis.worker(() => undefined, { claimMinIdleMs: 3_000, blockMs: 300 });
    await next(worker, 'ready');
    const begun = performance.now();
    await orphans(3, { consumer: 'dead-1;lease=200', idleMs: 0 });
    await orphans(1, { name: 'long', consumer: 'dead-2;lease=60000', idleMs: 3_500 });
    await orphans(1, { name: 'unknown', consumer: 'of another kind', idleMs: 3_500 });
    const ended = await take(worker, 'completed', 4);
    // Its own scans are one second apart.
    expect(performance.now() - begun).toBeLessThan(2_000 + 200 + SLACK_MS);
    expect(ended.map(({ name }) => name).toSorted()).toEqual(['orphan', 'orphan', 'orphan', 'unknown']);
    expect((await pending()).map(({ consumer }) => consumer)).toEqual(['dead-2;lease=60000']);
  });
});

describe('jobs that a dead worker has left', () => {
  test('are not taken over by a worker that cannot start them', async () => {
    const { worker, ran } = await busy(1);
    await orphans(3);
    await delay(LEASE_MS + 2 * SCAN_MS);
    expect(await pendingOf(worker)).toBe(1);
    const idle = redis.worker(() => undefined, { ...lease, concurrency: 10 });
    const done = take(idle, 'completed', 3);
    await next(idle, 'ready');
    const begun = performance.now();
    const jobs = await done;
    expect(performance.now() - begun).toBeLessThan(LEASE_MS + SCAN_MS + SLACK_MS);
    expect(jobs.map(({ attemptsMade }) => attemptsMade)).toEqual([2, 2, 2]);
    expect(ran).toHaveLength(1);
  });

  test('start on a busy worker with the first handler that becomes free, before its backlog', async () => {
    const order: string[] = [];
    const worker = redis.worker(
      async (job) => {
        order.push(job.name);
        await delay(20);
      },
      { ...lease, concurrency: 2 },
    );
    await next(worker, 'ready');
    await redis.queue().addBulk(Array.from({ length: 1_000 }, (_, data) => ({ name: 'backlog', data })));
    await eventually(() => {
      expect(order.length).toBeGreaterThan(4);
    });
    await redis.client.xreadgroup('GROUP', 'default', 'dead', 'COUNT', 3, 'STREAMS', KEYS.stream, '>');
    await abandon('dead', 1, HOUR);
    await eventually(async () => {
      expect((await pending()).some(({ consumer }) => consumer === 'dead')).toBe(false);
    });
    expect(order.length).toBeLessThan(500);
  });

  test('that have lost several workers run one at a time on each, and wait for none', async () => {
    await orphans(3, { starts: 2 });
    const { worker: first, ran } = await busyWith(1);
    await delay(2 * SCAN_MS);
    expect(await pendingOf(first)).toBe(1);
    const { worker: second, ran: others } = await busyWith(1);
    expect(await pendingOf(second)).toBe(1);
    const done = Promise.race([take(first, 'completed', 2), take(second, 'completed', 2)]);
    latch.open();
    await done;
    expect([...ran, ...others].map(({ attemptsMade }) => attemptsMade)).toEqual([3, 3, 3]);
  });

  test('that wait behind a quarantined job for their last attempt go to another worker, and waiting costs no attempt', async () => {
    await orphans(3, { attempts: 2 });
    const { worker: first, ran } = await busyWith(1);
    await eventually(async () => {
      expect(await pendingOf(first)).toBe(3);
    });
    const { worker: second, ran: others } = await busyWith(1);
    const ids = [first, second].map(({ id }) => id);
    await eventually(async () => {
      // None but the two that run is kept by anybody for long.
      expect((await pending()).filter(({ consumer }) => ids.includes(consumer))).toHaveLength(2);
    });
    expect((await pending()).map(({ starts }) => starts).toSorted()).toEqual([1, 2, 2]);
    const done = Promise.race([take(first, 'completed', 2), take(second, 'completed', 2)]);
    latch.open();
    await done;
    expect([...ran, ...others].map(({ attemptsMade }) => attemptsMade)).toEqual([2, 2, 2]);
    expect(await redis.client.exists(KEYS.dlq)).toBe(0);
  });

  /** A worker with handlers to spare, that is at work on so many of the orphans. */
  async function busyWith(jobs: number): Promise<{ worker: Worker; ran: Job[] }> {
    const ran: Job[] = [];
    const worker = redis.worker(
      async (job) => {
        ran.push(job);
        await latch.opened;
      },
      { ...lease, concurrency: 10 },
    );
    await take(worker, 'active', jobs);
    return { worker, ran };
  }
});

describe('when Redis’s clock is set', () => {
  /** A worker that sees Redis's clock make a step when it is told so: its own makes the opposite one. */
  function watcher(): { worker: Worker; ran: Job[]; step: (ms: number) => void } {
    let shift = 0;
    const ran: Job[] = [];
    const clock = { now: () => Date.now(), monotonic: () => 1e9 + performance.now() - shift };
    const worker = redis.worker((job) => void ran.push(job), { ...lease, clock });
    return {
      worker,
      ran,
      step: (ms) => {
        shift += ms;
      },
    };
  }

  test('forward, no job runs twice: every lease looks expired, and none is', async () => {
    const { worker, ran } = await busy(5, { concurrency: 5 });
    const { ran: twice, step, worker: other } = watcher();
    await next(other, 'ready');
    await delay(LEASE_MS + SCAN_MS);
    for (let round = 0; round < 3; round++) {
      step(HOUR);
      for (const { id } of await pending())
        await redis.client.xclaim(KEYS.stream, 'default', worker.id, 0, id, 'IDLE', HOUR, 'JUSTID');
      await delay(SCAN_MS + 50);
    }
    latch.open();
    await take(worker, 'completed', 5);
    expect([ran.length, twice.length]).toEqual([5, 0]);
  });

  test('forward, orphans start within a lease and two scans all the same', async () => {
    const { step, worker } = watcher();
    await next(worker, 'ready');
    await delay(LEASE_MS + SCAN_MS);
    step(HOUR);
    await orphans(2);
    const begun = performance.now();
    await take(worker, 'completed', 2);
    expect(performance.now() - begun).toBeLessThan(LEASE_MS + 2 * SCAN_MS + SLACK_MS);
  });

  test('back, orphans do not wait for the size of the step', async () => {
    const { step, worker } = watcher();
    await next(worker, 'ready');
    await orphans(2, { idleMs: 0 });
    await fromTheFuture(HOUR);
    await delay(LEASE_MS);
    step(-HOUR);
    const begun = performance.now();
    const jobs = await take(worker, 'completed', 2);
    expect(performance.now() - begun).toBeLessThan(LEASE_MS + 2 * SCAN_MS + SLACK_MS);
    expect(jobs.map(({ attemptsMade }) => attemptsMade)).toEqual([2, 2]);
  });

  test('back while no worker ran, they do not either', async () => {
    await orphans(2, { idleMs: 0 });
    await fromTheFuture(HOUR);
    await redis.client.xadd(KEYS.stream, `${Date.now() + HOUR}-0`, 'd', 'not a job');
    const worker = redis.worker(() => undefined, lease);
    await next(worker, 'ready');
    const begun = performance.now();
    const jobs = await take(worker, 'completed', 2);
    expect(performance.now() - begun).toBeLessThan(LEASE_MS + 3 * SCAN_MS + SLACK_MS);
    expect(jobs.map(({ attemptsMade }) => attemptsMade)).toEqual([2, 2]);
  });

  /** Moves the beginning of all leases so many ms on, as a step back of the clock does. No command can. */
  async function fromTheFuture(ms: number): Promise<void> {
    const dump = await redis.client.dumpBuffer(KEYS.stream);
    for (const { id } of await pending()) {
      const raw = Buffer.alloc(16);
      const [time = '0', sequence = '0'] = id.split('-');
      raw.writeBigUInt64BE(BigInt(time), 0);
      raw.writeBigUInt64BE(BigInt(sequence), 8);
      for (let at = dump.indexOf(raw); at >= 0; at = dump.indexOf(raw, at + 1)) {
        const began = Number(dump.readBigInt64LE(at + 16));
        if (Math.abs(Date.now() - began) < HOUR) dump.writeBigInt64LE(BigInt(began + ms), at + 16);
      }
    }
    dump.writeBigUInt64LE(crc64(dump.subarray(0, -8)), dump.length - 8);
    await redis.client.restore(KEYS.stream, 0, dump, 'REPLACE');
  }

  /** The checksum of a dump. */
  function crc64(bytes: Buffer): bigint {
    let crc = 0n;
    for (const byte of bytes) {
      crc ^= BigInt(byte);
      for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
    }
    return crc;
  }
});
