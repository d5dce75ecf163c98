import { LeaseLostError } from '../base/errors.js';
import { writeProperty } from '../base/safe-access.js';
import { locateJob } from '../codec/read-envelope.js';
import type { Job } from '../job/job.js';
import type { WorkerHooks, DeadLettered } from './hooks.js';
import type { Delivery } from './lease/delivery.js';
import type { JobObserver } from './lease/in-flight.js';
import type { DeadLetterOutcome, DroppedOutcome, RetryOutcome } from './lease/outcome.js';
import type { WorkerSettings } from './settings.js';

/** Why a cancelled job has failed, in events and for result waiters. */
const CANCELLED = 'cancelled';
/** The same for a job that expired and was dropped. */
const EXPIRED = 'expired';

/** Turns what happens to in-flight jobs into the worker's events. The record of the job says how it ended by then. */
export class JobEvents implements JobObserver {
  readonly #queue: string;
  readonly #settings: Pick<WorkerSettings, 'leaseMs' | 'dlqMaxStreamLen'>;
  readonly #hooks: WorkerHooks;

  constructor(
    queue: string,
    settings: Pick<WorkerSettings, 'leaseMs' | 'dlqMaxStreamLen'>,
    hooks: WorkerHooks,
  ) {
    this.#queue = queue;
    this.#settings = settings;
    this.#hooks = hooks;
  }

  stalled({ bytes }: Delivery): void {
    const jobId = bytes && idIn(bytes);
    // An entry without a Job becomes a dead letter, which says what is wrong.
    if (jobId !== undefined) this.#hooks.stalled(jobId);
  }

  started({ job }: Delivery): void {
    this.#hooks.active(job as Job);
  }

  completed({ job }: Delivery): void {
    this.#hooks.completed(job as Job);
  }

  retried({ job, outcome }: Delivery): void {
    const { detail, error } = outcome as RetryOutcome;
    writeProperty(job as Job, 'failedReason', detail);
    this.#hooks.failed(job as Job, error);
  }

  deadLettered(delivery: Delivery): void {
    const { job } = delivery;
    const outcome = delivery.outcome as DeadLetterOutcome;
    if (job) {
      writeProperty(job, 'failedReason', outcome.detail);
      writeProperty(job, 'deadLetterReason', outcome.reason);
      if (outcome.stack !== undefined) writeProperty(job, 'stacktrace', [outcome.stack]);
      this.#hooks.failed(job, outcome.error);
    }
    this.#hooks.deadLettered(letterOf(delivery, outcome));
  }

  cancelled({ job, cancelled }: Delivery): void {
    if (!job) return;
    writeProperty(job, 'failedReason', CANCELLED);
    this.#hooks.failed(job, cancelled);
  }

  dropped({ job, outcome }: Delivery): void {
    if (!job) return;
    writeProperty(job, 'failedReason', EXPIRED);
    this.#hooks.failed(job, (outcome as DroppedOutcome).error);
  }

  lost(delivery: Delivery): void {
    const { jobId, entryId, ran } = delivery;
    const here = ran ? 'What its handler does here no longer counts.' : 'It does not start here.';
    // Which of the causes it is cannot be told: a job that another worker has reclaimed and completed is gone from Redis, too.
    const error = new LeaseLostError(
      `The lease on job ${jobId || entryId} of queue "${this.#queue}" was lost: in Redis, the job is not this worker's any more. Either it was deleted while it was active (obliterate with force, a deleted stream or consumer group, a flush, a failover to a replica that did not have it), or this worker was stopped or cut off for longer than ${String(this.#settings.leaseMs)} ms and another worker has reclaimed it. ${here}`,
    );
    delivery.abort(error);
    this.#hooks.error(error);
  }

  dlqEvicted(count: number): void {
    this.#hooks.dlqEvicted({ count, cap: this.#settings.dlqMaxStreamLen });
  }
}

function letterOf(
  { entryId, jobId, name, attempt, job, ran }: Delivery,
  { reason, detail }: DeadLetterOutcome,
): DeadLettered {
  const letter: DeadLettered = { entryId, reason, detail };
  if (jobId !== '') letter.jobId = jobId;
  if (name !== '') letter.name = name;
  if (job) {
    letter.attempts = ran ? attempt : attempt - 1;
    letter.job = job;
  }
  return letter;
}

function idIn(job: Buffer): string | undefined {
  try {
    return locateJob(job).id;
  } catch {
    return undefined;
  }
}
