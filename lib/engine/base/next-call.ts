/**
 * Makes one call at a time. Who asks while a call is under way gets the one after it: the one that is under way may not see what has
 * changed since it began.
 */
export class NextCall {
  readonly #make: () => Promise<void>;
  #current: Promise<void> | undefined;
  #following: Promise<void> | undefined;

  constructor(make: () => Promise<void>) {
    this.#make = make;
  }

  /** What is under way, or planned. */
  get pending(): Promise<void> | undefined {
    return this.#following ?? this.#current;
  }

  /** Resolves, or rejects, with a call that begins now or later. */
  call(): Promise<void> {
    // First: between the end of one call and the begin of the next, neither is under way.
    if (this.#following) return this.#following;
    if (!this.#current) return this.#begin();
    this.#following = this.#current
      .catch(() => undefined)
      .then(() => {
        this.#following = undefined;
        return this.#begin();
      });
    return this.#following;
  }

  #begin(): Promise<void> {
    this.#current = this.#make().finally(() => {
      this.#current = undefined;
    });
    return this.#current;
  }
}
