import { Timer } from '../../../redis/timer.js';
import { BATCH_TIMEOUT_MS, batchesOfError, readBatchesOf } from '../../config/options/batches.js';
import type { BatchesOptions, BatchingOptions } from '../../config/options/batches.js';
import type { Delivery } from '../lease/delivery.js';

export interface GatheringsSettings extends BatchingOptions {
  /** Most entries fetched at once. */
  batch: number;
  /** Monotonic, in ms. */
  now: () => number;
  /** A batch has waited for its least size for long enough. */
  due: () => void;
}

/** With more gatherings than that, none waits for its least size: `batchesOf` returns other options again and again. */
const MOST_GATHERINGS = 1_000;
/** The last answers for so many names are kept. */
const MOST_NAMES = 1_000;
/** How much the newest arrivals say about the next ones. */
const WEIGHT = 0.5;
/** An array with the job. */
export const BATCH_OF_ONE = 'batch of one';

/** Jobs that go to the same handler calls, and have not started, in the order of their arrival. */
class Gathering {
  readonly size: number;
  readonly minSize: number;
  readonly timeoutMs: number;
  jobs: Delivery[] = [];
  timer: Timer | undefined;

  constructor({ size, minSize = 1, timeoutMs = BATCH_TIMEOUT_MS }: BatchesOptions) {
    this.size = size;
    this.minSize = minSize;
    this.timeoutMs = timeoutMs;
  }
}

/** The fetched jobs that wait to start as batches: a gathering for each object of options. */
export class Gatherings {
  readonly #settings: GatheringsSettings;
  readonly #gatherings = new Map<BatchesOptions, Gathering>();
  /** Answers of `batchesOf`, and the options that each had when it was checked. */
  readonly #checked = new WeakMap<BatchesOptions, BatchesOptions>();
  /** The last options of a name: `batchesOf` may return a new object each time. */
  readonly #lastOf = new Map<string, BatchesOptions>();
  /** The jobs that come alone, and not as a job: as a batch of one, or not at all. */
  readonly #alone = new WeakMap<Delivery, typeof BATCH_OF_ONE | Error>();
  /** When a job has arrived, in monotonic ms, where it may have to wait. A job that was offered to other workers comes back. */
  readonly #arrivals = new WeakMap<Delivery, number>();
  #size = 0;
  /** The largest `size` of the batches that have been here; 0 before the first. */
  #largest: number;
  /** The share of jobs that come alone, among the last ones. */
  #aloneShare = 0;
  readonly #arrived = { alone: 0, gathered: 0 };

  constructor(settings: GatheringsSettings) {
    this.#settings = settings;
    this.#largest = settings.batches?.size ?? 0;
  }

  /** Jobs that wait here. */
  get size(): number {
    return this.#size;
  }

  /** Most jobs of a batch. */
  get largest(): number {
    return this.#largest || this.#settings.batch;
  }

  /** Handlers that the batches need which may start now. Jobs that wait for the least size of a batch need none. */
  get handlers(): number {
    let handlers = 0;
    const now = this.#settings.now();
    for (const gathering of this.#gatherings.values()) {
      if (this.#isReady(gathering, now)) handlers += Math.ceil(gathering.jobs.length / gathering.size);
    }
    return handlers;
  }

  /** How many of the next jobs that are fetched one handler call takes, as far as can be told from the last ones. */
  get perHandler(): number {
    const { alone, gathered } = this.#arrived;
    if (alone + gathered > 0) {
      this.#aloneShare += (alone / (alone + gathered) - this.#aloneShare) * WEIGHT;
      this.#arrived.alone = this.#arrived.gathered = 0;
    }
    return 1 / (this.#aloneShare + (1 - this.#aloneShare) / this.largest);
  }

  /** What the handler gets for a job that comes alone; undefined for the job itself. The error: nothing, the job fails with it. */
  inputOf(delivery: Delivery): typeof BATCH_OF_ONE | Error | undefined {
    return this.#alone.get(delivery);
  }

  /** False: the job comes alone. So does a job whose worker has died: it may have been its fault. */
  add(delivery: Delivery): boolean {
    const options = this.#optionsOf(delivery.name);
    this.#alone.delete(delivery);
    if (options && (options instanceof Error || delivery.crashes > 0))
      this.#alone.set(delivery, options instanceof Error ? options : BATCH_OF_ONE);
    if (!options || options instanceof Error || delivery.crashes > 0) {
      this.#arrived.alone += 1;
      return false;
    }
    this.#arrived.gathered += 1;
    let gathering = this.#gatherings.get(options);
    if (!gathering) this.#gatherings.set(options, (gathering = new Gathering(options)));
    this.#largest = Math.max(this.#largest, options.size);
    gathering.jobs.push(delivery);
    this.#size += 1;
    if (gathering.minSize > 1 && !this.#arrivals.has(delivery))
      this.#arrivals.set(delivery, this.#settings.now());
    this.#watch(gathering);
    return true;
  }

  /** The jobs of a batch that may start; their states may have changed. */
  next(): Delivery[] | undefined {
    if (this.#size === 0) return undefined;
    const now = this.#settings.now();
    for (const [options, gathering] of this.#gatherings) {
      if (!this.#isReady(gathering, now)) continue;
      const jobs = gathering.jobs.splice(0, gathering.size);
      this.#size -= jobs.length;
      this.#gatherings.delete(options);
      // Behind the others: they take turns.
      if (gathering.jobs.length > 0) this.#gatherings.set(options, gathering);
      this.#watch(gathering);
      return jobs;
    }
    return undefined;
  }

  /** The first job of a batch that could start if a handler were free. */
  get firstReady(): Delivery | undefined {
    const now = this.#settings.now();
    for (const gathering of this.#gatherings.values())
      if (this.#isReady(gathering, now)) return gathering.jobs[0];
    return undefined;
  }

  /** Takes out the jobs of all batches that could start. */
  takeReady(): Delivery[] {
    const jobs: Delivery[] = [];
    for (let next = this.next(); next; next = this.next()) jobs.push(...next);
    return jobs;
  }

  /** Takes out all jobs. */
  take(): Delivery[] {
    const jobs: Delivery[] = [];
    for (const gathering of this.#gatherings.values()) {
      jobs.push(...gathering.jobs);
      gathering.timer?.clear();
    }
    this.#gatherings.clear();
    this.#size = 0;
    return jobs;
  }

  remove(delivery: Delivery): void {
    for (const [options, gathering] of this.#gatherings) {
      const at = gathering.jobs.indexOf(delivery);
      if (at < 0) continue;
      gathering.jobs.splice(at, 1);
      this.#size -= 1;
      if (gathering.jobs.length === 0) this.#gatherings.delete(options);
      this.#watch(gathering);
      return;
    }
  }

  #isReady({ jobs, minSize, timeoutMs }: Gathering, now: number): boolean {
    const [first] = jobs;
    if (!first) return false;
    if (jobs.length >= minSize || this.#gatherings.size > MOST_GATHERINGS) return true;
    return now - this.#arrivedAt(first) >= timeoutMs;
  }

  #arrivedAt(delivery: Delivery): number {
    return this.#arrivals.get(delivery) ?? -Infinity;
  }

  /** Sets the timer of a gathering that waits for its least size, and ends any other. */
  #watch(gathering: Gathering): void {
    const { jobs, minSize, timeoutMs, timer } = gathering;
    const [first] = jobs;
    if (!first || jobs.length >= minSize) {
      timer?.clear();
      gathering.timer = undefined;
      return;
    }
    if (timer) return;
    const left = this.#arrivedAt(first) + timeoutMs - this.#settings.now();
    if (left <= 0) return;
    gathering.timer = new Timer(Math.ceil(left), () => {
      gathering.timer = undefined;
      // A timer may fire a little early, and the first job may be another one by now.
      this.#watch(gathering);
      if (!gathering.timer) this.#settings.due();
    });
  }

  /** The error: nobody can tell whether the handler expects a job or an array. */
  #optionsOf(name: string): BatchesOptions | Error | undefined {
    const { batches, batchesOf } = this.#settings;
    if (!batchesOf) return batches;
    try {
      const answer = batchesOf(name);
      if (answer === undefined) return batches;
      let options = this.#checked.get(answer);
      if (!options)
        this.#checked.set(answer, (options = this.#sameAsLast(name, readBatchesOf(name, answer))));
      return options;
    } catch (error) {
      return batchesOfError(name, error);
    }
  }

  /** The options that the name had last, if these say the same; else these. */
  #sameAsLast(name: string, options: BatchesOptions): BatchesOptions {
    const last = this.#lastOf.get(name);
    const { size, minSize, timeoutMs } = options;
    if (last?.size === size && last.minSize === minSize && last.timeoutMs === timeoutMs) return last;
    if (this.#lastOf.size >= MOST_NAMES) this.#lastOf.clear();
    this.#lastOf.set(name, options);
    return options;
  }
}
