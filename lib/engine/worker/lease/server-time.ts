/** What a reading of Redis's clock says. */
export type Reading =
  /** The first one: there is nothing to compare it with. */
  | 'first'
  /** The clock goes as ours does. */
  | 'steady'
  /** It was set forward: leases look older than they are. */
  | 'forward'
  /** It was set back. */
  | 'back';

/**
 * Redis's wall clock beside our monotonic one. If Redis's clock is set, the ages of all leases jump.
 * The difference between the two clocks shows such a step; it does not change while time passes.
 */
export class ServerTime {
  readonly #toleranceMs: number;
  /** Redis's clock minus ours lies between these, by the last reading. */
  #least = -Infinity;
  #most = -Infinity;

  /** @param toleranceMs what is no step yet */
  constructor(toleranceMs: number) {
    this.#toleranceMs = toleranceMs;
  }

  /**
   * The latest unix ms that Redis's clock should show if a call that is sent at `now` (monotonic ms) is carried out soon.
   * 0 before the first reading.
   */
  latest(now: number): number {
    return this.#most === -Infinity ? 0 : Math.ceil(now + this.#most + this.#toleranceMs);
  }

  /** Takes a reading: `unixMs`, at some time between `sentAt` and `receivedAt` (monotonic ms). */
  read(unixMs: number, sentAt: number, receivedAt: number): Reading {
    const least = unixMs - receivedAt;
    const most = unixMs - sentAt;
    const isFirst = this.#most === -Infinity;
    const isForward = least > this.#most + this.#toleranceMs;
    const isBack = most < this.#least - this.#toleranceMs;
    const isSteady = !isFirst && !isForward && !isBack;
    // A call that took long says little: what the one before said is better.
    if (!isSteady || most - least <= this.#toleranceMs) {
      this.#least = least;
      this.#most = most;
    }
    if (isFirst) return 'first';
    if (isForward) return 'forward';
    return isBack ? 'back' : 'steady';
  }
}
