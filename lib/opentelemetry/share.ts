const WINDOW_MS = 100;

/**
 * Which of many equal measurements are recorded: all of them up to a number per second, and above that every second, third, …
 * one. The SDK takes about 2 µs for a measurement, which is as long as the engine takes for a job.
 */
export class Share {
  /** Of a window. */
  readonly #most: number;
  #every = 1;
  #windowEnd = -Infinity;
  #seen = 0;
  #taken = 0;

  constructor(mostPerSecond: number) {
    this.#most = Math.max(1, Math.ceil((mostPerSecond * WINDOW_MS) / 1000));
  }

  /** Whether to record the measurement that is made now. @param now monotonic ms; it need not be exact */
  takes(now: number): boolean {
    if (now >= this.#windowEnd) this.#begin(now);
    this.#seen += 1;
    if (this.#seen % this.#every !== 0) return false;
    this.#taken += 1;
    // More come in this window than in the last one, as when a burst begins.
    if (this.#taken % this.#most === 0) this.#every *= 4;
    return true;
  }

  #begin(now: number): void {
    const isNext = now < this.#windowEnd + WINDOW_MS;
    this.#every = isNext ? Math.max(1, Math.ceil(this.#seen / this.#most)) : 1;
    this.#windowEnd = now + WINDOW_MS;
    this.#seen = 0;
    this.#taken = 0;
  }
}
