import { settlesWithin } from '../redis/deadline.js';

/**
 * The contract of everything that runs: starts once, stops once, concurrent callers share the promise, and `stop`
 * settles by its deadline whatever Redis does. A service that was stopped does not start again.
 */
export abstract class Service {
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  get isStarted(): boolean {
    return this.#starting !== undefined;
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Starts; resolves when it runs. */
  start(): Promise<void> {
    this.#starting ??= this.isStopping ? Promise.resolve() : this.onStart();
    return this.#starting;
  }

  /** Stops; resolves when it has, or after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    if (!this.#starting) return;
    await settlesWithin(this.onStop(deadlineMs), deadlineMs + this.marginMs);
  }

  /** What stopping may take beyond the deadline that the caller gave for the work under way, in ms. */
  protected readonly marginMs: number = 0;

  protected abstract onStart(): Promise<void>;
  protected abstract onStop(deadlineMs: number): Promise<void>;
}
