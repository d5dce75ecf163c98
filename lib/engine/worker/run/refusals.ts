import type { Clock } from '../../base/clock.js';
import { UnacceptedJobError } from '../../base/errors.js';
import { printable } from '../../base/printable.js';
import type { Delivery } from '../lease/delivery.js';

/** How long a job waits after this worker has refused it once; twice as long each time, up to the longest. */
const FIRST_MS = 500;
const LONGEST_MS = 30_000;
/** A job that has not come back for so long was fetched by another worker. */
const FORGET_MS = 4 * LONGEST_MS;
/** Jobs that are remembered; with more than that on their way, all wait for the longest time. */
const MOST_REMEMBERED = 10_000;
/** Between two reports about jobs of one name. */
const REPORT_MS = 600_000;
/** Names that are remembered: producers may make them up. */
const MOST_NAMES = 1_000;

interface Refused {
  readonly times: number;
  /** Monotonic ms. */
  readonly at: number;
}

/**
 * The jobs that this worker does not accept, and for how long each waits before the next worker gets it. The wait doubles
 * each time, so that jobs that no worker accepts cost little.
 */
export class Refusals {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #report: (error: UnacceptedJobError) => void;
  /** By id, in the order in which they were refused last. */
  readonly #jobs = new Map<string, Refused>();
  /** When jobs of a name were reported last, in monotonic ms. */
  readonly #reported = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>, report: (error: UnacceptedJobError) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** In ms. */
  delayOf(delivery: Delivery): number {
    const now = this.#clock.monotonic();
    const { jobId } = delivery;
    const before = this.#jobs.get(jobId);
    this.#jobs.delete(jobId);
    for (const [id, { at }] of this.#jobs) {
      if (now - at < FORGET_MS) break;
      this.#jobs.delete(id);
    }
    if (this.#jobs.size >= MOST_REMEMBERED) return LONGEST_MS;
    const times = (before?.times ?? 0) + 1;
    this.#jobs.set(jobId, { times, at: now });
    const delay = Math.min(FIRST_MS * 2 ** (times - 1), LONGEST_MS);
    if (delay === LONGEST_MS) this.#tell(delivery, times, now);
    return delay;
  }

  #tell({ name, jobId }: Delivery, times: number, now: number): void {
    const last = this.#reported.get(name);
    if (last !== undefined && now - last < REPORT_MS) return;
    if (this.#reported.size >= MOST_NAMES) this.#reported.clear();
    this.#reported.set(name, now);
    this.#report(
      new UnacceptedJobError(
        `No worker has accepted job ${printable(jobId)} ("${printable(name)}") so far: this worker has released it ${String(times)} times. ` +
          'Start a worker that handles jobs of this name, or remove the job.',
      ),
    );
  }
}
