import type { QueueKeys } from '../../../redis/keys.js';
import { release } from '../../../redis/scripts/release.js';
import type { ReleaseOptions, ReleaseReply } from '../../../redis/scripts/release.js';
import { sleep } from '../../../redis/timer.js';
import type { CommandLink } from '../../connection/command-link.js';
import { withAttempt } from '../../codec/write-envelope.js';
import { ConnectionError } from '../../base/errors.js';
import { MAX_CALL_BYTES } from '../../connection/read-size.js';
import { boundsOf } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';
import type { Held } from '../lease/in-flight.js';

export interface GiveBackSettings {
  group: string;
  consumerId: string;
  blockMs: number;
  held: Held;
  /** One that was cancelled does not go back: it stays held, to be ended. */
  cancelled: (delivery: Delivery) => void;
  onError: (error: unknown) => void;
}

/** Gives jobs back to the stream, with their crashes counted as attempts. */
export class GiveBack {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: GiveBackSettings;

  constructor(link: CommandLink, keys: QueueKeys, settings: GiveBackSettings) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
  }

  /** For good: what their handlers still do here does not count. */
  async release(deliveries: readonly Delivery[]): Promise<void> {
    const ours = deliveries.filter(({ isHeld }) => isHeld);
    // Held until Redis has taken them back: the heartbeat would find them pending here, take them for stranded, and run
    // them. Whatever becomes of their leases now concerns nobody.
    for (const delivery of ours) delivery.lost = true;
    try {
      for (const slice of slicesOf(ours)) await this.#return(slice, undefined);
    } finally {
      this.#letGo(ours);
    }
  }

  /** Those that wait here too long, if there is another worker to take them; false: there is none, and they stay. */
  async offer(deliveries: readonly Delivery[]): Promise<boolean> {
    const ours = deliveries.filter(({ isHeld }) => isHeld);
    if (ours.length === 0) return true;
    for (const slice of slicesOf(ours)) if (!(await this.#offer(slice))) return false;
    return true;
  }

  async #offer(ours: readonly Delivery[]): Promise<boolean> {
    // Whether their leases have ended is for the reply to say, not for the heartbeat.
    for (const delivery of ours) delivery.settling = true;
    let isReleased = false;
    try {
      // An idle worker reads once a block time.
      isReleased = await this.#return(ours, 2 * this.#settings.blockMs);
    } finally {
      if (!isReleased) for (const delivery of ours) delivery.settling = false;
    }
    if (!isReleased) return false;
    this.#letGo(ours);
    return true;
  }

  #letGo(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) if (!delivery.cancelled) this.#settings.held.remove(delivery);
  }

  /** False: there is no other worker, and nothing was changed. */
  async #return(deliveries: readonly Delivery[], othersMs: number | undefined): Promise<boolean> {
    const { group, consumerId } = this.#settings;
    const [first, last] = boundsOf(deliveries);
    const jobs = deliveries.map((delivery) => ({
      entryId: delivery.entryId,
      bytes: bytesToReturn(delivery),
    }));
    const reply = await this.#release({ group, consumerId, first, last, othersMs, jobs });
    if (reply.outcome === 'no-other-worker') return false;
    for (const index of reply.cancelled) this.#settings.cancelled(deliveries[index] as Delivery);
    return true;
  }

  /**
   * One call, made until Redis says what it did: a job that may have been released is not to be started here. A second
   * call is answered as the first was.
   */
  async #release(options: ReleaseOptions): Promise<ReleaseReply> {
    const call = this.#link.nextCall();
    for (;;) {
      try {
        return await release(this.#link, this.#keys, { ...options, call });
      } catch (error) {
        const unknown = error instanceof ConnectionError && error.unknownOutcome;
        if (!unknown || this.#link.isReleased) throw error;
        this.#settings.onError(error);
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
function bytesToReturn({ bytes, crashes, used }: Delivery): Buffer | undefined {
  if (crashes === 0 || !bytes) return undefined;
  try {
    return withAttempt(bytes, used + crashes);
  } catch {
    // Not a Job: it goes back as it is, and whoever reads it dead-letters it.
    return undefined;
  }
}
