import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DeduplicationOptions, JobsOptions } from '../../lib/engine/index.js';
import { Queue } from '../../lib/engine/index.js';
import { violations } from '../support/fault/checker.js';
import { Child } from '../support/fault/child.js';
import type { AddedOnce } from '../support/fault/child.js';
import type { Task } from '../support/fault/handlers.mjs';
import { ENGINE, Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const LEASE_MS = 1_500;
const PROCESSES = 50;
const IDS = Array.from({ length: 100 }, (_, i) => `id-${i}`);

let rig: Rig;

beforeEach(() => {
  rig = new Rig({ connection: redis.connection });
});

afterEach(() => rig.close());

const worker = { claimMinIdleMs: LEASE_MS, concurrency: 200, blockMs: 500 };

/** Each test has a queue of its own, and these processes add to it: to start them takes longer than to race. */
let adders: Child[] = [];

beforeAll(async () => {
  adders = await Promise.all(
    Array.from({ length: PROCESSES }, (_, n) =>
      Child.start({ name: `process-${n}`, engine: ENGINE, connection: redis.connection }),
    ),
  );
});

beforeEach(() => Promise.all(adders.map((child) => rig.borrow(child))).then(() => undefined));

afterAll(() => Promise.all(adders.map((child) => child.kill())).then(() => undefined));

/** All processes add a job for each id at the same time. */
async function race(
  from: readonly Child[],
  task: Task,
  deduplication: Omit<DeduplicationOptions, 'id'>,
  optionsOf: (at: number) => JobsOptions = () => ({}),
): Promise<AddedOnce[]> {
  const added = await Promise.all(
    from.map((child, n) =>
      child.addOnce(
        IDS.map((id, at) => ({
          task,
          options: { ...optionsOf(n + at), deduplication: { id, ...deduplication } },
        })),
      ),
    ),
  );
  return added.flat();
}

const fresh = (added: readonly AddedOnce[]): AddedOnce[] => added.filter(({ duplicate }) => !duplicate);

/** One job per id: exactly one add has added it, and all adds returned it. */
function expectOnce(added: readonly AddedOnce[]): void {
  expect(added).toHaveLength(PROCESSES * IDS.length);
  expect(
    fresh(added)
      .map(({ deduplicationId }) => deduplicationId)
      .toSorted(),
  ).toEqual(IDS.toSorted());
  expect(new Set(added.map(({ id, deduplicationId }) => `${deduplicationId} ${id}`)).size).toBe(IDS.length);
}

async function dedupKeys(): Promise<string[]> {
  return (await redis.client.keys(`${rig.keys.prefix}*`)).filter((key) => /}:(dedup|dlid|didx):/.test(key));
}

describe('50 processes that add jobs with the same 100 deduplication ids', () => {
  it('at once and delayed, while a worker is killed: one job per id; another one as soon as it has ended', async () => {
    const doomed = await rig.spawn('doomed', worker);
    const late = (at: number): JobsOptions => (at % 2 === 0 ? { delay: 1 + (at % 200) } : {});
    const first = await race(adders, { do: 'hold' }, {}, late);
    expectOnce(first);
    await rig.until('START', IDS.length, 10_000, 'doomed');

    const heir = await rig.spawn('heir', worker);
    const [second] = await Promise.all([race(adders, { do: 'hold' }, {}, late), doomed.kill()]);
    expect(fresh(second)).toEqual([]);
    await rig.until('START', IDS.length, 20_000, 'heir');
    expect(fresh(await race(adders, { do: 'hold' }, {}))).toEqual([]);

    await heir.release();
    await rig.until('COMPLETED', IDS.length, 10_000);
    await rig.drained(redis.client, 5_000);
    expect(await dedupKeys()).toEqual([]);
    await heir.kill();
    expectOnce(await race(adders, { do: 'finish' }, {}));
    await rig.worker('last', { blockMs: 500 });
    await rig.until('COMPLETED', 2 * IDS.length, 10_000);
    expect(violations(await rig.check(redis.client))).toEqual([]);
    expect(await dedupKeys()).toEqual([]);
  }, 120_000);

  it('whose jobs fail, and are retried: one job per id until it has failed for good', async () => {
    const failing = await rig.worker('failing', {
      blockMs: 500,
      retry: { initialBackoffMs: 20, jitterMs: 0 },
    });
    const added: AddedOnce[] = [];
    for (let round = 0; round < 3; round += 1) {
      added.push(...(await race(adders, { do: 'fail' }, {}, () => ({ attempts: 3 }))));
    }
    const jobs = fresh(added).length;
    await rig.until('FAILED', jobs, 20_000);
    await rig.drained(redis.client, 10_000);
    await failing.worker.close();
    // No two jobs of an id lived at the same time: the attempts of one are over before the next one starts.
    const idOf = new Map(added.map(({ id, deduplicationId }) => [id, deduplicationId]));
    const open = new Map<string, string>();
    const overlaps: string[] = [];
    for (const { kind, id, attempt } of rig.records) {
      const dedup = idOf.get(id) ?? '';
      if (kind === 'START') {
        const other = open.get(dedup);
        if (other !== undefined && other !== id) overlaps.push(`${dedup}: ${id} while ${other}`);
        open.set(dedup, id);
      } else if (kind === 'THROW' && attempt === 3) open.delete(dedup);
    }
    expect(overlaps).toEqual([]);
    expect(rig.of('START')).toHaveLength(3 * jobs);
    expect(await redis.client.xlen(rig.keys.dlq)).toBe(jobs);
    expect(await dedupKeys()).toEqual([]);
  }, 120_000);

  it('in debounce mode: one delayed job per id', async () => {
    const debounce = { ttl: 600_000, extend: true, replace: true };
    const added = await race(adders, { do: 'finish' }, debounce, () => ({ delay: 600_000 }));
    expect(fresh(added)).toHaveLength(added.length);
    expect(await redis.client.zcard(rig.keys.delayed)).toBe(IDS.length);
    const queue = new Queue(rig.queueName, { connection: redis.connection });
    const delayed = new Set((await queue.getDelayed(0, -1)).map(({ id }) => id));
    for (const id of IDS) expect(delayed).toContain(await queue.getDeduplicationJobId(id));
    await queue.close();
    expect(await redis.client.scard(`${rig.keys.prefix}delayed:unique`)).toBe(IDS.length);
  }, 60_000);

  it('that keep the last one, while the worker of the active ones is killed: two runs per id, one after the other', async () => {
    const doomed = await rig.spawn('doomed', worker);
    const last = { keepLastIfActive: true };
    expect(fresh(await race(adders.slice(0, 1), { do: 'hold' }, last))).toHaveLength(IDS.length);
    await rig.until('START', IDS.length, 10_000, 'doomed');
    const heir = await rig.spawn('heir', worker);
    const [second] = await Promise.all([race(adders, { do: 'hold' }, last), doomed.kill()]);
    expect(fresh(second)).toEqual([]);
    await rig.until('START', IDS.length, 20_000, 'heir');
    expect(await redis.client.zcard(rig.keys.delayed)).toBe(IDS.length);
    await heir.release();
    await rig.until('COMPLETED', 2 * IDS.length, 10_000);
    await rig.drained(redis.client, 5_000);
    expect(rig.of('START')).toHaveLength(3 * IDS.length);
    expect(await dedupKeys()).toEqual([]);
  }, 90_000);
});
