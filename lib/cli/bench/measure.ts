import { randomUUID } from 'node:crypto';
import { Queue, Worker } from '../../engine/index.js';
import type { QueueOptions } from '../../engine/index.js';

export interface BenchPlan {
  readonly jobs: number;
  readonly concurrency: number;
  /** Bytes of the data of a job. */
  readonly payload: number;
}

/** Milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface BenchResult {
  readonly roundTripMs: Latency;
  /** One `add()` at a time. */
  readonly addMs: Latency;
  /** From the call of `add()` to the start of the handler, with an idle worker. */
  readonly pickupMs: Latency;
  /** Jobs per second. */
  readonly addedPerSecond: number;
  readonly ranPerSecond: number;
}

/** The parts of a run, in their order. */
export const STEPS = ['round trips', 'single adds', 'adds in bulk', 'runs', 'starts'] as const;
export type Step = (typeof STEPS)[number];

export interface BenchHooks {
  readonly signal: AbortSignal;
  /** A step begins. */
  readonly onStep: (step: Step, total: number) => Promise<void>;
  readonly onProgress: (done: number) => void;
}

const SAMPLES = 200;
const BULK = 500;
/** How many bulk adds are under way at once. */
const BULKS_AT_ONCE = 4;
/** How long the removal of the queue may take after Ctrl-C. */
const CLOSE_MS = 5_000;

/** The queue of a bench: its name tells whose it is, should a process be killed. */
export function benchQueueName(): string {
  return `chasqui-bench-${randomUUID().slice(0, 8)}`;
}

/** Measures on a queue of its own, and removes that queue, also after an error or Ctrl-C. */
export async function measure(
  name: string,
  options: QueueOptions,
  plan: BenchPlan,
  hooks: BenchHooks,
): Promise<BenchResult> {
  const queue = new Queue(name, options);
  queue.on('error', () => undefined);
  const bench = new Bench(queue, plan, hooks);
  try {
    return await bench.run(options);
  } finally {
    await bench.stop();
    await queue.close();
    // The removal of jobs would be an event, and the queue would be there again.
    const silent = new Queue(name, { ...options, eventsEnabled: false });
    silent.on('error', () => undefined);
    await silent.obliterate({ force: true }).finally(() => silent.close());
  }
}

class Bench {
  readonly #queue: Queue;
  readonly #plan: BenchPlan;
  readonly #hooks: BenchHooks;
  readonly #data: string;
  #worker: Worker | undefined;
  /** Called when a job starts. */
  #onStart: (jobId: string) => void = () => undefined;

  constructor(queue: Queue, plan: BenchPlan, hooks: BenchHooks) {
    this.#queue = queue;
    this.#plan = plan;
    this.#hooks = hooks;
    this.#data = 'x'.repeat(plan.payload);
  }

  async run(options: QueueOptions): Promise<BenchResult> {
    const roundTripMs = await this.#sample('round trips', () => this.#queue.ping());
    const addMs = await this.#sample('single adds', () => this.#queue.add('bench', this.#data));
    const addedPerSecond = await this.#addAll();
    const ranPerSecond = await this.#runAll(options);
    const pickupMs = await this.#sample('starts', () => this.#addAndAwaitStart());
    return { roundTripMs, addMs, pickupMs, addedPerSecond, ranPerSecond };
  }

  async stop(): Promise<void> {
    await this.#worker?.close(true);
  }

  async #sample(step: Step, once: () => Promise<unknown>): Promise<Latency> {
    const times: number[] = [];
    await this.#hooks.onStep(step, SAMPLES);
    for (let i = 0; i < SAMPLES; i++) {
      this.#hooks.signal.throwIfAborted();
      const begun = performance.now();
      await once();
      times.push(performance.now() - begun);
      this.#hooks.onProgress(i + 1);
    }
    return latencyOf(times);
  }

  async #addAll(): Promise<number> {
    const { jobs } = this.#plan;
    await this.#hooks.onStep('adds in bulk', jobs);
    const begun = performance.now();
    let next = 0;
    let added = 0;
    const adder = async (): Promise<void> => {
      while (next < jobs) {
        this.#hooks.signal.throwIfAborted();
        const count = Math.min(BULK, jobs - next);
        next += count;
        await this.#queue.addBulk(Array.from({ length: count }, () => ({ name: 'bench', data: this.#data })));
        added += count;
        this.#hooks.onProgress(added);
      }
    };
    await Promise.all(Array.from({ length: BULKS_AT_ONCE }, adder));
    return perSecond(jobs, performance.now() - begun);
  }

  async #runAll(options: QueueOptions): Promise<number> {
    const total = this.#plan.jobs + SAMPLES;
    await this.#hooks.onStep('runs', total);
    const begun = performance.now();
    await new Promise<void>((resolve, reject) => {
      const { signal } = this.#hooks;
      let ran = 0;
      this.#onStart = () => {
        ran += 1;
        if (ran % 100 === 0 || ran === total) this.#hooks.onProgress(ran);
        if (ran === total) resolve();
      };
      const stop = (): void => {
        reject(signal.reason as Error);
      };
      if (signal.aborted) stop();
      else {
        signal.addEventListener('abort', stop, { once: true });
        this.#worker = this.#startWorker(options, reject);
      }
    });
    return perSecond(total, performance.now() - begun);
  }

  #startWorker({ connection }: QueueOptions, onError: (error: Error) => void): Worker {
    const worker = new Worker(
      this.#queue.name,
      async ({ id }) => {
        this.#onStart(id);
      },
      { connection, concurrency: this.#plan.concurrency, shutdownDeadlineSecs: CLOSE_MS / 1000 },
    );
    worker.on('error', onError);
    return worker;
  }

  async #addAndAwaitStart(): Promise<void> {
    const started = new Promise<void>((resolve) => {
      this.#onStart = () => {
        resolve();
      };
    });
    await this.#queue.add('bench', this.#data);
    await started;
  }
}

function perSecond(jobs: number, ms: number): number {
  return Math.round((jobs / Math.max(ms, 1)) * 1000);
}

function latencyOf(times: readonly number[]): Latency {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): number => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
    return Math.round(value * 1000) / 1000;
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
