import type { OperationOptions } from '../config/options.js';

/** The most jobs that one step of a long operation changes. Each step is one short script, bounded in bytes too. */
export const STEP_JOBS = 250;

/** A long operation: counts what it has done, reports it after each step, and ends between two steps if it is aborted. */
export class Operation {
  readonly #options: OperationOptions;
  readonly #total: number | undefined;
  #done = 0;
  #skipped = 0;

  /** @param total about how many jobs there are, if that is known */
  constructor(options: OperationOptions, total?: number) {
    this.#options = options;
    this.#total = total;
    this.begin();
  }

  get done(): number {
    return this.#done;
  }

  /**
   * Before each step.
   * @throws the reason of the signal
   */
  begin(): void {
    this.#options.signal?.throwIfAborted();
  }

  /**
   * After each step. Waits for the listener, so that its failure ends the operation.
   * @param skipped jobs of the step that it had to leave
   */
  async advance(jobs: number, skipped = 0): Promise<void> {
    this.#done += jobs;
    this.#skipped += skipped;
    const total = this.#total === undefined ? undefined : Math.max(this.#total, this.#done);
    await this.#options.onProgress?.({
      done: this.#done,
      ...(total !== undefined && { total }),
      ...(this.#skipped > 0 && { skipped: this.#skipped }),
    });
  }
}
