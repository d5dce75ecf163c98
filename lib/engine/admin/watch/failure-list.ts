import type { EventFields } from '../../codec/event-batch.js';

/** A run that failed. */
export interface Failure {
  /** Unix ms. */
  readonly at: number;
  readonly jobId: string;
  /** Dispatch name; empty for a job without one. */
  readonly name: string;
  readonly attempt: number;
  readonly reason: string;
  /** What became of the job. Undefined while no event has said it. */
  outcome: 'retry' | 'dead letter' | 'cancelled' | undefined;
}

/** How many are kept. */
const KEPT = 200;

/** The last failures of a queue, newest last. */
export class FailureList {
  readonly #failures: Failure[] = [];
  #total = 0;

  get all(): readonly Failure[] {
    return this.#failures;
  }

  /** How many there have been since the tool began. */
  get total(): number {
    return this.#total;
  }

  /** Notes an event `failed`, or one that says what became of the job. */
  note(event: string, fields: EventFields, at: number): void {
    const { id: jobId = '', n: name = '', attempt = '0', reason = '' } = fields;
    if (event === 'failed') {
      const outcome = fields.cancelled === '1' ? 'cancelled' : undefined;
      this.#failures.push({ at, jobId, name, attempt: Number(attempt) || 0, reason, outcome });
      this.#total += 1;
      if (this.#failures.length > KEPT) this.#failures.shift();
      return;
    }
    const failure = this.#failures.findLast((one) => one.jobId === jobId);
    if (failure) failure.outcome ??= event === 'dlq' ? 'dead letter' : 'retry';
  }
}
