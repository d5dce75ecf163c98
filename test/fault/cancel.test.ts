import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import type { CancelOutcome } from '../../lib/engine/index.js';
import { violations } from '../support/fault/checker.js';
import { seeded } from '../support/fault/load.js';
import { Rig } from '../support/fault/rig.js';
import { useCluster, useRedis } from '../support/redis.js';

const redis = useRedis();
const three = useCluster();

let rig: Rig;

afterEach(() => rig.close());

const JOBS = 2_000;

/** Adds jobs while workers run, and takes each back at once from another process's point of view: by another connection. */
async function race(client: Redis, elsewhere: Queue): Promise<void> {
  const random = seeded(12);
  for (const name of ['one', 'two', 'three'])
    await rig.worker(name, { concurrency: 5, blockMs: 500, claimMinIdleMs: 6_000 });
  const producer = rig.producer();
  const told = new Map<string, CancelOutcome>();
  const one = async (number: number): Promise<void> => {
    const id = `job-${number}`;
    const task = random() < 0.5 ? ({ do: 'finish' } as const) : ({ do: 'sleep', ms: 3 } as const);
    await producer.add(task, { jobId: id, ...(random() < 0.3 && { delay: Math.ceil(random() * 20) }) });
    if (random() < 0.5) told.set(id, await elsewhere.cancel(id));
    else told.set(id, (await elsewhere.remove(id)) === 1 ? 'removed' : 'gone');
  };
  for (let from = 0; from < JOBS; from += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, index) => one(from + index)));
  }
  await rig.drained(client, 10_000);
  const with_ = (outcome: CancelOutcome): string[] =>
    [...told].flatMap(([id, is]) => (is === outcome ? [id] : []));
  const removed = new Set(with_('removed'));
  await rig.until('COMPLETED', JOBS - removed.size - rig.ids('FAILED').size, 5_000);

  const [started, completed, failed] = [rig.ids('START'), rig.ids('COMPLETED'), rig.ids('FAILED')];
  expect([...removed].filter((id) => started.has(id))).toEqual([]);
  expect([...completed].filter((id) => failed.has(id))).toEqual([]);
  // Only what was told to end has failed: no handler here fails by itself.
  expect([...failed].filter((id) => told.get(id) !== 'signalled')).toEqual([]);
  const ends = [...told.keys()].filter((id) => removed.has(id) || completed.has(id) || failed.has(id));
  expect(ends).toHaveLength(JOBS);
  expect(Math.min(removed.size, completed.size, with_('signalled').length)).toBeGreaterThan(0);
  expect(violations(await rig.check(client, [...removed, ...failed]))).toEqual([]);
}

describe('many removes and cancels against many workers', () => {
  it('each job is either removed or run, never both, never neither', async () => {
    rig = new Rig({ connection: redis.connection });
    await using elsewhere = new Queue(rig.queueName, { connection: { ...redis.connection } });
    await race(redis.client, elsewhere);
  }, 60_000);

  it('the same on a cluster', async () => {
    const { connection } = three;
    rig = new Rig({ connection });
    await using elsewhere = new Queue(rig.queueName, { connection: { ...connection } });
    const client = new Cluster([...connection.cluster]);
    try {
      await race(client as unknown as Redis, elsewhere);
    } finally {
      client.disconnect();
    }
  }, 60_000);
});

describe('jobs that are cancelled while their worker is stopped, and is then killed', () => {
  beforeEach(() => {
    rig = new Rig({ connection: redis.connection });
  });

  it('do not run again; the others do', async () => {
    const settings = { claimMinIdleMs: 600, concurrency: 20, blockMs: 500 };
    const dies = await rig.spawn('dies', settings);
    const producer = rig.producer();
    await producer.addMany(20, { do: 'hold' }, { attempts: 5 });
    await rig.until('START', 20, 5_000);
    dies.signal('SIGSTOP');
    const cancelled = [...rig.ids('START')].slice(0, 10);
    for (const id of cancelled) expect(await producer.queue.cancel(id)).toBe('signalled');
    await dies.kill();
    const { gate } = await rig.worker('heir', settings);
    await rig.until('START', 10, 10_000, 'heir');
    await rig.until('FAILED', 10, 10_000, 'heir');
    gate.release();
    await rig.drained(redis.client, 10_000);
    expect(cancelled.filter((id) => rig.ids('START', 'heir').has(id))).toEqual([]);
    expect(violations(await rig.check(redis.client, cancelled))).toEqual([]);
  }, 30_000);
});
