import type { QueueKeys } from '../../../redis/keys.js';
import { handOver } from '../../../redis/scripts/hand-over.js';
import { release } from '../../../redis/scripts/release.js';
import type { ReleaseOptions, ReleaseReply } from '../../../redis/scripts/release.js';
import { sleep } from '../../../redis/timer.js';
import type { CommandLink } from '../../connection/command-link.js';
import { withAttempt } from '../../codec/write-envelope.js';
import { ConnectionError } from '../../base/errors.js';
import { MAX_CALL_BYTES } from '../../connection/read-size.js';
import { boundsOf } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';
import type { InFlight } from '../lease/in-flight.js';
import { ABANDONED, HANDED_OVER, OFFERED, QUEUED, RELEASED, RELEASING, isInFlight } from '../lease/states.js';
import type { State } from '../lease/states.js';
import type { LimitsSettings } from '../job-limits.js';
import { bytesWithReady } from './ready-since.js';
import type { Settlement } from './settlement.js';

export interface ReleaseSettings extends LimitsSettings {
  group: string;
  consumerId: string;
  blockMs: number;
}

/** Puts fetched jobs back for other workers, with no attempt used by this one. The Job then counts earlier crashes, because the new entry's delivery counter starts at 0. */
export class Release {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: ReleaseSettings;
  readonly #inFlight: InFlight;
  readonly #settlement: Settlement;
  readonly #onError: (error: unknown) => void;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: ReleaseSettings,
    inFlight: InFlight,
    settlement: Settlement,
    onError: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#inFlight = inFlight;
    this.#settlement = settlement;
    this.#onError = onError;
  }

  /** For good, as the worker closes: what the handlers still do does not count. */
  async release(deliveries: readonly Delivery[]): Promise<void> {
    // In flight until Redis has them back: the heartbeat would find them pending here, and run them again.
    const ours = this.#moved(deliveries, RELEASING);
    try {
      for (const slice of slicesOf(ours)) {
        await this.#release(slice, undefined);
        this.#leave(slice, RELEASING, RELEASED);
      }
    } finally {
      this.#leave(ours, RELEASING, ABANDONED);
    }
  }

  /** Queued jobs that wait here too long, if there is another worker to run them; false: there is none, and they stay. */
  async offer(deliveries: readonly Delivery[]): Promise<boolean> {
    for (const slice of slicesOf(deliveries.filter(({ state }) => state === QUEUED))) {
      // An idle worker reads once a block time.
      const othersMs = 2 * this.#settings.blockMs;
      if (!(await this.#offered(slice, RELEASED, (ours) => this.#release(ours, othersMs)))) return false;
    }
    return true;
  }

  /** The same for jobs that were reclaimed and cannot start here: they keep the starts that they have had. */
  handOver(deliveries: readonly Delivery[]): Promise<boolean> {
    return this.#offered(deliveries, HANDED_OVER, (ours) => this.#handOver(ours));
  }

  async #offered(
    deliveries: readonly Delivery[],
    end: State,
    offer: (ours: readonly Delivery[]) => Promise<boolean>,
  ): Promise<boolean> {
    const ours = this.#moved(deliveries, OFFERED);
    let isTaken = ours.length === 0;
    try {
      isTaken ||= await offer(ours);
    } finally {
      // Where the outcome of a hand-over is unknown, the start is counted in Redis, and finds out.
      this.#leave(ours, OFFERED, isTaken ? end : QUEUED);
    }
    return isTaken;
  }

  #moved(deliveries: readonly Delivery[], to: State): Delivery[] {
    return deliveries.filter((delivery) => isInFlight(delivery.state) && this.#inFlight.move(delivery, to));
  }

  #leave(deliveries: readonly Delivery[], from: State, to: State): void {
    for (const delivery of deliveries) if (delivery.state === from) this.#inFlight.move(delivery, to);
  }

  /** False: there is no other worker, and nothing was changed. */
  async #release(deliveries: readonly Delivery[], othersMs: number | undefined): Promise<boolean> {
    const { group, consumerId } = this.#settings;
    const [first, last] = boundsOf(deliveries);
    const jobs = deliveries.map((delivery) => ({
      entryId: delivery.entryId,
      bytes: bytesToReturn(delivery, this.#settings),
    }));
    const reply = await this.#call({ group, consumerId, first, last, othersMs, jobs });
    if (reply.outcome === 'no-other-worker') return false;
    for (const index of reply.cancelled) this.#endCancelled(deliveries[index] as Delivery);
    return true;
  }

  /** A job that was cancelled is not released. Where its handler has not run, it is settled from the queue. */
  #endCancelled(delivery: Delivery): void {
    if (!delivery.ran) {
      if (this.#inFlight.move(delivery, QUEUED)) this.#inFlight.cancel(delivery);
      return;
    }
    this.#settlement.settle(delivery, { kind: 'cancelled', error: this.#inFlight.cancel(delivery) });
  }

  #handOver(deliveries: readonly Delivery[]): Promise<boolean> {
    const { group, consumerId, blockMs } = this.#settings;
    const [first, last] = boundsOf(deliveries);
    const entryIds = deliveries.map(({ entryId }) => entryId);
    // An idle worker reads once a block time.
    const othersMs = 2 * blockMs;
    return handOver(this.#link, this.#keys, { group, consumerId, first, last, othersMs, entryIds });
  }

  /**
   * One call, made until Redis says what it did: a job that may have been released must not start here. Redis answers a
   * second call as it answered the first.
   */
  async #call(options: ReleaseOptions): Promise<ReleaseReply> {
    const call = this.#link.nextCall();
    for (;;) {
      try {
        return await release(this.#link, this.#keys, { ...options, call });
      } catch (error) {
        const unknown = error instanceof ConnectionError && error.unknownOutcome;
        // As the worker closes, nothing starts here any more, and a client that has ended would fail each call.
        const isHopeless = options.othersMs === undefined && this.#link.isEnded;
        if (!unknown || this.#link.isReleased || isHopeless) throw error;
        this.#onError(error);
        await sleep(AGAIN_MS);
      }
    }
  }
}

/** Until a call that may have been carried out is made again. */
const AGAIN_MS = 250;
/** Most jobs of one call. */
const MAX_JOBS = 500;

function* slicesOf(deliveries: readonly Delivery[]): Generator<readonly Delivery[]> {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < deliveries.length; i++) {
    const delivery = deliveries[i] as Delivery;
    const size = delivery.to - delivery.from;
    if (i > from && (i - from === MAX_JOBS || bytes + size > MAX_CALL_BYTES)) {
      yield deliveries.slice(from, i);
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < deliveries.length) yield deliveries.slice(from);
}

/** Undefined where they stay as they are. */
function bytesToReturn(delivery: Delivery, settings: LimitsSettings): Buffer | undefined {
  const { bytes, crashes, used } = delivery;
  if (crashes === 0 || !bytes) return bytesWithReady(delivery, settings);
  try {
    return withAttempt(bytes, used + crashes);
  } catch {
    // Not a Job: it goes back as it is, and the worker that fetches it dead-letters it.
    return undefined;
  }
}
