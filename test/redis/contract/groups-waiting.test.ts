import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { jobsOf } from './groups-kit.js';
import { useKit } from './kit.js';

const redis = useKit();

const BIG = 'big';
/** Jobs that each small tenant has waiting or running, from the start to the end: with each that starts, it adds another one. */
const OF_EACH = 20;

interface Setup {
  workers: number;
  concurrency: number;
  /** How long a handler waits, in ms. */
  runMs: number;
  /** Small tenants that alone keep all handlers busy. */
  tenants: number;
  /** Jobs of those tenants that are measured; or jobs of tenants of their own, one after the other. */
  measured: { jobs: number } | { singles: number };
  /** False: the jobs are in no group. */
  isFair?: boolean;
}

/**
 * How long jobs wait, from the add to the start of the handler. In starts of others: how long these take is up to the machine, so the
 * ms are only shown.
 */
interface Waits {
  ms: readonly number[];
  /** The share of the handlers that ran when another one started. */
  busy: number;
  /** All measured jobs, at the 95th percentile. */
  p95: number;
  /** The jobs of each tenant, at the 95th percentile. */
  byTenant: number[];
  /** Each single job. */
  passedBy: number[];
}

function percentile(waits: readonly number[], share: number): number {
  return waits.toSorted((a, b) => a - b)[Math.ceil(waits.length * share) - 1] as number;
}

/** @param big how many jobs of the big tenant wait or run, from the start to the end */
async function waitsOf(big: number, setup: Setup): Promise<Waits> {
  const { workers, concurrency, runMs, tenants, measured, isFair = true } = setup;
  const queue = redis.queue();
  await queue.obliterate({ force: true });
  for (let from = 0; from < big; from += 2_000)
    await queue.addBulk(
      jobsOf(BIG, Math.min(2_000, big - from)).map((job) => (isFair ? job : { ...job, opts: {} })),
    );
  const names = Array.from({ length: tenants }, (_, i) => `tenant-${String(i)}`);
  const inStarts = new Map<string, number[]>();
  let ms: number[] = [];
  let starts = 0;
  let startedInAll = 0;
  const add = (name: string): Promise<unknown> =>
    queue.add(name, [performance.now(), startedInAll], isFair ? { group: { id: name } } : {});
  let ended = false;
  let running = 0;
  const busy: number[] = [];
  const passedBy: number[] = [];
  /** How many had started with the last single job. */
  let startedWith = 0;
  /** Called with each start of a single job. */
  let singleStarted: (ms: number) => void = () => undefined;
  await Promise.all(names.flatMap((name) => Array.from({ length: OF_EACH }, () => add(name))));
  const started = Array.from({ length: workers }, () =>
    redis.worker(
      async ({ name, data }) => {
        const [addedAt, startedBefore] = Array.isArray(data) ? (data as [number, number]) : [0, 0];
        const wait = performance.now() - addedAt;
        startedInAll += 1;
        busy.push((running += 1) / (workers * concurrency));
        if (name.startsWith('single')) {
          startedWith = busy.length;
          singleStarted(wait);
        } else if (!ended) {
          void add(name);
          if (name !== BIG) {
            starts += 1;
            ms.push(wait);
            inStarts.set(name, [...(inStarts.get(name) ?? []), startedInAll - startedBefore - 1]);
          }
        }
        await delay(runMs);
        running -= 1;
      },
      { concurrency },
    ),
  );
  // The first round has waited for the workers.
  const settled = 2 * tenants * OF_EACH;
  const untilStarts = async (count: number): Promise<void> => {
    while (starts < count) await delay(10);
  };
  await untilStarts(settled);
  inStarts.clear();
  ms = [];
  busy.length = 0;
  if ('jobs' in measured) {
    await untilStarts(settled + measured.jobs);
  } else {
    const singles: number[] = [];
    for (let i = 0; i < measured.singles; i += 1) {
      const start = new Promise<number>((resolve) => (singleStarted = resolve));
      await add(`single-${String(i)}`);
      const before = busy.length;
      singles.push(await start);
      passedBy.push(startedWith - before - 1);
    }
    ms = singles;
  }
  ended = true;
  const share = busy.reduce((sum, of) => sum + of, 0) / busy.length;
  await Promise.all(started.map((worker) => worker.close()));
  const byTenant = [...inStarts.values()];
  return {
    ms,
    busy: share,
    p95: percentile('jobs' in measured ? byTenant.flat() : passedBy, 0.95),
    byTenant: byTenant.map((of) => percentile(of, 0.95)),
    passedBy,
  };
}

const shown = ({ ms, busy, p95 }: Waits): string =>
  `p50 ${percentile(ms, 0.5).toFixed(0)} ms, p95 ${percentile(ms, 0.95).toFixed(0)} ms, max ${Math.max(...ms).toFixed(0)} ms; ` +
  `p95 ${String(p95)} starts of others; ${(100 * busy).toFixed(0)} % of the handlers busy`;

async function compare(setup: Setup): Promise<{ alone: Waits; beside: Waits }> {
  const alone = await waitsOf(0, setup);
  const beside = await waitsOf(9 * setup.tenants * OF_EACH, setup);
  if (process.env['WAITS'] !== undefined)
    console.log(`${JSON.stringify(setup)}\n  without ${shown(alone)}\n  with    ${shown(beside)}`);
  return { alone, beside };
}

describe('with nine tenths of all jobs from one tenant, the others wait for at most twice as long', () => {
  test.each<Setup>([
    { workers: 2, concurrency: 1, runMs: 10, tenants: 4, measured: { jobs: 200 } },
    { workers: 2, concurrency: 10, runMs: 20, tenants: 9, measured: { jobs: 1_080 } },
    { workers: 1, concurrency: 50, runMs: 50, tenants: 9, measured: { jobs: 1_080 } },
  ])('%j', { timeout: 60_000 }, async (setup) => {
    const { alone, beside } = await compare(setup);
    // They did wait for each other: with each start, a tenant adds a job behind those that it has.
    expect(alone.p95).toBeGreaterThan((setup.tenants * OF_EACH) / 2);
    expect(beside.p95).toBeLessThanOrEqual(2 * alone.p95);
    expect(beside.byTenant).toHaveLength(setup.tenants);
    for (const p95 of beside.byTenant) expect(p95).toBeLessThanOrEqual(2 * Math.max(...alone.byTenant));
  });

  test('jobs of tenants that have one job each', { timeout: 60_000 }, async () => {
    const setup: Setup = { workers: 2, concurrency: 1, runMs: 10, tenants: 4, measured: { singles: 50 } };
    const { alone, beside } = await compare(setup);
    expect(percentile(alone.passedBy, 0.5)).toBeGreaterThan(0);
    for (const share of [0.5, 0.95]) {
      expect(percentile(beside.passedBy, share)).toBeLessThanOrEqual(2 * percentile(alone.passedBy, share));
    }
  });

  test(
    'a single job waits for one start of each other tenant, however many jobs they have',
    { timeout: 60_000 },
    async () => {
      const setup: Setup = { workers: 2, concurrency: 5, runMs: 20, tenants: 9, measured: { singles: 50 } };
      const { alone, beside } = await compare(setup);
      // What is on its way to a handler, of either worker, may start between.
      const onTheWay = 2 * setup.workers * setup.concurrency;
      expect(Math.max(...alone.passedBy)).toBeLessThanOrEqual(setup.tenants + onTheWay);
      expect(Math.max(...beside.passedBy)).toBeLessThanOrEqual(setup.tenants + 1 + onTheWay);
      // It did wait.
      expect(Math.max(...beside.passedBy)).toBeGreaterThan(0);
    },
  );

  test('and without groups, they wait far longer', { timeout: 60_000 }, async () => {
    const setup: Setup = { workers: 2, concurrency: 10, runMs: 25, tenants: 9, measured: { jobs: 360 } };
    const { alone, beside } = await compare({ ...setup, isFair: false });
    expect(beside.p95).toBeGreaterThan(4 * alone.p95);
    expect(alone.p95).toBeGreaterThan(0);
  });
});
