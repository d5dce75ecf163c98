import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../lib/testing/server/free-port.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { violations } from '../support/fault/checker.js';
import type { Child } from '../support/fault/child.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis({ leakCheck: false });
const LEASE_MS = 600;
/** What closing may take beyond the time for handlers: see `Service.marginMs` of the consumer. */
const MARGIN_MS = 4_000;
/** From the end of `close()` to that of the process. */
const EXIT_MS = 500;

let rig: Rig;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
});

afterEach(() => rig.close());

async function pending(): Promise<number> {
  return ((await redis.client.xpending(rig.keys.stream, 'default')) as [number])[0];
}

async function untilPending(count: number): Promise<void> {
  await waitUntil(`${count} pending entries`, 5_000, async () => {
    const now = await pending();
    return now === count ? undefined : `${now}`;
  });
}

/** The process ends by itself: nothing keeps it. */
async function expectExit(child: Child): Promise<void> {
  const begin = performance.now();
  expect(await child.leave()).toEqual({ code: 0, signal: null });
  expect(performance.now() - begin).toBeLessThan(EXIT_MS);
}

describe('close() of a worker under load', () => {
  it('lets running handlers finish and add jobs, and gives back what has not started with no attempt used', async () => {
    const worker = { claimMinIdleMs: 10_000, concurrency: 5, blockMs: 500, shutdownDeadlineSecs: 10 };
    const closing = await rig.spawn('closing', worker);
    const producer = rig.producer();
    // Short jobs teach the worker to fetch ahead.
    await producer.addMany(50, { do: 'finish' });
    await rig.drained(redis.client, 5_000);
    await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        producer.add({ do: 'hold-then-add', children: [`child-${i}a`, `child-${i}b`] }),
      ),
    );
    await rig.until('START', 55, 5_000);
    await producer.addMany(40, { do: 'finish' });
    await waitUntil('Fetching ahead', 5_000, async () =>
      (await pending()) > 5 ? undefined : 'nothing fetched ahead',
    );

    const closed = closing.close();
    await untilPending(5);
    await rig.spawn('other', worker);
    await rig.until('FINISH', 40, 5_000, 'other');
    await closing.release();
    expect(await closed).toBeLessThan(10_000);
    await expectExit(closing);

    await rig.drained(redis.client, 5_000);
    await rig.until('FINISH', 105, 5_000);
    expect(rig.ids('FINISH', 'closing').size).toBe(55);
    expect([...rig.ids('ACK', 'closing')]).toHaveLength(10);
    expect(new Set(rig.of('START').map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });

  it('aborts a handler that outlives the grace time, and gives its job back with no attempt used', async () => {
    const worker = { claimMinIdleMs: 10_000, concurrency: 5, blockMs: 500, shutdownDeadlineSecs: 1 };
    const closing = await rig.spawn('closing', worker);
    const producer = rig.producer();
    await producer.add({ do: 'hold' });
    await producer.add({ do: 'hold-deaf' });
    await rig.until('START', 2, 5_000);

    const ms = await closing.close();
    expect(ms).toBeGreaterThanOrEqual(990);
    expect(ms).toBeLessThan(1_000 + MARGIN_MS);
    expect(rig.of('ABORT').map(({ detail }) => detail)).toEqual(['ShutdownError', 'ShutdownError']);
    expect(await pending()).toBe(0);
    await expectExit(closing);

    const other = await rig.spawn('other', worker);
    await rig.until('START', 2, 5_000, 'other');
    expect(rig.of('START', 'other').map(({ attempt }) => attempt)).toEqual([1, 1]);
    await other.release();
    await rig.drained(redis.client, 5_000);
    expect(violations(await rig.check(redis.client), { extraRuns: 2 })).toEqual([]);
  });

  it('takes nothing over any more, while a handler is still running', async () => {
    const worker = { claimMinIdleMs: LEASE_MS, concurrency: 10, blockMs: 500, shutdownDeadlineSecs: 10 };
    const producer = rig.producer();
    const closing = await rig.spawn('closing', worker);
    await producer.add({ do: 'hold' });
    await rig.until('START', 1, 5_000, 'closing');
    const closed = closing.close();
    const doomed = await rig.spawn('doomed', worker);
    await producer.addMany(5, { do: 'hold' });
    await rig.until('START', 5, 5_000, 'doomed');
    await doomed.kill();
    await waitUntil('Leases expired long ago', 10_000, async () => {
      const rows = await redis.client.xpending(
        rig.keys.stream,
        'default',
        'IDLE',
        2 * LEASE_MS,
        '-',
        '+',
        10,
      );
      return rows.length === 5 || rig.ids('START', 'closing').size > 1 ? undefined : `${rows.length} of 5`;
    });
    expect(rig.ids('START', 'closing').size).toBe(1);
    await closing.release();
    await closed;
    await expectExit(closing);
    const heir = await rig.spawn('heir', worker);
    await rig.until('START', 5, 5_000, 'heir');
    await heir.release();
    await rig.drained(redis.client, 5_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);
  });
});

describe('close() without Redis', () => {
  const worker = { claimMinIdleMs: LEASE_MS, concurrency: 5, shutdownDeadlineSecs: 1 };

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'settles within its deadline after %s of Redis, and the process ends',
    async (signal) => {
      const child = await rig.spawn('child', worker);
      await rig.producer().add({ do: 'hold-deaf' });
      await rig.until('START', 1, 5_000);
      if (signal === 'SIGSTOP') redis.server.pause();
      else await redis.server.kill();
      expect(await child.close()).toBeLessThan(1_000 + MARGIN_MS);
      await expectExit(child);
      redis.server.resume();
    },
  );

  it('settles when it was never up, and the process ends', async () => {
    await using nowhere = new Rig({ connection: { host: '127.0.0.1', port: await freePort() } });
    const child = await nowhere.fork('child', worker);
    await child.work(false);
    expect(await child.close()).toBeLessThan(1_000 + MARGIN_MS);
    await expectExit(child);
  });
});
