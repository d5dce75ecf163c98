import { settlesWithin } from '../../redis/deadline.js';

/**
 * The contract of everything that runs. A service starts once and stops once, and concurrent callers share the promise.
 * `stop` settles by its deadline, whatever Redis does. A start that failed may be tried again. A service that was stopped
 * does not start again.
 */
export abstract class Service {
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #isStopping = false;

  get isStarted(): boolean {
    return this.#starting !== undefined;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Starts the service. Resolves when it runs. */
  start(): Promise<void> {
    this.#starting ??= this.isStopping ? Promise.resolve() : this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    try {
      await this.onStart();
    } catch (error) {
      this.#starting = undefined;
      throw error;
    }
  }

  /**
   * Stops the service. Resolves when it has stopped, or after `deadlineMs`. Another call returns the same promise; it can
   * shorten the deadline, and cannot extend it.
   */
  stop(deadlineMs: number): Promise<void> {
    // Set first: the code of `onStop` may check it.
    this.#isStopping = true;
    if (this.#stopping) this.onStopAgain(deadlineMs);
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    if (!this.#starting) return;
    await settlesWithin(this.onStop(deadlineMs), deadlineMs + this.marginMs);
  }

  /** How long `stop` may take beyond the deadline, which is meant for the work under way, in ms. */
  protected readonly marginMs: number = 0;

  /** `stop` was called while the service stops. A service that waits for work under way must not wait longer than this. */
  protected onStopAgain(_deadlineMs: number): void {
    // A stop that takes a moment only has nothing to shorten.
  }

  protected abstract onStart(): Promise<void>;
  protected abstract onStop(deadlineMs: number): Promise<void>;
}
