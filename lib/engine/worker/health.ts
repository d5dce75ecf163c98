import type { JobObserver } from './lease/in-flight.js';

/** How the reading of a worker goes. */
export interface ReadingHealth {
  /** Since Redis last answered a read, with jobs or without, in ms; undefined before it first did. */
  lastReadAgeMs: number | undefined;
  /**
   * For how long the worker has asked for work without an answer, over all tries, in ms; 0 where it does not ask. A
   * worker that is well gets one within its `blockMs`.
   */
  unansweredMs: number;
  /**
   * For how long all handlers have been busy with the same jobs, or for how long the worker has not read because it can
   * hold no more jobs: the longer of both, in ms. 0 if a handler is free. A worker that is paused does not read for that
   * reason, which does not count.
   */
  fullMs: number;
  /** Reads that have failed in a row. */
  failures: number;
  /** Why the last of them did; undefined once one succeeds. */
  lastError: string | undefined;
  /**
   * Whether the last jobs were read straight from the bytes of the reply (the fast path) or decoded by ioredis. False on
   * a cluster, and where ioredis is not as expected: then the worker does the same work at a higher cost. Undefined
   * before the first jobs.
   */
  fastReads: boolean | undefined;
}

/** How a worker does, from what it knows itself: asking sends nothing. */
export interface WorkerHealth extends ReadingHealth {
  /** `idle`: not started yet. `disconnected`: it was running and its connection is down; it goes on by itself. */
  state: 'idle' | 'starting' | 'running' | 'disconnected' | 'closing' | 'closed';
  /** For how long the connection of its commands has been down, in ms; 0 where it is not. */
  disconnectedMs: number;
  /** Handlers running now. */
  running: number;
  concurrency: number;
  /** The worker or its queue is paused: nothing starts. */
  paused: boolean;
  /** The queue is paused, in all processes. */
  queuePaused: boolean;
  /** How long a read waits for work, in ms: a sound `unansweredMs` stays near it. */
  blockMs: number;
  /** Leases lost since it started: jobs that another worker has taken over, though this one lived. */
  leasesLost: number;
  /** Since the last of them was lost, in ms; undefined where none was. */
  lastLeaseLostAgeMs: number | undefined;
  /** Old dead letters that `dlqMaxStreamLen` has dropped for new ones of this worker since it started: they are lost. */
  dlqEvicted: number;
  /** Since it last dropped some, in ms; undefined where it did not. */
  lastDlqEvictedAgeMs: number | undefined;
}

/** Counts what {@link WorkerHealth} reports of jobs. */
export class JobCounters implements JobObserver {
  readonly #now: () => number;
  #leasesLost = 0;
  #leaseLostAt: number | undefined;
  #dlqEvicted = 0;
  #dlqEvictedAt: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  lost(): void {
    this.#leasesLost += 1;
    this.#leaseLostAt = this.#now();
  }

  dlqEvicted(count: number): void {
    this.#dlqEvicted += count;
    this.#dlqEvictedAt = this.#now();
  }

  get health(): Pick<
    WorkerHealth,
    'leasesLost' | 'lastLeaseLostAgeMs' | 'dlqEvicted' | 'lastDlqEvictedAgeMs'
  > {
    const since = (time: number | undefined): number | undefined =>
      time === undefined ? undefined : this.#now() - time;
    return {
      leasesLost: this.#leasesLost,
      lastLeaseLostAgeMs: since(this.#leaseLostAt),
      dlqEvicted: this.#dlqEvicted,
      lastDlqEvictedAgeMs: since(this.#dlqEvictedAt),
    };
  }
}

/** Keeps the times that {@link ReadingHealth} is told from. */
export class ReadingTimes {
  #answeredAt: number | undefined;
  #askingSince: number | undefined;
  #fullSince: number | undefined;
  #failures = 0;
  #lastError: string | undefined;
  #fastReads: boolean | undefined;

  constructor(private readonly now: () => number) {}

  /** There may be no room for more jobs. */
  waitsForRoom(): void {
    this.#fullSince = this.now();
  }

  asks(): void {
    this.#fullSince = undefined;
    this.#askingSince ??= this.now();
  }

  answered(): void {
    this.#answeredAt = this.now();
    this.#askingSince = undefined;
    this.#failures = 0;
    this.#lastError = undefined;
  }

  /** Jobs have come. @param fast not through ioredis's decoder */
  brought(fast: boolean): void {
    this.#fastReads = fast;
  }

  failed(message: string): number {
    this.#failures += 1;
    this.#lastError = message;
    return this.#failures;
  }

  get health(): ReadingHealth {
    const now = this.now();
    const since = (time: number | undefined): number => (time === undefined ? 0 : now - time);
    // After a failure, a wait for room may be a wait for the policy, which Redis does not tell either.
    const isFull = this.#fullSince !== undefined && this.#failures === 0;
    return {
      lastReadAgeMs: this.#answeredAt === undefined ? undefined : since(this.#answeredAt),
      unansweredMs: isFull ? 0 : since(this.#askingSince),
      fullMs: isFull ? since(this.#fullSince) : 0,
      failures: this.#failures,
      lastError: this.#lastError,
      fastReads: this.#fastReads,
    };
  }
}
