import { Timer } from '../../redis/timer.js';
import { ShutdownError, WaitForResultTimeoutError } from '../base/errors.js';
import type { WaitForResultOptions } from '../config/options.js';

interface Wait {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  /** Takes its timer and its listener away. */
  stop: () => void;
}

/** All who wait for one job. */
interface Awaited {
  waits: Wait[];
  /** What stood last in the stream that tells of ends when it was looked for them; undefined before that. */
  lookedAt: string | undefined;
}

export interface WaitsHooks {
  /** Somebody's time is over: the last chance to find that the job has ended. Never rejects. */
  lastLook: (jobId: string) => Promise<void>;
  /** Nobody waits any more. */
  idle: () => void;
}

/** Who waits for which job, until it has ended or their patience has. */
export class Waits {
  readonly #queue: string;
  readonly #byJob = new Map<string, Awaited>();
  readonly #hooks: WaitsHooks;

  constructor(queue: string, hooks: WaitsHooks) {
    this.#queue = queue;
    this.#hooks = hooks;
  }

  /** The jobs that somebody waits for. */
  get jobIds(): string[] {
    return [...this.#byJob.keys()];
  }

  has(jobId: string): boolean {
    return this.#byJob.has(jobId);
  }

  /** @param newest the last entry of the stream that tells of ends */
  looked(jobId: string, newest: string): void {
    const awaited = this.#byJob.get(jobId);
    if (awaited) awaited.lookedAt = newest;
  }

  lookedAt(jobId: string): string | undefined {
    return this.#byJob.get(jobId)?.lookedAt;
  }

  add(jobId: string, { timeoutMs = 30_000, signal }: WaitForResultOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = new Timer(timeoutMs, () => {
        // Where this process was busy until now, its timers run before it reads what has come meanwhile.
        void this.#hooks.lastLook(jobId).then(() => {
          this.#giveUp(
            jobId,
            wait,
            new WaitForResultTimeoutError(
              `No result of job ${jobId} of queue "${this.#queue}" within ${String(timeoutMs)} ms. It may still run; ` +
                'or its worker runs without storeResults, or the result has expired.',
            ),
          );
        });
      });
      const onAbort = (): void => {
        this.#giveUp(jobId, wait, signal?.reason);
      };
      const stop = (): void => {
        timer.clear();
        signal?.removeEventListener('abort', onAbort);
      };
      const wait: Wait = { resolve, reject, stop };
      signal?.addEventListener('abort', onAbort, { once: true });
      const awaited = this.#byJob.get(jobId);
      this.#byJob.set(jobId, { waits: [...(awaited?.waits ?? []), wait], lookedAt: undefined });
    });
  }

  /** The job has completed; `value` tells with what, or throws where that cannot be read. */
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

  /** Ends all of them. */
  close(): void {
    for (const jobId of this.jobIds) {
      this.rejected(jobId, new ShutdownError(`Queue "${this.#queue}" was closed.`));
    }
  }

  #settle(jobId: string, settle: (wait: Wait) => void): void {
    const awaited = this.#byJob.get(jobId);
    if (!awaited) return;
    this.#byJob.delete(jobId);
    for (const wait of awaited.waits) {
      wait.stop();
      settle(wait);
    }
    if (this.#byJob.size === 0) this.#hooks.idle();
  }

  #giveUp(jobId: string, wait: Wait, error: unknown): void {
    const awaited = this.#byJob.get(jobId);
    if (!awaited?.waits.includes(wait)) return;
    awaited.waits = awaited.waits.filter((one) => one !== wait);
    if (awaited.waits.length === 0) this.#byJob.delete(jobId);
    wait.stop();
    wait.reject(error);
    if (this.#byJob.size === 0) this.#hooks.idle();
  }
}
