import { sleep } from '../../../redis/timer.js';
import { ChasquiError, ConnectionError } from '../../base/errors.js';
import { MAX_CALL_BYTES } from '../../connection/read-size.js';

/** A commit that is tried again. */
export interface FailedCommit {
  items: number;
  /** Failures in a row. */
  failures: number;
  /** In ms, until the next try. */
  againMs: number;
}

export interface CommitQueueOptions<T> {
  /** Items of one call. */
  most: number;
  /** May be called again with the same batch. */
  commit: (batch: T[]) => Promise<void>;
  /** A call failed, and is made again. */
  onError: (error: unknown, failed: FailedCommit) => void;
  /**
   * How many calls may be under way at once; from the second on only with batches that are worth a call: a quarter of
   * `most`. Default 1.
   */
  calls?: number;
  /** Receives an item that can never be committed, because it fails before it is sent. Without it, it is tried forever. */
  refuse?: (item: T, error: unknown) => void;
  /** Bytes of an item, where it may be large. */
  weigh?: (item: T) => number;
  /** A call has ended, for those who observe it. @param sinceMs monotonic ms of its start */
  settled?: ((batch: readonly T[], sinceMs: number, error?: unknown) => void) | undefined;
}

/**
 * One kind of commit, batched by its own pace: while a call is under way the next batch gathers, so batches grow with
 * the load and a lone item leaves at the end of the tick in which it came.
 */
export class CommitQueue<T> {
  readonly #most: number;
  readonly #commit: (batch: T[]) => Promise<void>;
  readonly #onError: (error: unknown, failed: FailedCommit) => void;
  readonly #calls: number;
  readonly #refuse: ((item: T, error: unknown) => void) | undefined;
  readonly #weigh: ((item: T) => number) | undefined;
  readonly #settled: CommitQueueOptions<T>['settled'];
  #queue: T[] = [];
  /** Items, and calls, under way. */
  #active = 0;
  #underWay = 0;
  #scheduled = false;
  #failures = 0;
  #abandoned = false;
  #idle: (() => void)[] = [];

  constructor({ most, commit, onError, calls = 1, refuse, weigh, settled }: CommitQueueOptions<T>) {
    this.#most = most;
    this.#commit = commit;
    this.#onError = onError;
    this.#calls = calls;
    this.#refuse = refuse;
    this.#weigh = weigh;
    this.#settled = settled;
  }

  /** Items that are not committed yet. */
  get size(): number {
    return this.#queue.length + this.#active;
  }

  /** Items of calls under way. */
  get active(): number {
    return this.#active;
  }

  push(item: T): void {
    if (this.#abandoned) return;
    this.#queue.push(item);
    if (this.#scheduled || !this.#isReady()) return;
    this.#scheduled = true;
    process.nextTick(this.#flush);
  }

  /** Resolves when everything is committed, or given up. */
  idle(): Promise<void> {
    if (this.size === 0 || this.#abandoned) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  /** Gives up what is not committed. Returns the items of which no call is under way. */
  abandon(): T[] {
    const queued = this.#queue;
    this.#abandoned = true;
    this.#queue = [];
    this.#wakeIdle();
    return queued;
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    while (this.#isReady()) {
      const count = this.#next();
      const batch = this.#queue.length <= count ? this.#queue : this.#queue.slice(0, count);
      this.#queue = batch === this.#queue ? [] : this.#queue.slice(count);
      this.#active += batch.length;
      this.#underWay += 1;
      void this.#run(batch);
    }
  };

  /** How many items the next call takes. */
  #next(): number {
    const most = Math.min(this.#most, this.#queue.length);
    if (!this.#weigh) return most;
    let bytes = 0;
    for (let i = 0; i < most; i++) {
      bytes += this.#weigh(this.#queue[i] as T);
      if (bytes > MAX_CALL_BYTES) return Math.max(1, i);
    }
    return most;
  }

  #isReady(): boolean {
    if (this.#underWay === 0) return this.#queue.length > 0;
    return this.#underWay < this.#calls && this.#queue.length >= this.#most / 4;
  }

  async #run(batch: T[]): Promise<void> {
    await this.#commitAll(batch);
    this.#active -= batch.length;
    this.#underWay -= 1;
    this.#flush();
    if (this.size === 0) this.#wakeIdle();
  }

  async #commitAll(batch: T[]): Promise<void> {
    while (!this.#abandoned) {
      const since = this.#settled ? performance.now() : 0;
      try {
        await this.#commit(batch);
        this.#failures = 0;
        this.#settled?.(batch, since);
        return;
      } catch (error) {
        this.#settled?.(batch, since, error);
        if (this.#refuse && isUnsendable(error)) {
          const [only] = batch;
          if (batch.length === 1) this.#refuse(only as T, error);
          // One of them cannot be sent, and must not keep the others from it.
          else for (const item of batch) await this.#commitAll([item]);
          return;
        }
        // A commit may be repeated, because the fence checks the lease.
        this.#failures += 1;
        const againMs = Math.min(25 * 2 ** Math.min(this.#failures, 6), 1_000);
        this.#onError(error, { items: batch.length, failures: this.#failures, againMs });
        await sleep(againMs);
      }
    }
  }

  #wakeIdle(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}

/** Whether the call failed in this process, before it was sent, and would fail again. Errors of Redis and of the network are of class ChasquiError. */
function isUnsendable(error: unknown): boolean {
  if (!(error instanceof ChasquiError)) return true;
  return (
    error instanceof ConnectionError &&
    (error.cause instanceof RangeError || error.cause instanceof TypeError)
  );
}
