import type { QueueKeys } from '../../../redis/keys.js';
import { complete } from '../../../redis/scripts/complete.js';
import { deadLetter } from '../../../redis/scripts/dead-letter.js';
import { endCancelled } from '../../../redis/scripts/end-cancelled.js';
import type { EndingBatch, Unsettled } from '../../../redis/scripts/lib/fence.js';
import { retry } from '../../../redis/scripts/retry.js';
import { writeDelayedMember } from '../../codec/write-envelope.js';
import type { CommandLink } from '../../connection/command-link.js';
import { ConnectionError, EncodeError } from '../../base/errors.js';
import { printable } from '../../base/printable.js';
import { boundsOf, gapsOf } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';
import { Lane } from './commit-queue.js';
import type { FailedCommit } from './commit-queue.js';
import type { Outcome, Released } from './outcome.js';
import type { ConsumerSettings } from '../settings.js';

interface Retried {
  delivery: Delivery;
  outcome: Extract<Outcome, { kind: 'retry' }>;
}

interface Dead {
  delivery: Delivery;
  outcome: Extract<Outcome, { kind: 'dead' }>;
  /** False where no handler ran: there is no `failed` event then. */
  ran: boolean;
}

interface Postponed {
  delivery: Delivery;
  outcome: Released;
}

interface Cancelled {
  delivery: Delivery;
  /** False where no handler ran. */
  ran: boolean;
}

export interface SettlerHooks {
  completed: (delivery: Delivery) => void;
  /** @param due unix ms by Redis's clock */
  retried: (delivery: Delivery, outcome: Retried['outcome']) => void;
  retryDue: (due: number) => void;
  released: (delivery: Delivery) => void;
  dead: (delivery: Delivery, outcome: Dead['outcome'], ran: boolean) => void;
  cancelled: (delivery: Delivery) => void;
  /** It was cancelled before its retry or its dead letter could be written, and is in flight still. */
  cancelledInstead: (delivery: Delivery, ran: boolean) => void;
  /** The lease was somebody else's by then: nothing was changed. */
  lost: (delivery: Delivery) => void;
  /** Its outcome cannot be sent to Redis: it is left to whoever takes it over when its lease runs out. */
  refused: (delivery: Delivery, error: unknown) => void;
  evicted: (count: number) => void;
  /** How many jobs this worker has in flight. */
  inFlight: () => number;
  error: (error: unknown) => void;
}

/**
 * Batches of completions under way at once. The reply of the last one may stand in the socket while the handlers of a
 * whole read run; if only then the next one left, Redis would have nothing to do meanwhile.
 */
const COMPLETION_CALLS = 2;
/** Batches of retries under way at once: jobs tend to fail together, and many are more than one call takes. */
const RETRY_CALLS = 4;

/** Commits outcomes: acknowledges, schedules retries, dead-letters; each kind in batches of its own. */
export class Settler {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: ConsumerSettings;
  readonly #hooks: SettlerHooks;
  readonly #completions: Lane<Delivery>;
  readonly #retries: Lane<Retried>;
  readonly #postponed: Lane<Postponed>;
  readonly #deaths: Lane<Dead>;
  readonly #cancellations: Lane<Cancelled>;
  readonly #lanes: readonly Pick<Lane<never>, 'size' | 'active' | 'abandon'>[];
  /** What the script is called with, by batch. */
  readonly #calls = new WeakMap<readonly unknown[], { call: number }>();

  constructor(link: CommandLink, keys: QueueKeys, settings: ConsumerSettings, hooks: SettlerHooks) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#hooks = hooks;
    const { refused } = hooks;
    const failed = (error: unknown, commit: FailedCommit): void => {
      hooks.error(this.#withConsequence(error, commit));
    };
    this.#completions = new Lane(
      settings.ackBatch,
      (batch) => this.#complete(batch),
      failed,
      COMPLETION_CALLS,
      (delivery, error) => {
        this.#refuseCompletion(delivery, error);
      },
      weightOfResult,
    );
    const refusedOf = ({ delivery }: { delivery: Delivery }, error: unknown): void => {
      refused(delivery, error);
    };
    this.#retries = new Lane<Retried>(
      settings.retryInflight,
      (batch) => this.#retry(batch),
      failed,
      RETRY_CALLS,
      refusedOf,
      weightOfJob,
    );
    this.#deaths = new Lane<Dead>(
      settings.dlqInflight,
      (batch) => this.#bury(batch),
      failed,
      1,
      refusedOf,
      weightOfJob,
    );
    this.#postponed = new Lane<Postponed>(
      settings.retryInflight,
      (batch) => this.#postpone(batch),
      failed,
      1,
      refusedOf,
      weightOfJob,
    );
    this.#cancellations = new Lane<Cancelled>(
      settings.retryInflight,
      (batch) => this.#endCancelled(batch),
      failed,
      1,
      refusedOf,
    );
    this.#lanes = [this.#completions, this.#retries, this.#postponed, this.#deaths, this.#cancellations];
  }

  /** What Redis answers with an error, it mostly answers again: whoever reads of it should know what waits for it. */
  #withConsequence(error: unknown, { items, failures, againMs }: FailedCommit): unknown {
    if (!(error instanceof ConnectionError) || error.unknownOutcome) return error;
    return new ConnectionError(
      `${error.message} ${String(items)} job(s) of queue "${printable(this.#keys.queue)}" have ended and stay active until Redis takes their outcome; ` +
        `try ${String(failures)} failed, the next one comes in ${String(againMs)} ms.`,
      { cause: error },
    );
  }

  /** The work is done: without its result, which is the only thing of it that can be too large, it can be told. */
  #refuseCompletion(delivery: Delivery, error: unknown): void {
    if (!delivery.result) {
      this.#hooks.refused(delivery, error);
      return;
    }
    delivery.result = undefined;
    delivery.resultJson = '';
    const message = `The result of job ${printable(delivery.jobId)} ("${printable(delivery.name)}") cannot be sent to Redis; the job counts as completed.`;
    this.#hooks.error(new EncodeError(message, { cause: error }));
    this.#completions.push(delivery);
  }

  get size(): number {
    return this.#lanes.reduce((sum, { size }) => sum + size, 0);
  }

  complete(delivery: Delivery): void {
    delivery.settling = true;
    this.#completions.push(delivery);
  }

  retry(delivery: Delivery, outcome: Retried['outcome']): void {
    delivery.settling = true;
    this.#retries.push({ delivery, outcome });
  }

  /** Back to the queue after a while, as if it had not been here. */
  postpone(delivery: Delivery, outcome: Released): void {
    delivery.settling = true;
    this.#postponed.push({ delivery, outcome });
  }

  bury(delivery: Delivery, outcome: Dead['outcome'], ran: boolean): void {
    delivery.settling = true;
    this.#deaths.push({ delivery, outcome, ran });
  }

  endCancelled(delivery: Delivery, ran: boolean): void {
    delivery.settling = true;
    this.#cancellations.push({ delivery, ran });
  }

  async idle(): Promise<void> {
    const lanes = [this.#completions, this.#retries, this.#postponed, this.#deaths];
    await Promise.all(lanes.map((lane) => lane.idle()));
    // Last: a retry may turn out to have been cancelled.
    await this.#cancellations.idle();
  }

  abandon(): void {
    for (const lane of this.#lanes) lane.abandon();
  }

  async #complete(batch: Delivery[]): Promise<void> {
    const { eventsCap, eventsBatchFrom, resultTtlMs } = this.#settings;
    const options = this.#optionsOf(batch, deliveryItself, () => ({
      jobs: batch,
      resultTtlMs,
      eventsCap,
      eventsBatchFrom,
      inFlight: this.#inFlightWith(batch),
    }));
    this.#report(
      batch,
      await complete(this.#link, this.#keys, options),
      deliveryItself,
      this.#hooks.completed,
    );
  }

  /** How many entries should be pending here when a call with this batch comes to Redis: those before it end theirs. */
  #inFlightWith(batch: readonly Delivery[]): number {
    const underWay = this.#lanes.reduce((sum, { active }) => sum + active, 0);
    return Math.max(batch.length, this.#hooks.inFlight() - underWay + batch.length);
  }

  async #retry(batch: Retried[]): Promise<void> {
    const { eventsCap, eventsBatchFrom } = this.#settings;
    const options = this.#optionsOf(batch, deliveryOf, () => ({
      jobs: batch.map(({ delivery, outcome }) => ({
        delivery,
        backoffMs: outcome.backoffMs,
        attemptsUsed: delivery.attempt,
        reason: outcome.detail,
      })),
      writeMember: writeDelayedMember,
      eventsCap,
      eventsBatchFrom,
    }));
    const reply = await retry(this.#link, this.#keys, options);
    this.#report(batch, reply, deliveryOf, ({ delivery, outcome }) => {
      this.#hooks.retried(delivery, outcome);
    });
    if (reply.due !== undefined) this.#hooks.retryDue(reply.due);
  }

  /** The same script: a job that was here and did nothing has no event, and has used no attempt. */
  async #postpone(batch: Postponed[]): Promise<void> {
    const options = this.#optionsOf(batch, deliveryOf, () => ({
      jobs: batch.map(({ delivery, outcome }) => ({
        delivery,
        backoffMs: outcome.delayMs,
        attemptsUsed: delivery.attempt - 1,
        reason: '',
      })),
      writeMember: writeDelayedMember,
      eventsCap: 0,
      eventsBatchFrom: 0,
    }));
    const reply = await retry(this.#link, this.#keys, options);
    this.#report(
      batch,
      reply,
      deliveryOf,
      ({ delivery }) => {
        this.#hooks.released(delivery);
      },
      () => false,
    );
    if (reply.due !== undefined) this.#hooks.retryDue(reply.due);
  }

  async #bury(batch: Dead[]): Promise<void> {
    const { eventsCap, dlqMaxStreamLen, resultTtlMs } = this.#settings;
    // Where no handler ran, there is no start to announce.
    for (const { delivery, ran } of batch) if (!ran) delivery.announced = true;
    const options = this.#optionsOf(batch, deliveryOf, () => ({
      jobs: batch.map(({ delivery, outcome: { reason, detail, stack }, ran }) => {
        return { delivery, ran, reason, detail, stack };
      }),
      eventsCap,
      dlqCap: dlqMaxStreamLen,
      rememberMs: resultTtlMs,
    }));
    const reply = await deadLetter(this.#link, this.#keys, options);
    this.#report(
      batch,
      reply,
      deliveryOf,
      ({ delivery, outcome, ran }) => {
        this.#hooks.dead(delivery, outcome, ran);
      },
      ({ ran }) => ran,
    );
    if (reply.evicted > 0) this.#hooks.evicted(reply.evicted);
  }

  async #endCancelled(batch: Cancelled[]): Promise<void> {
    const { eventsCap, resultTtlMs } = this.#settings;
    for (const { delivery, ran } of batch) if (!ran) delivery.announced = true;
    const options = this.#optionsOf(batch, deliveryOf, () => ({
      jobs: batch,
      eventsCap,
      rememberMs: resultTtlMs,
    }));
    this.#report(batch, await endCancelled(this.#link, this.#keys, options), deliveryOf, ({ delivery }) => {
      this.#hooks.cancelled(delivery);
    });
  }

  /**
   * What the script is called with for a batch. A second commit of the batch, because the reply was lost, makes the same
   * call: Redis replies as it did the first time.
   */
  #optionsOf<T, O extends object>(
    batch: T[],
    of: (item: T) => Delivery,
    optionsOf: () => O,
  ): O & EndingBatch & { call: number } {
    const known = this.#calls.get(batch) as (O & EndingBatch & { call: number }) | undefined;
    if (known) return known;
    const unannounced = unannouncedFirst(batch, of);
    const deliveries = batch.map(of);
    const [first, last] = boundsOf(deliveries);
    const { group, consumerId } = this.#settings;
    const gaps = gapsOf(deliveries);
    const fence = { group, consumerId, first, last, unannounced, gaps, call: this.#link.nextCall() };
    // After the batch was sorted.
    const options = { ...fence, ...optionsOf() };
    this.#calls.set(batch, options);
    return options;
  }

  /**
   * Tells what became of each job of a batch.
   * @param ranOf whether the handler of one that was cancelled instead has run
   */
  #report<T>(
    batch: readonly T[],
    unsettled: Unsettled,
    of: (item: T) => Delivery,
    settled: (item: T) => void,
    ranOf: (item: T) => boolean = () => true,
  ): void {
    const lost = unsettled.lost.length > 0 ? new Set(unsettled.lost) : undefined;
    const cancelled = unsettled.cancelled.length > 0 ? new Set(unsettled.cancelled) : undefined;
    batch.forEach((item, index) => {
      try {
        if (cancelled?.has(index)) this.#hooks.cancelledInstead(of(item), ranOf(item));
        else if (lost?.has(index)) this.#hooks.lost(of(item));
        else settled(item);
      } catch (error) {
        // It is committed. What fails in telling of it must not have the batch sent again.
        this.#hooks.error(error);
      }
    });
  }
}

/** What the call sends, and a share of what it frees: freeing memory takes Redis a fraction of that time. */
function weightOfResult({ result, resultJson, from, to }: Delivery): number {
  return (result?.length ?? 0) + resultJson.length + (to - from) / 4;
}

/** Jobs are sent, or copied inside Redis. */
function weightOfJob({ delivery: { from, to } }: { delivery: Delivery }): number {
  return to - from;
}

function deliveryOf({ delivery }: { delivery: Delivery }): Delivery {
  return delivery;
}

function deliveryItself(delivery: Delivery): Delivery {
  return delivery;
}

/** Puts those whose start was not announced in front, and counts them. */
function unannouncedFirst<T>(batch: T[], of: (item: T) => Delivery): number {
  let fresh = 0;
  for (const item of batch) if (!of(item).announced) fresh += 1;
  if (fresh > 0 && fresh < batch.length) {
    batch.sort((a, b) => Number(of(a).announced) - Number(of(b).announced));
  }
  return fresh;
}
