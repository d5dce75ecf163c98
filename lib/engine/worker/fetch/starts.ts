/** Says to Redis that jobs have started: with the next call that asks for jobs, or by itself if that does not come at once. */
export class Starts {
  readonly #confirm: (starts: string) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #unconfirmed: string | undefined;
  /** No reply has come to the last call so far. */
  #isLost = false;

  constructor(confirm: (starts: string) => Promise<void>, onError: (error: unknown) => void) {
    this.#confirm = confirm;
    this.#onError = onError;
  }

  /** What the next call confirms, undefined: nothing; and whether the reply before may be lost, and its jobs with it. */
  take(): { readonly started: string | undefined; readonly isLost: boolean } {
    const taken = { started: this.#unconfirmed, isLost: this.#isLost };
    this.#unconfirmed = undefined;
    this.#isLost = true;
    return taken;
  }

  /** The reply to the call is here. */
  arrived(): void {
    this.#isLost = false;
  }

  /**
   * Jobs were delivered, or the call that confirms them has failed. Resolves when their handlers have been called: before that, no
   * call may confirm them.
   */
  add(starts: string): Promise<void> {
    this.#unconfirmed = starts;
    setImmediate(() => {
      if (this.#unconfirmed !== starts) return;
      this.#unconfirmed = undefined;
      this.#confirm(starts).catch(this.#onError);
    });
    // Admission calls them at the end of this tick.
    return new Promise((resolve) => {
      process.nextTick(resolve);
    });
  }
}
