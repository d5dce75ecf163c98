import type { Clock } from '../../base/clock.js';

/** A reading serves for so long, in ms: Redis's clock may be set at any time. */
const FRESH_MS = 1_000;

/** Redis's clock, by our monotonic one and a reading that is fresh. */
export class RedisClock {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #read: () => Promise<number>;
  #readAt = -Infinity;
  /** Redis's clock is ahead of ours by at least so much. */
  #ahead = 0;
  #reading: Promise<void> | undefined;

  /** @param read asks Redis; the answer is in unix ms */
  constructor(clock: Pick<Clock, 'monotonic'>, read: () => Promise<number>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** The unix ms that Redis's clock shows now, or a little less; undefined if the last reading is not fresh: then {@link ask}. */
  now(): number | undefined {
    const now = this.#clock.monotonic();
    return now - this.#readAt > FRESH_MS ? undefined : now + this.#ahead;
  }

  /** The same by a new reading. Callers of one time share it. */
  async ask(): Promise<number> {
    this.#reading ??= this.#take().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
    return this.#clock.monotonic() + this.#ahead;
  }

  async #take(): Promise<void> {
    const unixMs = await this.#read();
    this.#readAt = this.#clock.monotonic();
    this.#ahead = unixMs - this.#readAt;
  }
}
