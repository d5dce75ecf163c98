import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { Job, Queue } from '../../../lib/engine/index.js';
import { auditGroups } from '../../../lib/redis/scripts/audit-groups.js';
import { runnerOn } from '../script-runner.js';
import { GateModel } from './model.js';
import type { ModelJob } from './model.js';
import { leftKeys } from './left-keys.js';
import { RawWorker } from './raw-worker.js';
import { GROUPS, KINDS, PLAIN, RANKS, WORKERS, names, optionsOf, pick, sorted } from './steps.js';
import type { Of, Step } from './steps.js';

const HOUR = 3_600_000;

const AGE = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'seq', 1) end";

/** Carries out steps in the model and in Redis. */
export class Run {
  readonly model: GateModel;
  readonly handles = new Map<number, Job>();
  workers: RawWorker[] = [];
  /** Whose leases are over, and who may not know it. */
  late: RawWorker[] = [];
  #joined = 0;

  readonly #client: Redis;

  constructor(
    client: Redis,
    readonly queue: Queue,
    isStrict: boolean,
  ) {
    this.#client = client;
    this.model = new GateModel(isStrict);
    for (const group of GROUPS) this.model.group(group);
  }

  async begin(): Promise<void> {
    for (let i = 0; i < WORKERS; i += 1) this.workers.push(await this.join());
    if (this.model.isStrict) await this.queue.setGroupDefaults({ strict: true });
  }

  async join(): Promise<RawWorker> {
    const worker = new RawWorker(this.#client, this.queue.keys, `worker-${String((this.#joined += 1))}`);
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
    else if ('set' in step) await this.#ofGroup(step);
    else if ('groupConcurrency' in step) await this.#limitGroups(step.groupConcurrency);
    else await this.#plain(step.do);
    this.model.settle();
    // Else lifo waits for two seconds, because a worker may not know yet that the queue is gated.
    if (await this.#client.hexists(this.queue.keys.meta, 'gated'))
      await this.#client.hset(this.queue.keys.meta, 'gated', 1);
  }

  async #add({ add, group, delayed, ownId }: Of<'add'>, data: number): Promise<void> {
    // A job of a group has no lifo.
    const kind = group !== '' && add === 'lifo' ? 'plain' : add;
    const opts = { ...(delayed && { delay: HOUR }), ...(ownId && { jobId: `own ${String(data)}` }) };
    this.handles.set(data, await this.queue.add(String(data), data, { ...optionsOf(kind, group), ...opts }));
    this.model.add({ data, group, rank: RANKS[kind], state: delayed ? 'delayed' : 'waiting' });
  }

  async #fetch({ fetch, worker: nth, reclaim }: Of<'fetch'>): Promise<void> {
    const { model } = this;
    const worker = this.workers[nth] as RawWorker;
    if (reclaim) {
      const orphans = this.late
        .toSorted((one, other) => (one.consumerId < other.consumerId ? -1 : 1))
        .flatMap((late) => late.orphans.filter((data) => this.of(data)?.by === late.consumerId));
      const got = await worker.reclaim(fetch);
      const expected = model.reclaim(
        orphans.map((data) => this.of(data)),
        fetch,
        worker.consumerId,
      );
      expect(got, 'reclaimed').toEqual(names(expected));
      return;
    }
    const free = Math.min(fetch, model.free);
    const first = model.line().slice(0, free);
    const got = await worker.fetch(fetch);
    expect(got.slice(0, first.length), 'fetched').toEqual(names(first));
    for (const job of first) model.start(job, worker.consumerId);
    for (const data of got.slice(first.length)) {
      const { group } = this.of(data);
      expect(model.ready(), 'a group that may start a job').toContain(group);
      expect(data, 'the next of its group').toBe(model.line(group)[0]?.data);
      model.start(this.of(data), worker.consumerId);
      for (const id of GROUPS)
        expect(Math.max(0, ...model.group(id).passedBy.values()), 'starts of another before it').toBeLessThan(
          2,
        );
    }
    expect(got.length, 'in all').toBeLessThanOrEqual(free);
    if (got.length < free) expect(model.ready(), 'groups with jobs left').toEqual([]);
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
      await worker.lapse();
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
        model.delay(this.of(one), true);
        return;
      case 'die':
        expect(await worker.failForGood([one])).toEqual([]);
        this.of(one).state = 'dead';
        return;
      case 'release':
        expect(await worker.release(all)).toEqual([]);
        // Jobs of the stream go to its end.
        for (const job of all) model.wait(this.of(job), this.of(job).group !== '' || this.of(job).rank !== 1);
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
    const job = pick(from[what], nth);
    const handle = job && this.handles.get(job.data);
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
      // A job that waits for its retry goes on to do so.
      if (job.state === 'waiting') model.delay(job);
    }
  }

  async #change({ change, nth }: Of<'change'>): Promise<void> {
    const { model } = this;
    const job = pick([...model.in('waiting'), ...model.in('delayed')], nth);
    if (!job) return;
    await this.handles.get(job.data)?.changePriority(KINDS[change]);
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
        Object.assign(model, { isLimited: false, starts: 0, kept: 0 });
        return;
      case 'drain':
        await queue.drain();
        for (const job of model.in('waiting')) model.end(job);
        return;
      case 'age':
        // As if the last job with a place in the room had come half a minute ago.
        if (model.in('waiting').every(({ group, rank }) => group === '' && rank === 1))
          await this.#client.eval(AGE, 1, queue.keys.gate);
        return;
      case 'audit':
        expect(await this.#audit(), 'fixed').toBe(0);
    }
  }

  async #ofGroup({ group, set, to }: Of<'set'>): Promise<void> {
    const { queue } = this;
    const model = this.model.group(group);
    if (set === 'pause' || set === 'resume') {
      await (set === 'pause' ? queue.pauseGroup(group) : queue.resumeGroup(group));
      model.isPaused = set === 'pause';
    } else if (set === 'concurrency') {
      await (to > 0 ? queue.setGroupConcurrency(group, to) : queue.removeGroupConcurrency(group));
      model.concurrency = to;
    } else {
      await (to > 0 ? queue.setGroupRateLimit(group, to, HOUR) : queue.removeGroupRateLimit(group));
      model.max = to || Infinity;
    }
  }

  async #limitGroups(concurrency: number): Promise<void> {
    const { model, queue } = this;
    const strict = model.isStrict && { strict: true };
    await queue.setGroupDefaults({ ...(concurrency > 0 && { concurrency }), ...strict });
    model.groupConcurrency = concurrency || Infinity;
    // Groups that may start more learn of it here.
    await this.#audit();
  }

  /** A whole round, as workers do it over time. Resolves with how much it has fixed. */
  async #audit(): Promise<number> {
    const { keys } = this.queue;
    let all = 0;
    for (let step = 0; step < 4; step += 1) {
      const at = await this.#client.hget(keys.gate, 'audit');
      if (at !== null) await this.#client.hset(keys.gate, 'audit', at.replace(/^\d+/, '1'));
      all += (await auditGroups(runnerOn(this.#client), keys)).fixed;
    }
    return all;
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
    const grouped = (job: Job): boolean => this.of(Number(job.data)).group !== '';
    expect(names(waiting.filter((job) => !grouped(job))), 'waiting').toEqual(
      names(line.filter(({ rank }) => rank < 2)),
    );
    expect(sorted(names(waiting.filter(grouped))), 'in groups').toEqual(
      sorted(names(model.in('waiting').filter(({ group }) => group !== ''))),
    );
    let slots = 0;
    for (const id of GROUPS) {
      expect(names(await queue.getGroupJobs(id)), id).toEqual(names(model.line(id)));
      const inFlight = model.in('active').filter(({ group }) => group === id).length;
      expect(await queue.getGroupActiveCount(id), `active of ${id}`).toBe(inFlight);
      slots += model.slots(id);
    }
    expect(await this.#client.zcard(`${queue.keys.prefix}slots`), 'slots').toBe(slots);
    expect(names(prioritized), 'prioritized').toEqual(names(line.filter(({ rank }) => rank > 1)));
    expect(sorted(names(delayed)), 'delayed').toEqual(sorted(names(model.in('delayed'))));
    expect(sorted(names(dead)), 'dead').toEqual(sorted(names(model.in('dead'))));
    if (model.concurrency < Infinity)
      expect(await queue.isMaxed()).toBe(model.in('active').length >= model.concurrency);
  }

  /** Everything runs to its end, as fast as can be. Then the queue is not gated, and nothing is left of the gate. */
  async finish(): Promise<void> {
    const { model, queue } = this;
    model.isStrict = false;
    const open: Step[] = [{ do: 'resume' }, { do: 'forget' }, { concurrency: 0 }, { max: 0 }];
    for (const group of GROUPS)
      for (const set of ['resume', 'concurrency', 'max'] as const) open.push({ group, set, to: 0 });
    for (const step of [...open, { groupConcurrency: 0 }]) await this.carryOut(step, -1);
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
    expect(await leftKeys(this.#client, queue.keys)).toEqual([]);
  }
}
