import type { Redis } from 'ioredis';

export interface BenchJob {
  readonly data: Record<string, unknown>;
}

export interface BenchQueue {
  readonly name: string;
  add(name: string, data: unknown, options?: object): Promise<BenchJob>;
  addBulk(jobs: { name: string; data: unknown; opts?: object }[]): Promise<BenchJob[]>;
  close(): Promise<void>;
}

export interface BenchWorker {
  /** Begins to consume; what comes before it (the connection, say) is not on the clock. */
  start(): void;
  close(): Promise<void>;
}

/** At most so many starts in any `duration` ms. */
export interface Limiter {
  readonly max: number;
  readonly duration: number;
}

export interface WorkerSettings {
  readonly concurrency: number;
  readonly storeResults?: boolean;
  readonly limiter?: Limiter;
  /** Of each group, at most so many jobs run at once. */
  readonly group?: { readonly concurrency: number };
  readonly part?: string;
}

/** What a scenario knows of a queue system. A scenario is written once, against this. */
export interface Driver {
  readonly version: string;
  queue(name: string): Promise<BenchQueue>;
  worker(
    name: string,
    handler: (job: BenchJob) => Promise<unknown>,
    options: WorkerSettings,
  ): Promise<BenchWorker>;
  isFirstAttempt(job: BenchJob): boolean;
  /** Options of a job that is tried twice, the second time after 1 ms. */
  readonly retryOnce: object;
  /** Adds a repeatable spec that is due every so many ms. */
  repeat(queue: BenchQueue, key: string, every: number): Promise<unknown>;
  /** Options of a worker whose results can be waited for. */
  readonly storeResults: { storeResults?: boolean };
  resultOf(queue: BenchQueue, job: BenchJob): Promise<unknown>;
  /** Jobs of a queue that wait, are delayed or are being worked on: 0 once all are acknowledged. */
  unfinished(redis: Redis, queue: string): Promise<number>;
  /** Runs work as a request does in which it is traced; absent where nothing is traced. */
  inRequest?<T>(work: () => Promise<T>): Promise<T>;
  /** Jobs of a queue that wait for their time. */
  delayed(redis: Redis, queue: string): Promise<number>;
  close(): Promise<void>;
}
