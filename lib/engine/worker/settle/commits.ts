import type { QueueKeys } from '../../../redis/keys.js';
import { complete } from '../../../redis/scripts/complete.js';
import { deadLetter } from '../../../redis/scripts/dead-letter.js';
import type { DeadLetterReply } from '../../../redis/scripts/dead-letter.js';
import { endWithoutLetter } from '../../../redis/scripts/end-without-letter.js';
import type { EndedDedup } from '../../../redis/scripts/lib/dedup.js';
import { packGroups } from '../../../redis/scripts/lib/fence.js';
import type { EndingBatch, GroupedJob, Unsettled } from '../../../redis/scripts/lib/fence.js';
import { retry } from '../../../redis/scripts/retry.js';
import type { RetryReply } from '../../../redis/scripts/retry.js';
import { EXTRAS, dedupIdOf } from '../../codec/extras.js';
import { groupOfRoomHead } from '../../codec/room.js';
import { writeDelayedMember } from '../../codec/write-envelope.js';
import type { CommandLink } from '../../connection/command-link.js';
import { boundsOf, gapsOf } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';
import type {
  DeadLetterOutcome,
  DelayedOutcome,
  DroppedOutcome,
  PostponedOutcome,
  RetryOutcome,
} from '../lease/outcome.js';
import { withReady } from './ready-since.js';
import type { WorkerSettings } from '../settings.js';
import type { Tracking } from './tracking.js';

/** The scripts that end jobs, each called with a batch of jobs that end alike. */
export class Commits {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: WorkerSettings;
  /** The queue is gated. */
  isGated = false;
  /** What the script is called with, by batch, until Redis has replied. */
  readonly #calls = new Map<readonly Delivery[], object>();

  readonly #tracking: Tracking;

  constructor(link: CommandLink, keys: QueueKeys, settings: WorkerSettings, tracking: Tracking) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#tracking = tracking;
  }

  /** @param inFlight how many entries should be pending for this worker when the call comes to Redis */
  complete(batch: Delivery[], inFlight: number): Promise<Unsettled> {
    const { eventsCap, eventsBatchFrom, storeResults, resultTtlMs } = this.#settings;
    const options = this.#optionsOf(batch, () => {
      const { jobs: tracked, bounds } = this.#tracking.completions(batch);
      const results = { storesResults: storeResults, resultTtlMs };
      const { worker } = this.#tracking;
      return {
        jobs: batch,
        ...results,
        tracked,
        worker,
        bounds,
        dedups: dedupsOf(batch),
        eventsCap,
        eventsBatchFrom,
        inFlight,
      };
    });
    return this.#replied(batch, complete(this.#link, this.#keys, options));
  }

  retry(batch: Delivery[]): Promise<RetryReply> {
    const { eventsCap, eventsBatchFrom, delayedEnabled } = this.#settings;
    const options = this.#optionsOf(batch, () => ({
      jobs: batch.map((delivery) => {
        const { backoffMs, detail } = delivery.outcome as RetryOutcome;
        return { delivery, backoffMs, attemptsUsed: delivery.attempt, reason: detail };
      }),
      event: 'failed' as const,
      keepsTurn: true,
      writeMember: writeDelayedMember,
      wakePromoter: !delayedEnabled,
      hasPlaces: batch.some(hasPlace),
      attempts: this.#tracking.attempts(batch),
      eventsCap,
      eventsBatchFrom,
    }));
    return this.#replied(batch, retry(this.#link, this.#keys, options));
  }

  /** The same script: a job that did nothing here has no event, and has used no attempt. */
  postpone(batch: Delivery[]): Promise<RetryReply> {
    return this.#putBack(batch, 0, true);
  }

  /** The same for a job whose handler has moved it. */
  delay(batch: Delivery[]): Promise<RetryReply> {
    return this.#putBack(batch, this.#settings.eventsCap, false);
  }

  #putBack(batch: Delivery[], eventsCap: number, keepsTurn: boolean): Promise<RetryReply> {
    const { eventsBatchFrom, delayedEnabled } = this.#settings;
    const options = this.#optionsOf(batch, () => ({
      jobs: batch.map((delivery) => {
        const outcome = delivery.outcome as PostponedOutcome | DelayedOutcome;
        const going = withReady(delivery, this.#settings);
        const isRateLimited = outcome.kind === 'postponed' && outcome.isRateLimited === true;
        return {
          delivery: going,
          backoffMs: outcome.delayMs,
          isRateLimited,
          attemptsUsed: delivery.attempt - 1,
          reason: '',
        };
      }),
      event: 'delayed' as const,
      keepsTurn,
      writeMember: writeDelayedMember,
      wakePromoter: !delayedEnabled,
      hasPlaces: batch.some(hasPlace),
      attempts: [],
      eventsCap,
      eventsBatchFrom,
    }));
    return this.#replied(batch, retry(this.#link, this.#keys, options));
  }

  deadLetter(batch: Delivery[]): Promise<DeadLetterReply> {
    const { eventsCap, dlqMaxStreamLen, resultTtlMs } = this.#settings;
    withoutStart(batch);
    const options = this.#optionsOf(batch, () => ({
      jobs: batch.map((delivery) => {
        const { reason, detail, stack } = delivery.outcome as DeadLetterOutcome;
        return { delivery, ran: delivery.ran, reason, detail, stack };
      }),
      eventsCap,
      dlqCap: dlqMaxStreamLen,
      rememberMs: resultTtlMs,
      ...this.#tracking.deadLetters(batch),
      attempts: this.#tracking.attempts(batch),
      dedups: dedupsOf(batch),
    }));
    return this.#replied(batch, deadLetter(this.#link, this.#keys, options));
  }

  endCancelled(batch: Delivery[]): Promise<Unsettled> {
    return this.#endWithoutLetter(batch, 'cancelled', () => '');
  }

  drop(batch: Delivery[]): Promise<Unsettled> {
    return this.#endWithoutLetter(batch, 'expired', ({ outcome }) => (outcome as DroppedOutcome).detail);
  }

  #endWithoutLetter(
    batch: Delivery[],
    reason: 'cancelled' | 'expired',
    detailOf: (delivery: Delivery) => string,
  ): Promise<Unsettled> {
    const { eventsCap, resultTtlMs } = this.#settings;
    withoutStart(batch);
    const options = this.#optionsOf(batch, () => ({
      jobs: batch.map((delivery) => ({ delivery, ran: delivery.ran, detail: detailOf(delivery) })),
      reason,
      eventsCap,
      rememberMs: resultTtlMs,
      dedups: dedupsOf(batch),
    }));
    return this.#replied(batch, endWithoutLetter(this.#link, this.#keys, options));
  }

  /** Forgets the call. A weak map would keep the jobs alive for too long: collecting them cost a fifth of a worker's time. */
  async #replied<R>(batch: readonly Delivery[], reply: Promise<R>): Promise<R> {
    const replied = await reply;
    this.#calls.delete(batch);
    return replied;
  }

  /**
   * What the script is called with for a batch. A second commit of the batch, because the reply was lost, makes the same
   * call: Redis replies as it did the first time.
   */
  #optionsOf<O extends object>(batch: Delivery[], optionsOf: () => O): O & EndingBatch & { call: number } {
    const known = this.#calls.get(batch) as (O & EndingBatch & { call: number }) | undefined;
    if (known) return known;
    const unannounced = unannouncedFirst(batch);
    const [first, last] = boundsOf(batch);
    const { group, consumerId } = this.#settings;
    const gaps = gapsOf(batch);
    const { isGated } = this;
    const groups = groupsOf(batch);
    const call = this.#link.nextCall();
    const fence = { group, consumerId, first, last, unannounced, gaps, isGated, groups, call };
    // After the batch was sorted.
    const options = { ...fence, ...optionsOf() };
    this.#calls.set(batch, options);
    return options;
  }
}

const NO_DEDUPS: readonly EndedDedup[] = [];

/** The jobs that have a deduplication id. Each of them has a marker. */
function dedupsOf(batch: readonly Delivery[]): readonly EndedDedup[] {
  let dedups: EndedDedup[] | undefined;
  for (let index = 0; index < batch.length; index++) {
    const { uniqueMs, job, jobId } = batch[index] as Delivery;
    if (uniqueMs === undefined || !job) continue;
    const dedupId = dedupIdOf(job);
    if (dedupId !== undefined) (dedups ??= []).push({ index, jobId, dedupId });
  }
  return dedups ?? NO_DEDUPS;
}

/** The jobs that have a slot of their group. */
function groupsOf(batch: readonly Delivery[]): Buffer | undefined {
  let jobs: GroupedJob[] | undefined;
  for (let index = 0; index < batch.length; index++) {
    const { roomHead } = batch[index] as Delivery;
    const group = roomHead && groupOfRoomHead(roomHead);
    if (group) (jobs ??= []).push({ index, group });
  }
  return jobs && packGroups(jobs);
}

/** Whether the job waits in the room when it waits. */
function hasPlace({ job }: Delivery): boolean {
  const extras = job?.[EXTRAS];
  return extras !== undefined && (extras.priority !== undefined || extras.group !== undefined);
}

/** Where no handler ran, there is no start to announce. */
function withoutStart(batch: readonly Delivery[]): void {
  for (const delivery of batch) if (!delivery.ran) delivery.announced = true;
}

/** Puts the jobs whose start was not announced in front, and counts them. */
function unannouncedFirst(batch: Delivery[]): number {
  let unannounced = 0;
  for (const delivery of batch) if (!delivery.announced) unannounced += 1;
  if (unannounced > 0 && unannounced < batch.length) {
    batch.sort((a, b) => Number(a.announced) - Number(b.announced));
  }
  return unannounced;
}
