import { Timer } from '../../redis/timer.js';
import { ShutdownError, WaitForResultTimeoutError } from '../base/errors.js';
import type { WaitForResultOptions } from '../config/options.js';

/** A caller that waits for the result of a job. */
interface ResultWaiter {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  /** Clears its timer and removes its listener. */
  stop: () => void;
}

/** All waiters of one job. */
interface Awaited {
  waiters: ResultWaiter[];
  /** The newest entry of the stream `ended` at the last poll for this job; undefined before the first one. */
  polledAt: string | undefined;
}

export interface WaitersHooks {
  /** Called before a waiter times out: the last chance to find that the job has ended. Never rejects. */
  lastPoll: (jobId: string) => Promise<void>;
  /** No waiter is left. */
  idle: () => void;
}

/** The result waiters of a queue, by job, until the job ends or their timeout is over. */
export class ResultWaiters {
  readonly #queue: string;
  readonly #byJob = new Map<string, Awaited>();
  readonly #hooks: WaitersHooks;

  constructor(queue: string, hooks: WaitersHooks) {
    this.#queue = queue;
    this.#hooks = hooks;
  }

  /** The jobs that have a waiter. */
  get jobIds(): string[] {
    return [...this.#byJob.keys()];
  }

  has(jobId: string): boolean {
    return this.#byJob.has(jobId);
  }

  /** @param newest the newest entry of the stream `ended` */
  polled(jobId: string, newest: string): void {
    const awaited = this.#byJob.get(jobId);
    if (awaited) awaited.polledAt = newest;
  }

  polledAt(jobId: string): string | undefined {
    return this.#byJob.get(jobId)?.polledAt;
  }

  add(jobId: string, { timeoutMs = 30_000, signal }: WaitForResultOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = new Timer(timeoutMs, () => {
        // In a process that was busy until now, timers run before it reads the replies that have arrived meanwhile.
        void this.#hooks.lastPoll(jobId).then(() => {
          this.#giveUp(
            jobId,
            waiter,
            new WaitForResultTimeoutError(
              `No result of job ${jobId} of queue "${this.#queue}" within ${String(timeoutMs)} ms. The job may still be running, ` +
                'its worker may run without storeResults, or the result may have expired.',
            ),
          );
        });
      });
      const onAbort = (): void => {
        this.#giveUp(jobId, waiter, signal?.reason);
      };
      const stop = (): void => {
        timer.clear();
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: ResultWaiter = { resolve, reject, stop };
      signal?.addEventListener('abort', onAbort, { once: true });
      const awaited = this.#byJob.get(jobId);
      this.#byJob.set(jobId, { waiters: [...(awaited?.waiters ?? []), waiter], polledAt: undefined });
    });
  }

  /** @param value returns the value with which the job has completed, or throws if it cannot be decoded */
  completed(jobId: string, value: () => unknown): void {
    this.#settle(jobId, ({ resolve, reject }) => {
      try {
        resolve(value());
      } catch (error) {
        reject(error);
      }
    });
  }

  rejected(jobId: string, error: unknown): void {
    this.#settle(jobId, ({ reject }) => {
      reject(error);
    });
  }

  /** Rejects all of them. */
  close(): void {
    for (const jobId of this.jobIds) {
      this.rejected(jobId, new ShutdownError(`Queue "${this.#queue}" was closed.`));
    }
  }

  #settle(jobId: string, settle: (waiter: ResultWaiter) => void): void {
    const awaited = this.#byJob.get(jobId);
    if (!awaited) return;
    this.#byJob.delete(jobId);
    for (const waiter of awaited.waiters) {
      waiter.stop();
      settle(waiter);
    }
    if (this.#byJob.size === 0) this.#hooks.idle();
  }

  #giveUp(jobId: string, waiter: ResultWaiter, error: unknown): void {
    const awaited = this.#byJob.get(jobId);
    if (!awaited?.waiters.includes(waiter)) return;
    awaited.waiters = awaited.waiters.filter((other) => other !== waiter);
    if (awaited.waiters.length === 0) this.#byJob.delete(jobId);
    waiter.stop();
    waiter.reject(error);
    if (this.#byJob.size === 0) this.#hooks.idle();
  }
}
