/** What is counted per second. */
export interface Counts {
  /** Jobs that began to wait for a worker: added, promoted, retried or replayed. */
  queued: number;
  /** Runs that began. */
  started: number;
  completed: number;
  /** Runs that failed, with a retry or without. */
  failed: number;
}

export type CountName = keyof Counts;

const COUNTED: Readonly<Record<string, CountName>> = {
  waiting: 'queued',
  active: 'started',
  completed: 'completed',
  failed: 'failed',
};

interface Second {
  readonly counts: Counts;
  /** Events of this second are missing: they were trimmed before they were read. */
  isPartial: boolean;
}

/** Counts events per second, for the last so many seconds. */
export class RateHistory {
  /** By the unix time of the second. */
  readonly #seconds = new Map<number, Second>();
  /** The second that has begun, and is not over. */
  #current = 0;

  /** @param seconds how many seconds are kept */
  constructor(readonly seconds: number) {}

  /** Moves on to the time `now`, unix ms. */
  advance(now: number): void {
    this.#current = Math.floor(now / 1000);
    const oldest = this.#current - this.seconds;
    for (const second of this.#seconds.keys()) if (second < oldest) this.#seconds.delete(second);
  }

  add(at: number, event: string, jobs: number): void {
    const name = COUNTED[event];
    if (name !== undefined) this.#at(Math.floor(at / 1000)).counts[name] += jobs;
  }

  /** Events between these times are missing. */
  markGap(from: number, to: number): void {
    const oldest = this.#current - this.seconds;
    for (let second = Math.max(oldest, Math.floor(from / 1000)); second <= Math.floor(to / 1000); second++) {
      this.#at(second).isPartial = true;
    }
  }

  /** The counts of each full second, oldest first. */
  series(name: CountName): number[] {
    return Array.from({ length: this.seconds }, (_, i) => {
      return this.#seconds.get(this.#current - this.seconds + i)?.counts[name] ?? 0;
    });
  }

  /** The average per second over the last full seconds. */
  perSecond(name: CountName, seconds = 5): number {
    const counted = this.series(name).slice(-seconds);
    return counted.reduce((sum, count) => sum + count, 0) / seconds;
  }

  /** Whether events of the last full seconds are missing, so that there were more. */
  isPartial(seconds = 5): boolean {
    for (let i = 1; i <= seconds; i++) if (this.#seconds.get(this.#current - i)?.isPartial) return true;
    return false;
  }

  #at(second: number): Second {
    let there = this.#seconds.get(second);
    if (!there) {
      there = { counts: { queued: 0, started: 0, completed: 0, failed: 0 }, isPartial: false };
      this.#seconds.set(second, there);
    }
    return there;
  }
}
