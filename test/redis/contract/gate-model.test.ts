import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Job, JobsOptions, Queue } from '../../../lib/engine/index.js';
import { GateModel } from '../../support/gate/model.js';
import type { ModelJob } from '../../support/gate/model.js';
import { RawWorker } from '../../support/gate/raw-worker.js';
import { useKit } from './kit.js';

/*
 * Random commands on a gated queue, each in a model and in Redis. Workers are scripts called one by one, so what the gate gives is
 * exactly what the model says. GATE_RUNS: how many runs.
 */

const redis = useKit();
const HOUR = 3_600_000;
const WORKERS = 3;

const PLAIN = ['pause', 'resume', 'forget', 'limit', 'age', 'drain'] as const;
const OF_WORKER = ['complete', 'complete all', 'retry', 'die', 'release', 'late', 'crash'] as const;
const OF_JOB = ['remove', 'promote', 'replay', 'to delayed'] as const;
const KINDS = {
  plain: {},
  'priority 1': { priority: 1 },
  'priority 2': { priority: 2 },
  lifo: { lifo: true },
} as const satisfies Record<string, JobsOptions>;
type Kind = keyof typeof KINDS;
const RANKS: Record<Kind, number> = { lifo: 0, plain: 1, 'priority 1': 2, 'priority 2': 3 };

type Of<K extends string> = Extract<Step, Record<K, unknown>>;
type Step =
  | { add: Kind; delayed: boolean; ownId: boolean }
  | { fetch: number; worker: number; reclaim: boolean }
  | { of: (typeof OF_WORKER)[number]; worker: number; nth: number }
  | { job: (typeof OF_JOB)[number]; nth: number }
  | { change: Kind; nth: number }
  | { do: (typeof PLAIN)[number] }
  | { concurrency: number }
  | { max: number };

/** None of an empty list. */
const pick = <T>(list: readonly T[], nth: number): T | undefined => list[nth % Math.max(1, list.length)];
const names = (jobs: readonly (Job | ModelJob)[]): number[] => jobs.map(({ data }) => Number(data));
const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

class Run {
  readonly model = new GateModel();
  readonly handles = new Map<number, Job>();
  workers: RawWorker[] = [];
  /** Whose leases are over, and who may not know it. */
  late: RawWorker[] = [];
  #joined = 0;

  constructor(readonly queue: Queue) {}

  async join(): Promise<RawWorker> {
    const worker = new RawWorker(redis.client, this.queue.keys, `worker-${String((this.#joined += 1))}`);
    await worker.join();
    return worker;
  }

  of(data: number): ModelJob {
    return this.model.jobs.find((job) => job.data === data) as ModelJob;
  }

  async carryOut(step: Step, data: number): Promise<void> {
    if ('add' in step) await this.#add(step, data);
    else if ('fetch' in step) await this.#fetch(step);
    else if ('of' in step) await this.#ofWorker(step);
    else if ('job' in step) await this.#ofJob(step);
    else if ('change' in step) await this.#change(step);
    else if ('concurrency' in step) await this.#limitConcurrency(step.concurrency);
    else if ('max' in step) await this.#limitRate(step.max);
    else await this.#plain(step.do);
    // Else lifo waits for two seconds, because a worker may not know yet that the queue is gated.
    if (await redis.client.hexists(this.queue.keys.meta, 'gated'))
      await redis.client.hset(this.queue.keys.meta, 'gated', 1);
  }

  async #add({ add, delayed, ownId }: Of<'add'>, data: number): Promise<void> {
    const opts = { ...(delayed && { delay: HOUR }), ...(ownId && { jobId: `own ${String(data)}` }) };
    this.handles.set(data, await this.queue.add(String(data), data, { ...KINDS[add], ...opts }));
    this.model.add({ data, group: '', rank: RANKS[add], state: delayed ? 'delayed' : 'waiting' });
  }

  async #fetch({ fetch, worker: nth, reclaim }: Of<'fetch'>): Promise<void> {
    const { model } = this;
    const worker = this.workers[nth] as RawWorker;
    if (reclaim) {
      const orphans = model
        .in('active')
        .filter(({ by }) => this.late.some(({ consumerId }) => consumerId === by));
      const most = Math.min(
        fetch,
        orphans.length,
        model.isLimited ? 0 : Math.max(0, model.max - model.starts),
      );
      const got = await worker.reclaim(fetch);
      expect(got.length, 'reclaimed').toBe(most);
      for (const job of got) {
        expect(names(orphans)).toContain(job);
        this.of(job).by = worker.consumerId;
      }
      model.count(got.length);
      return;
    }
    const expected = model.line().slice(0, Math.min(fetch, model.free));
    expect(await worker.fetch(fetch), 'fetched').toEqual(names(expected));
    model.start(expected, worker.consumerId);
  }

  async #ofWorker({ of, worker: nth, nth: nthJob }: Of<'of'>): Promise<void> {
    const { model } = this;
    if (of === 'late') {
      const late = pick(this.late, nthJob);
      const job = late && pick([...late.inFlight.keys()], nthJob);
      const isLost = late && job !== undefined && this.of(job)?.by !== late.consumerId;
      if (isLost) expect(await late.complete([job]), 'lost').toEqual([job]);
      return;
    }
    const worker = this.workers[nth] as RawWorker;
    const all = [...worker.inFlight.keys()];
    if (of === 'crash') {
      await worker.die();
      this.late.push(worker);
      this.workers[nth] = await this.join();
      return;
    }
    const one = pick(all, nthJob);
    if (one === undefined) return;
    switch (of) {
      case 'complete':
      case 'complete all': {
        const ended = of === 'complete' ? [one] : all;
        expect(await worker.complete(ended)).toEqual([]);
        for (const job of ended) model.end(this.of(job));
        return;
      }
      case 'retry':
        expect(await worker.retry([one])).toEqual([]);
        this.of(one).state = 'delayed';
        return;
      case 'die':
        expect(await worker.deadLetter([one])).toEqual([]);
        this.of(one).state = 'dead';
        return;
      case 'release':
        expect(await worker.release(all)).toEqual([]);
        // Jobs of the stream go to its end.
        for (const job of all) model.wait(this.of(job), this.of(job).rank !== 1);
    }
  }

  async #ofJob({ job: what, nth }: Of<'job'>): Promise<void> {
    const { model } = this;
    const waiting = [...model.in('waiting'), ...model.in('delayed')];
    const from = {
      remove: waiting,
      promote: model.in('delayed'),
      replay: model.in('dead'),
      'to delayed': waiting,
    };
    const job = pick(from[what as keyof typeof from], nth);
    const handle = job && (this.handles.get(job.data) as Job);
    if (!job || !handle) return;
    if (what === 'remove') {
      await handle.remove();
      model.end(job);
    } else if (what === 'promote') {
      await handle.promote();
      model.wait(job);
    } else if (what === 'replay') {
      expect(await this.queue.replayDlq({ ids: [handle.id] })).toBe(1);
      model.wait(job);
    } else {
      await handle.moveToDelayed(Date.now() + HOUR);
      job.state = 'delayed';
    }
  }

  async #change({ change, nth }: Of<'change'>): Promise<void> {
    const { model } = this;
    const job = pick([...model.in('waiting'), ...model.in('delayed')], nth);
    if (!job) return;
    await (this.handles.get(job.data) as Job).changePriority(KINDS[change]);
    if (job.rank === RANKS[change]) return;
    job.rank = RANKS[change];
    if (job.state === 'waiting') model.wait(job);
  }

  async #limitConcurrency(concurrency: number): Promise<void> {
    if (concurrency > 0) await this.queue.setGlobalConcurrency(concurrency);
    else await this.queue.removeGlobalConcurrency();
    this.model.concurrency = concurrency || Infinity;
  }

  async #limitRate(max: number): Promise<void> {
    if (max > 0) await this.queue.setGlobalRateLimit(max, HOUR);
    else await this.queue.removeGlobalRateLimit();
    this.model.max = max || Infinity;
  }

  async #plain(what: (typeof PLAIN)[number]): Promise<void> {
    const { model, queue } = this;
    switch (what) {
      case 'pause':
      case 'resume':
        await queue[what]();
        model.isPaused = what === 'pause';
        return;
      case 'limit':
        await queue.rateLimit(HOUR);
        model.isLimited = true;
        return;
      case 'forget':
        await queue.removeRateLimitKey();
        Object.assign(model, { isLimited: false, starts: 0 });
        return;
      case 'drain':
        await queue.drain();
        for (const job of model.in('waiting')) model.end(job);
        return;
      case 'age':
        // As if the last job with a priority had come half a minute ago.
        if (await redis.client.exists(queue.keys.gate)) await redis.client.hset(queue.keys.gate, 'seq', 1);
    }
  }

  /** Each job is where it should be, and nowhere else. */
  async compare(): Promise<void> {
    const { queue, model } = this;
    const [active, waiting, prioritized, delayed, dead] = await Promise.all([
      queue.getActive(),
      queue.getWaiting(),
      queue.getPrioritized(),
      queue.getDelayed(),
      queue.getFailed(),
    ]);
    expect(sorted(names(active)), 'active').toEqual(sorted(names(model.in('active'))));
    const line = model.line();
    expect(names(waiting), 'waiting').toEqual(names(line.filter(({ rank }) => rank < 2)));
    expect(names(prioritized), 'prioritized').toEqual(names(line.filter(({ rank }) => rank > 1)));
    expect(sorted(names(delayed)), 'delayed').toEqual(sorted(names(model.in('delayed'))));
    expect(sorted(names(dead)), 'dead').toEqual(sorted(names(model.in('dead'))));
    if (model.concurrency < Infinity)
      expect(await queue.isMaxed()).toBe(model.in('active').length >= model.concurrency);
  }

  /** Everything runs to its end, as fast as can be. Then the queue is not gated, and nothing is left of the gate. */
  async finish(): Promise<void> {
    const { model, queue } = this;
    for (const step of [{ do: 'resume' }, { do: 'forget' }, { concurrency: 0 }, { max: 0 }] as const)
      await this.carryOut(step, -1);
    for (const job of model.in('delayed')) {
      await this.handles.get(job.data)?.promote();
      model.wait(job);
    }
    await this.carryOut({ fetch: 1_000, worker: 0, reclaim: true }, -1);
    await this.carryOut({ fetch: 1_000, worker: 0, reclaim: false }, -1);
    for (let nth = 0; nth < WORKERS; nth += 1)
      await this.carryOut({ of: 'complete all', worker: nth, nth: 0 }, -1);
    expect(names(model.jobs)).toEqual(names(model.in('dead')));
    await this.carryOut({ do: 'age' }, -1);
    await this.carryOut({ fetch: 1, worker: 0, reclaim: false }, -1);
    await this.compare();
    const left: string[] = [];
    for (const key of await redis.client.keys(`${queue.keys.prefix}*`)) {
      const isOther = /}:(stream|events|dlq|calls:.*|wake:worker:.*|wake:promoter)$/.test(key);
      // An id stays taken for a while after its job.
      if (!isOther && (await redis.client.pttl(key)) < 0) left.push(key);
    }
    expect(left).toEqual([]);
  }
}

let runs = 0;

async function follow(steps: readonly Step[]): Promise<void> {
  const queue = redis.queue({}, `gate-${String((runs += 1))}`);
  const run = new Run(queue);
  for (let i = 0; i < WORKERS; i += 1) run.workers.push(await run.join());
  for (const [data, step] of steps.entries()) {
    await run.carryOut(step, data);
    await run.compare();
  }
  await run.finish();
  await queue.close();
  await redis.client.flushall();
}

const nth = fc.nat(9);
const worker = fc.nat(WORKERS - 1);
const kind = fc.constantFrom(...(Object.keys(KINDS) as Kind[]));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ add: kind, delayed: fc.nat(5).map((n) => n === 0), ownId: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ fetch: fc.integer({ min: 1, max: 4 }), worker, reclaim: fc.constant(false) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ fetch: fc.integer({ min: 1, max: 4 }), worker, reclaim: fc.constant(true) }),
  },
  { weight: 4, arbitrary: fc.record({ of: fc.constantFrom(...OF_WORKER), worker, nth }) },
  { weight: 2, arbitrary: fc.record({ job: fc.constantFrom(...OF_JOB), nth }) },
  { weight: 1, arbitrary: fc.record({ change: kind, nth }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom(...PLAIN, 'resume' as const, 'forget' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ concurrency: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ max: fc.nat(6) }) },
);

const MOST = Number(process.env['GATE_RUNS'] ?? 100);

test(
  'the gate gives what the model says, in its order, whatever jobs, workers and limits do',
  async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), follow), {
      numRuns: MOST,
      ...(process.env['GATE_SEED'] !== undefined && { seed: Number(process.env['GATE_SEED']) }),
    });
  },
  30_000 + MOST * 1_000,
);
