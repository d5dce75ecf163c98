import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { violations } from '../support/fault/checker.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const LEASE_MS = 1_500;
const JOBS = 40;

let rig: Rig;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
});

afterEach(() => rig.close());

const worker = { claimMinIdleMs: LEASE_MS, concurrency: JOBS, blockMs: 500 };

describe('kill -9 of a worker that runs tracked jobs', () => {
  it('loses none; the attempt without an end is kept beside the next one, and each job is kept once', async () => {
    const doomed = await rig.spawn('doomed', worker);
    const producer = rig.producer('producer', { trackJobs: true });
    await producer.addMany(JOBS, { do: 'hold' });
    await rig.until('START', JOBS, 10_000);
    // The starts of runs that go on are written soon.
    const runs = [...rig.ids('START')].map((id) => `${rig.keys.prefix}job-runs:${id}`);
    await waitUntil('The starts', 5_000, async () => {
      const there = await redis.client.exists(...runs);
      return there === JOBS ? undefined : `${there} written`;
    });
    const heir = await rig.spawn('heir', worker);
    await doomed.kill();
    await rig.until('START', JOBS, 10_000, 'heir');
    await heir.release();
    await rig.drained(redis.client, 5_000);
    await rig.until('COMPLETED', JOBS, 5_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);

    const { queue } = producer;
    expect(await redis.client.zcard(`${rig.keys.prefix}completed`)).toBe(JOBS);
    for (const id of rig.ids('START', 'heir')) {
      const job = await queue.getJob(id);
      expect(job).toMatchObject({ id, attemptsMade: 2, data: { do: 'hold' } });
      const attempts = job?.attempts ?? [];
      expect(attempts).toHaveLength(2);
      expect(attempts[0]).toMatchObject({ attempt: 1 });
      expect(attempts[0]?.endedAt).toBeUndefined();
      expect(attempts[1]?.endedAt).toBeGreaterThan(0);
    }
    await queue.clean(0, 0);
    const left = await redis.client.keys(`${rig.keys.prefix}job*`);
    expect(left).toEqual([]);
  });

  it('of a job that kills each worker: it becomes a dead letter with all of its attempts', async () => {
    const producer = rig.producer('producer', { trackJobs: true });
    const job = await producer.add({ do: 'exit' }, { attempts: 2 });
    for (const name of ['first', 'second', 'third']) {
      await rig.fork(name, worker).then((child) => child.work().catch(() => undefined));
      await waitUntil(`The end of ${name}`, 8_000, async () => {
        const starts = rig.of('START').length;
        const dead = await redis.client.xlen(rig.keys.dlq);
        return starts > ['first', 'second', 'third'].indexOf(name) || dead > 0
          ? undefined
          : `${starts} starts`;
      });
    }
    await waitUntil('The dead letter', 10_000, async () => {
      const dead = await redis.client.xlen(rig.keys.dlq);
      return dead === 1 ? undefined : `${dead}`;
    });
    const id = job!.id;
    const failed = await producer.queue.getJob(id);
    expect(await failed?.getState()).toBe('failed');
    expect(rig.of('START')).toHaveLength(2);
    expect(failed?.failedReason).toBeTruthy();
    await producer.queue.dropDlq({ all: true });
    expect(await redis.client.keys(`${rig.keys.prefix}job*`)).toEqual([]);
  });
});
