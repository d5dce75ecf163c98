import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { readStored, violations } from '../support/fault/checker.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

let rig: Rig;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
});

afterEach(() => rig.close());

describe('a worker stopped (SIGSTOP) for longer than its lease', () => {
  it('loses its jobs to another, is told so by the signals, and changes nothing any more', async () => {
    const worker = { claimMinIdleMs: 600, concurrency: 20, blockMs: 500 };
    const stopped = await rig.spawn('stopped', worker);
    const producer = rig.producer();
    await producer.addMany(5, { do: 'hold' });
    await producer.addMany(5, { do: 'hold-deaf' });
    await producer.addMany(5, { do: 'hold-then-fail' }, { attempts: 3, backoff: 10 });
    await rig.until('START', 15, 5_000);
    stopped.signal('SIGSTOP');
    const heir = await rig.spawn('heir', worker);
    await rig.until('START', 15, 10_000, 'heir');
    stopped.signal('SIGCONT');

    await rig.until('ABORT', 15, 5_000, 'stopped');
    expect(new Set(rig.of('ABORT').map(({ detail }) => detail))).toEqual(new Set(['LeaseLostError']));
    await stopped.release();
    await waitUntil('The end of the handlers that hear nothing', 5_000, async () =>
      rig.of('FINISH', 'stopped').length === 5 && rig.of('THROW', 'stopped').length === 10
        ? undefined
        : 'not yet',
    );
    // Nothing is left for it to commit when it has closed.
    await stopped.close();
    const stored = await readStored(redis.client, rig.keys);
    expect(stored.stream).toHaveLength(15);
    expect([...stored.commits, ...stored.delayed, ...stored.dlq]).toEqual([]);

    const second = rig.of('START', 'heir').map(({ attempt }) => attempt);
    expect(second).toEqual(Array.from({ length: 15 }, () => 2));
    await heir.release();
    await rig.drained(redis.client, 5_000);
    expect(rig.of('COMPLETED', 'stopped')).toEqual([]);
    expect(rig.of('FAILED', 'stopped')).toEqual([]);
    const findings = await rig.check(redis.client);
    expect(findings.committed).toBe(10);
    expect(violations(findings)).toEqual([]);
    expect((await producer.queue.peekDlq()).map(({ reason }) => reason)).toEqual(
      Array.from({ length: 5 }, () => 'retries_exhausted'),
    );
  });
});

describe('a worker stopped (SIGSTOP) while it leads the promoter and waits for wake entries', () => {
  it('does not keep delayed jobs from running in time on another', async () => {
    const stopped = await rig.spawn('stopped', { concurrency: 20 });
    const producer = rig.producer();
    await producer.add({ do: 'finish' }, { delay: 100 });
    await rig.until('FINISH', 1, 5_000, 'stopped');
    const later = await producer.add({ do: 'finish' }, { delay: 3_000 });
    await waitUntil('The lead', 5_000, async () =>
      (await redis.client.zcard(rig.keys.delayed)) === 1 &&
      (await redis.client.exists(rig.keys.promoterLock)) === 1
        ? undefined
        : 'not yet',
    );
    stopped.signal('SIGSTOP');
    // In this process, so that it is ready long before the later job is due: then the sooner job is the earliest, and its
    // wake entry ends the read that the stopped worker has left in Redis. Without it that read would receive the jobs.
    await rig.worker('healthy', { concurrency: 20 });
    const sooner = await producer.add({ do: 'finish' }, { delay: 300 });
    await rig.until('FINISH', 2, 10_000, 'healthy');
    for (const job of [sooner!, later!]) {
      const start = rig.of('START', 'healthy').find(({ id }) => id === job.id)!;
      expect(start.at - job.timestamp - job.opts.delay!).toBeLessThan(2_000 + 500);
    }
    stopped.signal('SIGCONT');
  });
});

describe('an entry claimed by hand', () => {
  it('can no longer be completed, retried or dead-lettered by the worker that runs it', async () => {
    const { gate } = await rig.worker('robbed', { claimMinIdleMs: 30_000 });
    const producer = rig.producer();
    await producer.add({ do: 'hold-deaf' });
    await producer.add({ do: 'hold-then-fail' }, { attempts: 5 });
    await producer.add({ do: 'hold-then-fail' }, { attempts: 1 });
    await rig.until('START', 3, 5_000);
    const { stream } = rig.keys;
    const ids = (await redis.client.xrange(stream, '-', '+')).map(([id]) => id);
    await redis.client.xclaim(stream, 'default', 'thief', 0, ...ids);

    gate.release();
    await waitUntil('Three lost leases', 5_000, async () => {
      const count = rig.of('ERROR').filter(({ detail }) => detail?.startsWith('LeaseLostError')).length;
      return count === 3 ? undefined : `${count}`;
    });
    const stored = await readStored(redis.client, rig.keys);
    expect(stored.stream).toHaveLength(3);
    expect([...stored.commits, ...stored.delayed, ...stored.dlq]).toEqual([]);
    const rows = (await redis.client.xpending(stream, 'default', '-', '+', 10)) as [string, string][];
    expect(rows.map(([, owner]) => owner)).toEqual(['thief', 'thief', 'thief']);
    expect([...rig.of('COMPLETED'), ...rig.of('FAILED')]).toEqual([]);
  });
});

describe('a worker that wakes when its leases have ended', () => {
  /** The starts by a worker of jobs that have been completed by then. */
  const startedAgain = (by: string): string[] => {
    const done = new Map(rig.of('COMPLETED').map(({ id, at }) => [id, at]));
    return rig.of('START', by).flatMap(({ id, at }) => ((done.get(id) ?? Infinity) < at ? [id] : []));
  };

  it.each([
    ['that come alone', {}],
    ['that come as batches', { batches: { size: 5, minSize: 5, timeoutMs: 300 } }],
  ])('starts none of the jobs %s, of a reply that waited in its socket (SIGSTOP)', async (_, more) => {
    const settings = { claimMinIdleMs: 1_000, concurrency: 10, batch: 10, blockMs: 60_000, ...more };
    const stopped = await rig.spawn('stopped', settings);
    const producer = rig.producer();
    await producer.addMany(10, { do: 'finish' });
    await rig.until('COMPLETED', 10, 5_000);
    // Its next read waits in Redis by now.
    await setTimeout(300);
    stopped.signal('SIGSTOP');
    await producer.addMany(10, { do: 'finish' });
    await waitUntil('The delivery', 5_000, async () => {
      const [pending] = (await redis.client.xpending(rig.keys.stream, 'default')) as [number];
      return pending > 0 ? undefined : 'not yet';
    });
    await rig.spawn('heir', settings);
    await rig.until('COMPLETED', 20, 15_000);
    stopped.signal('SIGCONT');
    const before = rig.of('START', 'stopped').length;
    await producer.addMany(100, { do: 'finish' });
    await rig.until('COMPLETED', 120, 10_000);
    await rig.drained(redis.client, 5_000);
    expect(startedAgain('stopped')).toEqual([]);
    // It goes on with others.
    await waitUntil('A later job', 10_000, async () => {
      if (rig.of('START', 'stopped').length > before) return undefined;
      await producer.addMany(50, { do: 'sleep', ms: 5 });
      return 'none';
    });
    expect(violations(await rig.check(redis.client), { extraRuns: 0 })).toEqual([]);
  });

  it('starts none of the jobs that waited here while its event loop was blocked', async () => {
    const settings = { claimMinIdleMs: 800, batch: 10, blockMs: 60_000 };
    const blocked = await rig.spawn('blocked', { ...settings, concurrency: 3 });
    const producer = rig.producer();
    // The first blocks the event loop before it returns, and the others wait here for its end.
    await producer.addMany(1, { do: 'block', ms: 4_000 });
    await producer.addMany(9, { do: 'finish' });
    await rig.until('START', 1, 5_000, 'blocked');
    await rig.spawn('heir', { ...settings, concurrency: 10 });
    await rig.until('COMPLETED', 10, 15_000);
    await rig.until('FINISH', 1, 10_000, 'blocked');
    await blocked.close();
    expect(startedAgain('blocked')).toEqual([]);
  });
});
