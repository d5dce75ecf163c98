/** A job may be fetched ahead of a free handler when it is expected to wait no longer than this. */
const SOON_MS = 10;
/** At most so many batches are fetched ahead: larger ones save calls, which cost more than jobs when jobs are short. */
const AHEAD_FACTOR = 8;
/** Half of that in one read: the next one is on its way while the last one is worked off. */
const READ_FACTOR = 4;

/** How fast the handlers are, by the running average of how long they take, and how much may be fetched because of it. */
export class Pace {
  /** Most entries fetched at once while nothing is known. */
  readonly #batch: number;
  #averageMs: number | undefined;

  constructor(batch: number) {
    this.#batch = batch;
  }

  /** A handler has taken so long. */
  took(ms: number): void {
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + (ms - this.#averageMs) * 0.05;
  }

  /** Jobs wait for at least so long. */
  isSlow(ms: number): void {
    this.#averageMs = Math.max(this.#averageMs ?? 0, ms);
  }

  /**
   * How many entries may be fetched now.
   * @param busy handlers that run, and that the jobs need which wait here
   * @param perHandler how many entries one call of the handler takes, as far as can be told
   * @param size how many it takes at most
   */
  room(concurrency: number, busy: number, perHandler = 1, size = 1): number {
    const most = Math.max(this.#batch, concurrency, size);
    const soon =
      this.#averageMs === undefined ? 0 : (concurrency * SOON_MS) / Math.max(this.#averageMs, 0.01);
    const ahead = Math.floor(Math.min(soon, (most * AHEAD_FACTOR) / perHandler));
    const free = Math.floor((concurrency + ahead - busy) * perHandler);
    const room = Math.min(most * READ_FACTOR, Math.max(most, ahead * perHandler), free);
    // Whole batches, where there is room for one.
    return room > size ? room - (room % size) : Math.floor(room);
  }
}
