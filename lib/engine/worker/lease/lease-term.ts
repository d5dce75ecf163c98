import type { Clock } from '../../base/clock.js';

/**
 * Until when the leases of this worker hold, as far as Redis has said: a lease that may have ended is no reason to start a job.
 *
 * A renewal renews all that is pending for the worker, also what is still on its way here. So while each answer comes before the
 * leases of the renewal before it have ended, nobody can have taken a job meanwhile, and all leases last from the moment at which the
 * newest renewal was sent. After a gap (the process was stopped, or had no connection), a reply that waited in the socket may bring
 * jobs that are another worker's by now. Jobs of a call that was sent before the end of the gap count only when a renewal was sent
 * after their arrival, and did not find them lost.
 */
export class LeaseTerm {
  readonly #leaseMs: number;
  readonly #clock: Clock;
  /** When the first renewal after the last gap was sent. */
  #gapEnd = -Infinity;
  /** Since the last renewal was sent, jobs have arrived that may be another worker's. */
  #hasUnproven = false;
  /** Unix ms: the monotonic clock stands still while the machine is suspended. */
  #wallEnd: number;
  #askAgain: () => void = () => undefined;
  #proven: () => void = () => undefined;
  /** Monotonic ms from which on leases may have ended. */
  staleAt: number;

  constructor(leaseMs: number, clock: Clock) {
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    // Nothing was delivered before now.
    this.staleAt = clock.monotonic() + leaseMs;
    this.#wallEnd = clock.now() + leaseMs;
  }

  /** @param askAgain sends a renewal, after the one that is under way */
  onStale(askAgain: () => void): void {
    this.#askAgain = askAgain;
  }

  /** @param proven the jobs that are in flight now are this worker's */
  onProven(proven: () => void): void {
    this.#proven = proven;
  }

  /** Jobs may have to start, and their leases may have ended. */
  prove(): void {
    this.#askAgain();
  }

  /** Jobs have arrived. @param sentAt when the call was sent that has brought them; monotonic ms */
  arrived(sentAt: number): void {
    if (sentAt >= this.#gapEnd && this.#clock.now() < this.#wallEnd) return;
    this.#hasUnproven = true;
    this.staleAt = -Infinity;
  }

  /** A renewal is sent, for all that is in flight. Returns when; monotonic ms. */
  renews(): number {
    const now = this.#clock.monotonic();
    if (now >= this.staleAt || this.#clock.now() >= this.#wallEnd) {
      this.staleAt = -Infinity;
      this.#gapEnd = now;
    }
    this.#hasUnproven = false;
    return now;
  }

  /** It was answered, and what it has found lost is lost. Returns false if another one has to follow. */
  renewed(sentAt: number): boolean {
    const now = this.#clock.monotonic();
    const isKnown = sentAt === this.#gapEnd || now < this.staleAt;
    if (!isKnown || this.#hasUnproven) {
      this.staleAt = -Infinity;
      return false;
    }
    this.staleAt = sentAt + this.#leaseMs;
    this.#wallEnd = this.#clock.now() - (now - sentAt) + this.#leaseMs;
    this.#proven();
    return true;
  }
}
