import { setImmediate as tick, setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { groupDefaults, jobsOf } from './groups-kit.js';
import { eventually, useKit } from './kit.js';

const redis = useKit();

const SMALL = ['b', 'c', 'd', 'e', 'f'];
const OF_EACH = 40;

/** How many jobs of all started before each job of the small tenants, at the 95th percentile. Counts, because times depend on the machine. */
function p95(waits: number[]): number {
  const sorted = waits.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] as number;
}

interface Setup {
  workers: number;
  concurrency: number;
  groupConcurrency: number | undefined;
}

/** Runs the jobs of the small tenants, which come while all workers are busy; returns how many starts each of them waits for. */
async function waitsOf(big: number, { workers, concurrency, groupConcurrency }: Setup): Promise<number[]> {
  const queue = redis.queue();
  await queue.obliterate({ force: true });
  await groupDefaults(redis, { groupConcurrency });
  for (let from = 0; from < big; from += 2_000) await queue.addBulk(jobsOf('a', Math.min(2_000, big - from)));
  let started = 0;
  let hasStarted: () => void = () => undefined;
  const waits: number[] = [];
  // Jobs that start while a wave is on its way to Redis are none that its jobs wait for. So it sets out when some have just started,
  // and those run for longer than it takes.
  const handlerMs = Math.max(1, (workers * concurrency) / 2);
  const running = Array.from({ length: workers }, () =>
    redis.worker(
      async (job) => {
        started += 1;
        hasStarted();
        if (job.name !== 'a') waits.push(started - (job.data as number));
        await delay(handlerMs);
      },
      { concurrency },
    ),
  );
  // In waves: each comes while the big tenant has all of its jobs waiting.
  for (let wave = 0; wave < 4; wave += 1) {
    if (big > 0) {
      await new Promise<void>((resolve) => (hasStarted = resolve));
      await tick();
    }
    const at = started;
    const jobs = SMALL.flatMap((id) => jobsOf(id, OF_EACH / 4)).map((job) => ({ ...job, data: at }));
    await queue.addBulk(jobs);
    const expected = (wave + 1) * SMALL.length * (OF_EACH / 4);
    await eventually(() => {
      expect(waits.length).toBe(expected);
    }, 20_000);
  }
  await Promise.all(running.map((worker) => worker.close()));
  return waits;
}

describe('nine tenths of all jobs are from one tenant', () => {
  test.each([
    { workers: 1, concurrency: 1, groupConcurrency: undefined, big: 1_800 },
    { workers: 1, concurrency: 10, groupConcurrency: undefined, big: 1_800 },
    { workers: 1, concurrency: 50, groupConcurrency: undefined, big: 1_800 },
    { workers: 3, concurrency: 4, groupConcurrency: undefined, big: 1_800 },
    { workers: 2, concurrency: 10, groupConcurrency: 2, big: 1_800 },
    { workers: 2, concurrency: 10, groupConcurrency: undefined, big: 100_000 },
  ])(
    'the others wait for at most twice as many starts: %j',
    { timeout: 60_000 },
    async ({ big, ...setup }) => {
      const alone = p95(await waitsOf(0, setup));
      const beside = p95(await waitsOf(big, setup));
      expect(beside).toBeLessThanOrEqual(2 * alone);
    },
  );
});
