import { hostname } from 'node:os';
import type {
  Bounds,
  TrackedAttempt,
  TrackedCompletion,
  TrackedStart,
} from '../../../redis/scripts/lib/tracked.js';
import type { Bound } from '../../codec/keep.js';
import { stackOf } from '../../base/thrown.js';
import type { Delivery } from '../lease/delivery.js';
import type { DeadLetterOutcome, RetryOutcome } from '../lease/outcome.js';
import type { WorkerSettings } from '../settings.js';

/** Longest host name that is kept, in characters. */
const MAX_HOST = 255;

/** What is kept of jobs that this worker runs. A batch without tracked jobs costs one look at each job. */
export class Tracking {
  /** Who ran the jobs, and where. */
  readonly worker: string;
  readonly #consumerId: string;
  readonly #host: string;
  readonly #onComplete: Bound | undefined;
  readonly #onFail: Bound | undefined;

  constructor({
    consumerId,
    removeOnComplete,
    removeOnFail,
  }: Pick<WorkerSettings, 'consumerId' | 'removeOnComplete' | 'removeOnFail'>) {
    this.#consumerId = consumerId;
    this.#host = hostname().slice(0, MAX_HOST);
    this.worker = `${consumerId}\n${this.#host}`;
    this.#onComplete = removeOnComplete;
    this.#onFail = removeOnFail;
  }

  /** The tracked jobs of a batch that completes, and how many completed jobs stay. */
  completions(batch: readonly Delivery[]): { jobs: TrackedCompletion[]; bounds: Bounds } {
    const jobs: TrackedCompletion[] = [];
    const kept: Bounds[] = [];
    batch.forEach((delivery, index) => {
      const { keep, jobId, name, uniqueMs, attempt, announced, result, source, from, to, job } = delivery;
      if (!keep?.tracked) return;
      const bound = keep.completed ?? this.#onComplete ?? {};
      if (bound !== 0) kept.push(bound);
      jobs.push({
        index,
        jobId,
        name,
        isKept: bound !== 0,
        freesId: uniqueMs === '0',
        attempt,
        announced,
        processedOn: Number(job?.processedOn),
        finishedOn: Number(job?.finishedOn),
        result,
        source,
        from,
        to,
      });
    });
    return { jobs, bounds: combined(kept) };
  }

  /** What becomes of the jobs of a batch that fails for good, and how many dead letters stay. */
  deadLetters(batch: readonly Delivery[]): { kept: string; bounds: Bounds } {
    const bounds: Bounds[] = [];
    let isPlain = true;
    const kept = batch.map(({ keep, job }) => {
      // An entry that cannot be decoded is evidence of a fault, and no option speaks of it.
      const bound = job ? (keep?.failed ?? this.#onFail) : undefined;
      if (bound !== 0) bounds.push(bound ?? {});
      const how = bound === 0 ? 'r' : keep?.tracked ? 't' : '-';
      if (how !== '-') isPlain = false;
      return how;
    });
    return { kept: isPlain ? '' : kept.join(''), bounds: combined(bounds) };
  }

  /** The attempts of tracked jobs that failed, of a batch that is retried or fails for good. */
  attempts(batch: readonly Delivery[]): TrackedAttempt[] {
    const attempts: TrackedAttempt[] = [];
    batch.forEach((delivery, index) => {
      const { keep, ran, jobId, attempt, job } = delivery;
      if (!keep?.tracked || !ran) return;
      const { detail, error } = delivery.outcome as RetryOutcome | DeadLetterOutcome;
      const end = { endedAt: job?.finishedOn, reason: detail, stack: stackOf(error) };
      attempts.push({ index, jobId, attempt, record: JSON.stringify({ ...this.#start(delivery), ...end }) });
    });
    return attempts;
  }

  /** The tracked jobs among those that run. */
  starts(running: readonly Delivery[]): TrackedStart[] {
    return running
      .filter(({ keep }) => keep?.tracked)
      .map((delivery) => ({
        jobId: delivery.jobId,
        entryId: delivery.entryId,
        attempt: delivery.attempt,
        record: JSON.stringify(this.#start(delivery)),
      }));
  }

  #start({ attempt, job }: Delivery): object {
    return { attempt, startedAt: job?.processedOn, worker: this.#consumerId, host: this.#host };
  }
}

/** Each job allows so many, itself included, at the time when it ends; the jobs behind it in the batch end later. */
function combined(bounds: readonly Bounds[]): Bounds {
  let count = Infinity;
  let ageMs = Infinity;
  bounds.forEach((bound, index) => {
    const later = bounds.length - 1 - index;
    count = Math.min(count, (bound.count ?? Infinity) + later);
    ageMs = Math.min(ageMs, bound.ageMs ?? Infinity);
  });
  return {
    ...(count < Infinity && { count }),
    ...(ageMs < Infinity && { ageMs }),
  };
}
