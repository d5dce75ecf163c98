import type { QueueKeys } from '../../../redis/keys.js';
import type { RetryReply } from '../../../redis/scripts/retry.js';
import type { Unsettled } from '../../../redis/scripts/lib/fence.js';
import { ConnectionError, EncodeError, ShutdownError } from '../../base/errors.js';
import { printable } from '../../base/printable.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Delivery } from '../lease/delivery.js';
import type { InFlight } from '../lease/in-flight.js';
import type { Outcome } from '../lease/outcome.js';
import {
  ABANDONED,
  CANCELLED,
  COMPLETED,
  DEAD_LETTERED,
  DROPPED,
  LOST,
  RELEASED,
  RETRIED,
  SETTLING,
} from '../lease/states.js';
import type { State } from '../lease/states.js';
import type { WorkerSettings } from '../settings.js';
import { CommitQueue } from './commit-queue.js';
import type { FailedCommit } from './commit-queue.js';
import type { Tracking } from './tracking.js';
import { Commits } from './commits.js';

/**
 * Batches of completions under way at once. The reply to a batch may stay unread while the handlers of a whole
 * read run. With a second batch under way, Redis is not idle in that time.
 */
const COMPLETION_CALLS = 2;
/** Batches of retries under way at once: jobs tend to fail together, and many are more than one call takes. */
const RETRY_CALLS = 4;

/** How a job ends: commits outcomes, each kind in batches of its own. */
export class Settlement {
  readonly #link: CommandLink;
  readonly #queue: string;
  readonly #inFlight: InFlight;
  /** @param due when a retry is due, in unix ms by Redis's clock */
  readonly #retryDue: (due: number) => void;
  readonly #onError: (error: unknown) => void;
  readonly #commits: Commits;
  readonly #completions: CommitQueue<Delivery>;
  readonly #retries: CommitQueue<Delivery>;
  readonly #postponements: CommitQueue<Delivery>;
  readonly #delays: CommitQueue<Delivery>;
  readonly #deadLetters: CommitQueue<Delivery>;
  readonly #drops: CommitQueue<Delivery>;
  readonly #cancellations: CommitQueue<Delivery>;
  readonly #queues: readonly CommitQueue<Delivery>[];
  #isFinishing = false;
  #isAbandoned = false;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: WorkerSettings,
    tracking: Tracking,
    inFlight: InFlight,
    retryDue: (due: number) => void,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#queue = keys.queue;
    this.#inFlight = inFlight;
    this.#retryDue = retryDue;
    this.#onError = onError;
    this.#commits = new Commits(link, keys, settings, tracking);
    const common = {
      most: settings.retryInflight,
      onError: this.#onCommitFailed,
      refuse: this.#refuse,
      weigh: bytesOfJob,
      settled: settings.observed?.settled,
    };
    this.#completions = new CommitQueue({
      ...common,
      most: settings.ackBatch,
      commit: this.#complete,
      calls: COMPLETION_CALLS,
      refuse: this.#refuseCompletion,
      weigh: bytesOfResult,
    });
    this.#retries = new CommitQueue({ ...common, commit: this.#retry, calls: RETRY_CALLS });
    this.#postponements = new CommitQueue({ ...common, commit: this.#postpone });
    this.#delays = new CommitQueue({ ...common, commit: this.#delay });
    this.#deadLetters = new CommitQueue({ ...common, most: settings.dlqInflight, commit: this.#deadLetter });
    this.#drops = new CommitQueue({ ...common, commit: this.#drop });
    this.#cancellations = new CommitQueue({ ...common, commit: this.#endCancelled });
    this.#queues = [
      this.#completions,
      this.#retries,
      this.#postponements,
      this.#delays,
      this.#deadLetters,
      this.#drops,
      this.#cancellations,
    ];
  }

  /** Jobs that have ended and are not committed. */
  get size(): number {
    let size = 0;
    for (const queue of this.#queues) size += queue.size;
    return size;
  }

  complete(delivery: Delivery): void {
    if (this.#inFlight.move(delivery, SETTLING)) this.#completions.push(delivery);
  }

  settle(delivery: Delivery, outcome: Outcome): void {
    delivery.outcome = outcome;
    if (this.#inFlight.move(delivery, SETTLING)) this.#queueOf(outcome).push(delivery);
  }

  /** Like {@link idle}, for a worker that closes: if the connection has ended for good, it gives up the outcomes that it cannot commit. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    if (this.#link.isEnded) this.#giveUp();
    await this.idle();
  }

  /** Reports once what is lost with the connection. */
  #giveUp(): void {
    const { size } = this;
    if (size === 0 || this.#isAbandoned) return;
    this.abandon();
    this.#onError(
      new ShutdownError(
        `The worker of queue "${printable(this.#queue)}" closes, and the outcomes of ${String(size)} job(s) that have ended are not stored: ` +
          `the application closed the client before the worker. Other workers run the jobs again after the lease time. ` +
          'Close the client after the worker: in a Nest app, in onApplicationShutdown.',
      ),
    );
  }

  /** Whether the queue is gated: then jobs that end make room for others. */
  set isGated(isGated: boolean) {
    this.#commits.isGated = isGated;
  }

  /** Resolves when every outcome is committed. */
  async idle(): Promise<void> {
    const others = this.#queues.filter((queue) => queue !== this.#cancellations);
    await Promise.all(others.map((queue) => queue.idle()));
    // Last: a retry may turn out to have been cancelled.
    await this.#cancellations.idle();
  }

  /** Gives up the outcomes that are not sent: the jobs stay pending in Redis, and run again elsewhere. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const queue of this.#queues) {
      for (const delivery of queue.abandon()) this.#inFlight.move(delivery, ABANDONED);
    }
  }

  #queueOf({ kind }: Outcome): CommitQueue<Delivery> {
    switch (kind) {
      case 'retry':
        return this.#retries;
      case 'dead-letter':
        return this.#deadLetters;
      case 'cancelled':
        return this.#cancellations;
      case 'dropped':
        return this.#drops;
      case 'delayed':
        return this.#delays;
      case 'postponed':
        return this.#postponements;
    }
  }

  readonly #complete = async (batch: Delivery[]): Promise<void> => {
    // The calls before this one end their jobs first.
    let underWay = 0;
    for (const { active } of this.#queues) underWay += active;
    const pending = Math.max(batch.length, this.#inFlight.size - underWay + batch.length);
    this.#settled(batch, await this.#commits.complete(batch, pending), COMPLETED);
  };

  readonly #retry = async (batch: Delivery[]): Promise<void> => {
    const reply = await this.#commits.retry(batch);
    this.#settled(batch, reply, RETRIED);
    if (reply.due !== undefined) this.#retryDue(reply.due);
  };

  readonly #postpone = async (batch: Delivery[]): Promise<void> => {
    this.#putBack(batch, await this.#commits.postpone(batch));
  };

  readonly #delay = async (batch: Delivery[]): Promise<void> => {
    this.#putBack(batch, await this.#commits.delay(batch));
  };

  readonly #drop = async (batch: Delivery[]): Promise<void> => {
    this.#settled(batch, await this.#commits.drop(batch), DROPPED);
  };

  #putBack(batch: Delivery[], reply: RetryReply): void {
    this.#settled(batch, reply, RELEASED);
    if (reply.due !== undefined) this.#retryDue(reply.due);
  }

  readonly #deadLetter = async (batch: Delivery[]): Promise<void> => {
    const reply = await this.#commits.deadLetter(batch);
    this.#settled(batch, reply, DEAD_LETTERED);
    if (reply.evicted > 0) this.#inFlight.dlqEvicted(reply.evicted);
  };

  readonly #endCancelled = async (batch: Delivery[]): Promise<void> => {
    this.#settled(batch, await this.#commits.endCancelled(batch), CANCELLED);
  };

  #settled(batch: readonly Delivery[], { lost, cancelled }: Unsettled, end: State): void {
    if (lost.length === 0 && cancelled.length === 0) {
      for (const delivery of batch) this.#inFlight.move(delivery, end);
      return;
    }
    const isLost = new Set(lost);
    const isCancelled = new Set(cancelled);
    batch.forEach((delivery, index) => {
      if (isCancelled.has(index)) this.#cancelInstead(delivery);
      else this.#inFlight.move(delivery, isLost.has(index) ? LOST : end);
    });
  }

  /** The job was cancelled before its retry or its dead letter could be written. */
  #cancelInstead(delivery: Delivery): void {
    delivery.outcome = { kind: 'cancelled', error: this.#inFlight.cancel(delivery) };
    this.#cancellations.push(delivery);
  }

  /** Redis usually repeats such an error, so the message says how many jobs wait for it. */
  readonly #onCommitFailed = (error: unknown, { items, failures, againMs }: FailedCommit): void => {
    if (this.#isFinishing && this.#link.isEnded) {
      this.#giveUp();
      return;
    }
    if (!(error instanceof ConnectionError) || error.unknownOutcome) {
      this.#onError(error);
      return;
    }
    const message =
      `${error.message} ${String(items)} job(s) of queue "${printable(this.#queue)}" have ended, and their outcomes are not stored yet. ` +
      `Try ${String(failures)} failed; the next try is in ${String(againMs)} ms.`;
    this.#onError(new ConnectionError(message, { cause: error }));
  };

  /** The outcome cannot be sent to Redis. The job stays pending there, and runs again. */
  readonly #refuse = (delivery: Delivery, error: unknown): void => {
    this.#inFlight.move(delivery, ABANDONED);
    this.#onError(error);
  };

  /** The work is done, and its result is the only part of a completion that can be too large: it is left out. */
  readonly #refuseCompletion = (delivery: Delivery, error: unknown): void => {
    if (!delivery.result) {
      this.#refuse(delivery, error);
      return;
    }
    delivery.result = undefined;
    delivery.resultJson = '';
    const message = `The result of job ${printable(delivery.jobId)} ("${printable(delivery.name)}") cannot be sent to Redis; the job counts as completed.`;
    this.#onError(new EncodeError(message, { cause: error }));
    this.#completions.push(delivery);
  };
}

/** What the call sends, and a share of what it frees: freeing memory takes Redis a fraction of that time. */
function bytesOfResult({ result, resultJson, from, to, isTracked }: Delivery): number {
  return (result?.length ?? 0) + resultJson.length + (isTracked ? to - from : (to - from) / 4);
}

/** Jobs are sent, or copied inside Redis. */
function bytesOfJob({ from, to }: Delivery): number {
  return to - from;
}
