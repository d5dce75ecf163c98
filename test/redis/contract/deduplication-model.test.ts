import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Job, JobsOptions, Queue } from '../../../lib/engine/index.js';
import { eventually, useKit } from './kit.js';

const redis = useKit();
const HOUR = 3_600_000;

const MODES = {
  simple: { deduplication: {} },
  delayed: { delay: HOUR, deduplication: {} },
  throttle: { deduplication: { ttl: HOUR } },
  debounce: { delay: HOUR, deduplication: { ttl: HOUR, extend: true, replace: true } },
  last: { deduplication: { keepLastIfActive: true } },
} as const;
type Mode = keyof typeof MODES;

const STEPS = ['complete', 'fail', 'promote', 'remove', 'expire', 'replay', 'release'] as const;
type Step = { add: Mode; id: string } | { do: (typeof STEPS)[number]; id: string };

interface ModelJob {
  readonly id: string;
  readonly hasTtl: boolean;
  readonly data: number;
  isDelayed: boolean;
  /** Attempts used. */
  used: number;
}

/** What the modes mean: who has an id, which jobs live, which one is kept until another has ended. */
class Model {
  live: ModelJob[] = [];
  dead: ModelJob[] = [];
  holders = new Map<string, { job: ModelJob; hasTtl: boolean; next?: ModelJob | undefined }>();

  holderOf(id: string): ModelJob | undefined {
    const holder = this.holders.get(id);
    return holder && (holder.hasTtl || this.live.includes(holder.job)) ? holder.job : undefined;
  }

  /** Returns the job whose id `add` returns. */
  add(mode: Mode, id: string, data: number): ModelJob {
    const isDelayed = 'delay' in MODES[mode];
    const job: ModelJob = { id, data, isDelayed, used: 0, hasTtl: 'ttl' in MODES[mode].deduplication };
    const other = this.holderOf(id);
    const holder = this.holders.get(id);
    if (!other || !holder) {
      this.holders.set(id, { job, hasTtl: job.hasTtl });
      this.live.push(job);
      return job;
    }
    const lives = this.live.includes(other);
    if (mode === 'last' && lives && (!other.isDelayed || holder.next || other.used > 0)) {
      Object.assign(holder, { next: job, hasTtl: false });
    } else if (mode === 'debounce' && lives && other.isDelayed) {
      this.live = this.live.filter((one) => one !== other);
      this.live.push(job);
      holder.job = job;
      return job;
    }
    return other;
  }

  end(job: ModelJob, isRemoved = false): void {
    this.live = this.live.filter((one) => one !== job);
    const holder = this.holders.get(job.id);
    if (holder?.job !== job) return;
    if (holder.next) {
      this.live.push(holder.next);
      this.holders.set(job.id, { job: holder.next, hasTtl: false });
    } else if (isRemoved || !holder.hasTtl) this.holders.delete(job.id);
  }

  /** The id is freed by hand: the job that is kept runs now. */
  release(id: string): void {
    const next = this.holders.get(id)?.next;
    if (next) this.live.push(next);
    this.holders.delete(id);
  }

  replay(job: ModelJob): void {
    const other = this.holderOf(job.id);
    if (!job.hasTtl && other && other !== job) return;
    this.dead = this.dead.filter((one) => one !== job);
    Object.assign(job, { used: 0, isDelayed: false });
    this.live.push(job);
    if (job.hasTtl) return;
    const next = this.holders.get(job.id)?.next;
    this.holders.set(job.id, { job, hasTtl: false, ...(next && { next }) });
  }
}

let runs = 0;

/** The steps, in the model and in Redis, with a real worker; after each, both have to agree. */
async function follow(steps: readonly Step[]): Promise<void> {
  const name = `model-${(runs += 1)}`;
  const queue: Queue = redis.queue({}, name);
  const ends = new Map<unknown, (error?: Error) => void>();
  const worker = redis.worker(
    (job) =>
      new Promise<void>((resolve, reject) => {
        ends.set(job.data, (error) => {
          ends.delete(job.data);
          if (error) reject(error);
          else resolve();
        });
      }),
    { concurrency: 50 },
    name,
  );
  const model = new Model();
  const jobs = new Map<number, Job>();
  const idOf = (job: ModelJob | undefined): string | null =>
    job ? (jobs.get(job.data)?.id ?? `kept ${job.data}`) : null;

  async function carryOut(step: Step, data: number): Promise<void> {
    if ('add' in step) {
      const { deduplication, ...more } = MODES[step.add];
      const opts: JobsOptions = { attempts: 2, backoff: HOUR, ...more };
      const added = await queue.add('a', data, { ...opts, deduplication: { id: step.id, ...deduplication } });
      const expected = model.add(step.add, step.id, data);
      if (expected.data === data) jobs.set(data, added);
      expect([added.id, added.duplicate]).toEqual([idOf(expected), expected.data !== data]);
      return;
    }
    const ofId = (job: ModelJob): boolean => job.id === step.id;
    const running = model.live.find((job) => ofId(job) && !job.isDelayed);
    const delayed = model.live.find((job) => ofId(job) && job.isDelayed);
    switch (step.do) {
      case 'complete':
        if (running) ends.get(running.data)?.();
        if (running) model.end(running);
        return;
      case 'fail':
        if (!running) return;
        ends.get(running.data)?.(new Error('no'));
        running.used += 1;
        if (running.used === 1) running.isDelayed = true;
        else {
          model.end(running);
          model.dead.push(running);
        }
        return;
      case 'promote':
        if (!delayed) return;
        await jobs.get(delayed.data)?.promote();
        delayed.isDelayed = false;
        return;
      case 'remove':
        if (!delayed) return;
        await jobs.get(delayed.data)?.remove();
        model.end(delayed, true);
        return;
      case 'expire': {
        const key = `${queue.keys.prefix}dedup:${step.id}`;
        if ((await redis.client.pttl(key)) > 0) await redis.client.del(key);
        if (model.holders.get(step.id)?.hasTtl) model.holders.delete(step.id);
        return;
      }
      case 'replay': {
        const dead = model.dead.find(ofId);
        if (!dead) return;
        await queue.replayDlq({ ids: [idOf(dead) as string] });
        model.replay(dead);
        return;
      }
      case 'release': {
        const isTaken = model.holderOf(step.id) !== undefined;
        expect(await queue.removeDeduplicationKey(step.id)).toBe(isTaken ? 1 : 0);
        model.release(step.id);
      }
    }
  }

  /** The jobs that were kept have their ids only now. */
  async function learnIds(): Promise<void> {
    if (model.live.every(({ data }) => jobs.has(data))) return;
    for (const job of await queue.getJobs(['active', 'waiting', 'delayed'])) jobs.set(Number(job.data), job);
  }

  const sorted = (numbers: Iterable<unknown>): number[] => [...numbers].map(Number).sort((a, b) => a - b);
  for (const [data, step] of steps.entries()) {
    await carryOut(step, data);
    const kept = [...model.holders.values()].flatMap(({ next }) => (next ? [next] : []));
    const running = model.live.filter(({ isDelayed }) => !isDelayed);
    const delayed = [...model.live.filter(({ isDelayed }) => isDelayed), ...kept];
    await eventually(async () => {
      expect(sorted(ends.keys())).toEqual(sorted(running.map((job) => job.data)));
      expect(sorted((await queue.getDelayed()).map((job) => job.data))).toEqual(
        sorted(delayed.map((job) => job.data)),
      );
      expect(await queue.getFailedCount()).toBe(model.dead.length);
      await learnIds();
      expect(await queue.getDeduplicationJobId(step.id)).toBe(idOf(model.holderOf(step.id)));
    });
  }
  // In the end nothing is left: each job that was added has ended, and holds no id.
  while (model.live.length > 0) {
    for (const job of [...model.live]) {
      await carryOut({ do: job.isDelayed ? 'remove' : 'complete', id: job.id }, -1);
    }
    await eventually(async () => {
      expect(sorted(ends.keys())).toEqual(
        sorted(model.live.filter((job) => !job.isDelayed).map((job) => job.data)),
      );
      await learnIds();
    });
  }
  await eventually(async () => {
    const keys = (await redis.client.keys(`${queue.keys.prefix}*`)).map((key) =>
      key.slice(queue.keys.prefix.length),
    );
    const left = keys.filter((key) => /^(dedup:parked|dlid:|didx:|delayed)/.test(key));
    expect(left).toEqual([]);
    for (const key of keys.filter((one) => one.startsWith('dedup:'))) {
      expect(await redis.client.pttl(queue.keys.prefix + key), key).toBeGreaterThan(0);
    }
  });
  await worker.close();
  await queue.close();
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      add: fc.constantFrom(...(Object.keys(MODES) as Mode[])),
      id: fc.constantFrom('a', 'b'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom(...STEPS), id: fc.constantFrom('a', 'b') }) },
);

test('any sequence of adds, ends, failures, removals and replays in any modes does what the model says', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), follow), {
    numRuns: Number(process.env.DEDUP_RUNS ?? 30),
    interruptAfterTimeLimit: 40_000,
  });
}, 120_000);
