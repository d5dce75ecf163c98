import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import { ChasquiError, Queue, Worker } from '../../../lib/engine/index.js';
import type { Job, JobsOptions, QueueOptions } from '../../../lib/engine/index.js';
import { waitUntil } from '../../../lib/testing/server/wait-until.js';
import { eventsIn } from '../events.js';
import { KINDS, optionsOf, pick } from '../gate/steps.js';
import { leftKeys } from '../gate/left-keys.js';
import { RawWorker } from '../gate/raw-worker.js';
import { Book, callsOf } from './book.js';
import { judgeOrder, judgeRates } from './judge.js';
import type { RateLimit } from './judge.js';
import { SlotSamples } from './slot-samples.js';
import { STEERED, UNLIMITED, isDisturbing } from './steps.js';
import type { Scenario, Spec, Step } from './steps.js';

/** Longer than anything here: a lease that runs out would start a job twice. */
const LEASE_MS = 3_000;
/** Long enough for what is recovered by a heartbeat. */
const DRAIN_MS = 15_000;
/** What a job may say that has ended meanwhile: it is not there any more, or is not in that state. */
const TOO_LATE = ['CMQ-106', 'CMQ-107'];

let names = 0;

/** Carries out steps with a queue and workers that run. */
export class LiveRun {
  readonly book: Book;
  readonly samples: SlotSamples;
  readonly #queue: Queue;
  #workers: { worker: Worker; concurrency: number; name: string }[] = [];
  readonly #rates: RateLimit[] = [];
  readonly #isQuiet: boolean;
  #wasCut = false;

  constructor(
    private readonly client: Redis,
    private readonly connection: QueueOptions['connection'],
    private readonly scenario: Scenario,
  ) {
    this.book = new Book(scenario.isStrict);
    this.#isQuiet = !scenario.steps.some(isDisturbing);
    this.#queue = new Queue(`live-${String((names += 1))}`, { connection });
    this.samples = new SlotSamples(client, this.#queue.keys, this.book, scenario.isAlwaysGated);
  }

  async begin(): Promise<void> {
    const { isAlwaysGated, isStrict, workers } = this.scenario;
    if (isStrict) await this.#queue.setGroupDefaults({ strict: true });
    if (isAlwaysGated) {
      await this.#queue.setGlobalConcurrency(UNLIMITED);
      // For so long that all workers know it: else lifo waits for two seconds.
      await this.client.hset(this.#queue.keys.meta, 'gated', 1);
    }
    await Promise.all(workers.map((concurrency) => this.#start(concurrency)));
  }

  async carryOut(step: Step): Promise<void> {
    if ('add' in step) await this.#add(step.add);
    else if ('job' in step) await this.#steer(step.nth, step.job);
    else if ('change' in step) await this.#steer(step.nth, 'change', step.change);
    else if ('do' in step) await this.#plain(step.do);
    else if ('concurrency' in step) await this.#limitConcurrency(step.concurrency);
    else if ('set' in step) await this.#ofGroup(step);
    else if ('max' in step) await this.#limitRate('', step.max, step.ms);
    else if ('start' in step) await this.#start(step.start);
    else if ('close' in step) await this.#close(step.close);
    else if ('cut' in step) await this.#cut(step.cut);
    else await delay(step.wait);
  }

  async #add(specs: readonly Spec[]): Promise<void> {
    const planned = specs.map((spec) => this.book.plan(spec));
    const jobs = planned.map(({ spec, number }) => {
      const { kind, group, delay: ms, attempts, ownId, dedup } = spec;
      const opts: JobsOptions = {
        ...optionsOf(kind, group),
        attempts,
        backoff: 1,
        ...(ms > 0 && { delay: ms }),
        ...(ownId && dedup === '' && { jobId: `own ${number}` }),
        ...(dedup !== '' && { deduplication: { id: dedup } }),
      };
      return { name: String(number), data: null, opts };
    });
    const added = await this.#queue.addBulk(jobs);
    const addedAt = Date.now();
    for (const [i, job] of planned.entries()) {
      const handle = added[i] as Job;
      Object.assign(job, { handle, addedAt, isDuplicate: handle.duplicate });
      if (handle.duplicate && job.calls.length > 0) this.book.faults.push(`${job.number} is none, and ran`);
    }
  }

  async #steer(
    nth: number,
    what: 'remove' | 'promote' | 'change',
    kind: keyof typeof KINDS = 'plain',
  ): Promise<void> {
    const job = pick(
      this.book.jobs.filter(({ isDuplicate, isRemoved }) => !isDuplicate && !isRemoved),
      nth,
    );
    if (!job?.handle) return;
    try {
      if (what === 'change') {
        // Where it is then is not known before that is done.
        job.isChanged = true;
        await job.handle.changePriority(KINDS[kind]);
      } else await job.handle[what]();
      if (what === 'remove') job.isRemoved = true;
    } catch (error) {
      if (!(error instanceof ChasquiError && TOO_LATE.includes(error.code))) throw error;
    }
  }

  async #plain(what: 'pause' | 'resume' | 'forget'): Promise<void> {
    if (what === 'forget') {
      const now = this.#rates.filter(({ group, to }) => group === '' && to === Infinity);
      for (const { max, duration } of now) await this.#limitRate('', max, duration, true);
      return;
    }
    await this.samples.change(
      () => this.#queue[what](),
      (inForce) => (inForce.isPaused = what === 'pause'),
    );
  }

  async #limitConcurrency(number: number): Promise<void> {
    const most = number === 0 ? UNLIMITED : number;
    await this.samples.change(
      () =>
        number > 0 || this.scenario.isAlwaysGated
          ? this.#queue.setGlobalConcurrency(most)
          : this.#queue.removeGlobalConcurrency(),
      (inForce) => (inForce.concurrency = most),
    );
  }

  /** 0 = no limit; `forget`: it stays, and the starts of the past do not count. */
  async #limitRate(group: string, max: number, duration: number, forget = false): Promise<void> {
    const queue = this.#queue;
    const now = performance.now();
    for (const limit of this.#rates) if (limit.group === group) limit.to = Math.min(limit.to, now);
    if (forget) await queue.removeRateLimitKey();
    else if (group === '')
      await (max > 0 ? queue.setGlobalRateLimit(max, duration) : queue.removeGlobalRateLimit());
    else await (max > 0 ? queue.setGroupRateLimit(group, max, duration) : queue.removeGroupRateLimit(group));
    if (max === 0) return;
    const from = performance.now();
    await this.samples.sample();
    this.#rates.push({ group, max, duration, from, to: Infinity, before: this.samples.inFlight });
  }

  async #ofGroup({ group, set, to }: Extract<Step, { set: unknown }>): Promise<void> {
    const queue = this.#queue;
    if (set === 'max') {
      await this.#limitRate(group, to, 10 * (1 + to));
    } else if (set === 'concurrency') {
      await this.samples.change(
        () => (to > 0 ? queue.setGroupConcurrency(group, to) : queue.removeGroupConcurrency(group)),
        ({ groups }) => (groups[group]!.concurrency = to === 0 ? UNLIMITED : to),
      );
    } else {
      await this.samples.change(
        () => (set === 'pause' ? queue.pauseGroup(group) : queue.resumeGroup(group)),
        ({ groups }) => (groups[group]!.isPaused = set === 'pause'),
      );
    }
  }

  async #start(concurrency: number): Promise<void> {
    const { book, samples } = this;
    const name = `live-worker-${String((names += 1))}`;
    let running = 0;
    const processor = async (job: Job): Promise<void> => {
      const call = book.begin(job);
      if ((running += 1) > concurrency) book.faults.push(`${name} ran ${running} jobs`);
      try {
        // It is in flight now.
        await samples.sample();
        const { ms, fails } = call.of.spec;
        if (ms > 0) await delay(ms);
        if (call.attempt <= fails) throw new Error('as asked');
      } finally {
        running -= 1;
        call.isRunning = false;
      }
    };
    const worker = new Worker(this.#queue.name, processor, {
      connection: { ...(this.connection as object), connectionName: name },
      concurrency,
      claimMinIdleMs: LEASE_MS,
      telemetry: book.telemetry,
    });
    worker.on('error', (error) => {
      const isCut = this.#wasCut && (error as { code?: string }).code === 'CMQ-001';
      if (!isCut) book.faults.push(`${name}: ${String(error)}`);
    });
    this.#workers.push({ worker, concurrency, name });
    await worker.waitUntilReady();
  }

  async #close(nth: number): Promise<void> {
    const one = pick(this.#workers, nth);
    if (!one) return;
    this.#workers = this.#workers.filter((other) => other !== one);
    await one.worker.close();
  }

  async #cut(nth: number): Promise<void> {
    const one = pick(this.#workers, nth);
    if (!one) return;
    this.#wasCut = true;
    const clients = (await this.client.client('LIST')) as string;
    for (const line of clients.split('\n'))
      if (line.includes(` name=${one.name} `))
        await this.client.client('KILL', 'ID', /^id=(\d+)/.exec(line)?.[1] as string);
  }

  /** Nothing holds anything back any more: everything runs to its end. Then nothing is left of the gate. */
  async finish(): Promise<void> {
    const queue = this.#queue;
    if (!this.#isQuiet) await this.#freeAll();
    if (this.#workers.length === 0) await this.#start(5);
    await this.#drained();
    await queue.removeGlobalConcurrency();
    await queue.removeGroupDefaults();
    while (this.#workers.length > 0) await this.#close(0);
    await this.samples.stop();
    await this.samples.sample();
    if (this.scenario.isAlwaysGated) judgeRates(this.book, this.#rates);
    if (this.#isQuiet) judgeOrder(this.book);
    await this.#judgeEnds();
    expect(this.book.faults).toEqual([]);
    expect(this.samples.inFlight.size, 'in flight').toBe(0);
    // As if the last job had come long ago: the next look opens the gate.
    const { keys } = queue;
    if (await this.client.exists(keys.gate)) await this.client.hset(keys.gate, 'seq', 1);
    const last = new RawWorker(this.client, keys, 'last');
    await last.join();
    expect(await last.fetch(1)).toEqual([]);
    expect(await leftKeys(this.client, keys)).toEqual([]);
  }

  async #freeAll(): Promise<void> {
    await this.#plain('resume');
    await this.#limitRate('', 0, 0);
    await this.#limitConcurrency(0);
    for (const group of STEERED)
      for (const set of ['resume', 'concurrency', 'max'] as const) await this.#ofGroup({ group, set, to: 0 });
  }

  async #drained(): Promise<void> {
    const { stream, delayed, room } = this.#queue.keys;
    const count =
      "return redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3])";
    await waitUntil('An empty queue', DRAIN_MS, async () => {
      const left = (await this.client.eval(count, 3, stream, delayed, room)) as number;
      return left === 0 ? undefined : `${left} jobs are left; ${this.book.faults.join('; ')}`;
    });
  }

  /** Each job has ended once, in the way in which it had to; and its handler was called as often as it had to be. */
  async #judgeEnds(): Promise<void> {
    const { keys } = this.#queue;
    const ends = new Map<string, string[]>();
    const note = (id: string, end: string): void => void ends.set(id, [...(ends.get(id) ?? []), end]);
    for (const { e, id = '' } of await eventsIn(this.client, keys.events)) if (e === 'completed') note(id, e);
    for (const { id } of await this.#queue.getFailed(0, -1)) note(id, 'dead');
    for (const job of this.book.jobs) {
      if (job.isDuplicate) continue;
      const { spec, number, calls } = job;
      const expected = job.isRemoved ? [] : [spec.fails < spec.attempts ? 'completed' : 'dead'];
      const ended = ends.get((job.handle as Job).id) ?? [];
      if (ended.join() !== expected.join())
        this.book.faults.push(`${number} has ended: ${ended.join()}, and must: ${expected.join()}`);
      const most = callsOf(spec);
      if (job.isRemoved ? calls.length > most : calls.length !== most)
        this.book.faults.push(`${number} was called ${calls.length} times, and must be ${most} times`);
    }
  }

  /** Also of a run that failed. */
  async close(): Promise<void> {
    await this.samples.stop();
    await Promise.all(this.#workers.map(({ worker }) => worker.close()));
    await this.#queue.close();
  }
}
