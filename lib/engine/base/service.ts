import { settlesWithin } from '../../redis/deadline.js';

/**
 * The contract of everything that runs: starts once, stops once, concurrent callers share the promise, and `stop`
 * settles by its deadline whatever Redis does. A start that failed may be tried again; a service that was stopped does
 * not start again.
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

  /** Starts; resolves when it runs. */
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

  /** Stops; resolves when it has, or after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void> {
    // Before anything of the stopping runs: a service asks itself whether it stops.
    this.#isStopping = true;
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
