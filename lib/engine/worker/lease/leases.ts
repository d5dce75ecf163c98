import type { QueueKeys } from '../../../redis/keys.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { handOver } from '../../../redis/scripts/hand-over.js';
import { reclaim } from '../../../redis/scripts/reclaim.js';
import { removeConsumers } from '../../../redis/scripts/remove-consumers.js';
import { renew } from '../../../redis/scripts/renew.js';
import type { RenewReply } from '../../../redis/scripts/renew.js';
import { restartLeases } from '../../../redis/scripts/restart-leases.js';
import { Timer } from '../../../redis/timer.js';
import type { Clock } from '../../base/clock.js';
import type { CommandLink } from '../../connection/command-link.js';
import { ConnectionError } from '../../base/errors.js';
import { MAX_CALL_BYTES, cutMessage } from '../../connection/read-size.js';
import { Service } from '../../base/service.js';
import { boundsOf } from './delivery.js';
import type { Delivery } from './delivery.js';
import type { Held } from './in-flight.js';
import { ServerTime } from './server-time.js';

/** What can start now of the jobs that other workers have left. */
export interface Room {
  jobs: number;
  /** How many of them may have lost more than one worker. */
  suspects: number;
}

export interface LeasesSettings {
  group: string;
  consumerId: string;
  leaseMs: number;
  /** How long a read of this worker's may block. */
  blockMs: number;
  clock: Clock;
  inFlight: Pick<Held, 'snapshot' | 'mayHaveArrived'>;
  /** Keeps handlers that are free for jobs to be taken over; where none is, calls `whenFree` once one is. */
  reserve: (most: number, whenFree: () => void) => Room;
  unreserve: (room: Room) => void;
  /** Held, but not ours any more. */
  lost: (entryIds: readonly string[]) => void;
  /**
   * @param crashes   how many workers have died with the job
   * @param cancelled it must not run again
   */
  recovered: (entry: StreamEntry, crashes: number, cancelled: boolean) => void;
  vanished: (entryIds: readonly string[]) => void;
  onError: (error: unknown) => void;
}

/** How many entries a scan takes over at once, at most. */
const RECLAIM_BATCH = 100;
/** And after so many bytes of them, no further one. */
const RECLAIM_BYTES = 4_194_304;
/** How many entries that never arrived are taken back at once, at most. */
const STRANDED_BATCH = 100;
/** Consumers without pending entries are forgotten after so many leases of silence. */
const FORGET_AFTER_LEASES = 20;
/** By how much Redis's clock may differ from what is expected before it counts as set, in ms, and in shares of a lease. */
const STEP_MS = 1_000;
const STEP_LEASES = 1 / 3;

/** The connection was closed instead of an answer, for the first time. */
class CutError extends ConnectionError {}

/**
 * Three times a lease: renews what is held (the heartbeat), takes back what was delivered here and never arrived, and
 * takes over what workers that died have left: as much as there are handlers free for, and the rest when one becomes
 * free, whoever's that is.
 *
 * A lease that has run out by Redis's clock proves that its holder is dead only if the holder could have renewed it. So
 * after an outage, and after a step of Redis's clock, nothing is taken over until it could have.
 */
export class Leases extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: LeasesSettings;
  readonly #beatMs: number;
  readonly #serverTime: ServerTime;
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;
  #reclaiming: Promise<void> | undefined;
  #lastContact = 0;
  /** Monotonic ms since when all workers could renew what they hold, as far as is known here. */
  #steadySince = 0;
  /** There has been an outage, or a step. */
  #wasDisturbed = false;
  #beats = 0;
  /** What one look may bring of what never arrived. */
  #strandedBytes = MAX_CALL_BYTES;
  /** Looks in a row that ended with their connection. */
  #cuts = 0;
  #cutError = '';

  constructor(link: CommandLink, keys: QueueKeys, settings: LeasesSettings) {
    super();
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#beatMs = Math.max(5, settings.leaseMs / 3);
    this.#serverTime = new ServerTime(Math.min(STEP_MS, settings.leaseMs * STEP_LEASES));
  }

  /**
   * Lets go of jobs that were taken over and cannot start here, if there is another worker to take them over; false: there
   * is none, and they stay.
   */
  async handOver(deliveries: readonly Delivery[]): Promise<boolean> {
    const { group, consumerId, blockMs } = this.#settings;
    if (deliveries.length === 0) return true;
    const [first, last] = boundsOf(deliveries);
    const entryIds = deliveries.map(({ entryId }) => entryId);
    // An idle worker reads once a block time.
    const othersMs = 2 * blockMs;
    return handOver(this.#link, this.#keys, { group, consumerId, first, last, othersMs, entryIds });
  }

  protected onStart(): Promise<void> {
    this.#lastContact = this.#steadySince = this.#settings.clock.monotonic();
    this.#plan();
    return Promise.resolve();
  }

  protected async onStop(): Promise<void> {
    this.#timer?.clear();
    await Promise.all([this.#beating, this.#reclaiming]);
  }

  #plan(): void {
    if (this.isStopping) return;
    this.#timer = new Timer(this.#beatMs, () => {
      this.#beating = this.#beat().finally(() => {
        this.#beating = undefined;
        this.#plan();
      });
    });
  }

  async #beat(): Promise<void> {
    try {
      // Leases of before this worker started may begin in what is now the future.
      if (this.#beats === 0) await this.#restartLeases(false);
      await this.#renew();
      await this.#reclaim();
      this.#beats += 1;
      if (this.#beats % 30 === 0 && this.#steadyMs() >= this.#settings.leaseMs) await this.#forget();
    } catch (error) {
      if (!this.isStopping && !(error instanceof CutError)) this.#settings.onError(error);
    }
  }

  async #renew(): Promise<void> {
    const { inFlight } = this.#settings;
    for (;;) {
      const { lost, stranded, more } = await this.#renewal();
      this.#contact();
      if (lost.length > 0) this.#settings.lost(lost);
      for (const { entry, starts, cancelled } of stranded) {
        // A job that arrived during the call was in no list of the call, and may have ended by now. The next beat knows.
        if (inFlight.mayHaveArrived(entry[0].toString())) continue;
        this.#settings.recovered(entry, starts - 1, cancelled);
      }
      // All of them, whatever room there is: one that is left until its lease runs out is charged an attempt.
      if (!more || stranded.length === 0 || this.isStopping) return;
    }
  }

  #reclaim(): Promise<void> {
    this.#reclaiming ??= this.#reclaimAll().finally(() => {
      this.#reclaiming = undefined;
    });
    return this.#reclaiming;
  }

  /** A reply that the server finds too large closes the connection: then less is asked for, down to nothing. */
  async #renewal(): Promise<RenewReply> {
    const { group, consumerId, inFlight } = this.#settings;
    try {
      const reply = await renew(this.#link, this.#keys, {
        group,
        consumerId,
        entryIds: inFlight.snapshot(),
        // Younger than half a beat may still be on its way here.
        strandedMs: Math.ceil(this.#beatMs / 2),
        limit: STRANDED_BATCH,
        maxBytes: this.#strandedBytes,
      });
      this.#strandedBytes = Math.min(MAX_CALL_BYTES, Math.max(1, this.#strandedBytes * 2));
      if (!reply.more || reply.stranded.length > 0) this.#cuts = 0;
      return reply;
    } catch (error) {
      this.#strandedBytes = Math.floor(this.#strandedBytes / 8);
      if (!(error instanceof ConnectionError) || !error.unknownOutcome) throw error;
      this.#cuts += 1;
      // Once, it is no news: the look comes again with the next beat.
      if (this.#cuts === 1) throw new CutError(error.message, { cause: error, unknownOutcome: true });
      const what = 'jobs that were delivered and never arrived';
      this.#cutError = cutMessage(this.#link.address, this.#cuts, what);
      throw new ConnectionError(this.#cutError, { cause: error, unknownOutcome: true });
    }
  }

  /** Where Redis closes the connection instead of answering: how often in a row, and what the user should know. */
  get trouble(): { failures: number; lastError: string } | undefined {
    return this.#cuts > 1 ? { failures: this.#cuts, lastError: this.#cutError } : undefined;
  }

  /** A busy worker has no handler free at a beat, but at any moment between two: orphans go before what waits here. */
  readonly #onFree = (): void => {
    // One that is just ending has looked for room already.
    const ending = this.#reclaiming?.then(() => this.#reclaim());
    (ending ?? this.#reclaim()).catch((error: unknown) => {
      if (!this.isStopping) this.#settings.onError(error);
    });
  };

  async #reclaimAll(): Promise<void> {
    const { reserve, unreserve } = this.#settings;
    for (let calls = 0, goesOn = true; goesOn && calls < 100 && !this.isStopping; calls++) {
      const room = reserve(RECLAIM_BATCH, this.#onFree);
      if (room.jobs === 0) return;
      try {
        goesOn = await this.#reclaimSome(room);
      } finally {
        unreserve(room);
      }
    }
  }

  /** One call; whether there may be more to take over. */
  async #reclaimSome(room: Room): Promise<boolean> {
    const { group, consumerId, leaseMs, clock } = this.#settings;
    const sentAt = clock.monotonic();
    const latest = this.#serverTime.latest(sentAt);
    const { now, entries, vanished } = await reclaim(this.#link, this.#keys, {
      group,
      consumerId,
      leaseMs: Math.ceil(leaseMs),
      steadyMs: Math.floor(this.#steadyMs()),
      latest,
      count: room.jobs,
      quarantined: room.suspects,
      maxBytes: RECLAIM_BYTES,
    });
    this.#contact();
    const reading = this.#serverTime.read(now, sentAt, clock.monotonic());
    if (reading === 'forward' || reading === 'back') this.#disturbed();
    if (reading === 'back') await this.#restartLeases(true);
    for (const { entry, starts, cancelled } of entries) this.#settings.recovered(entry, starts, cancelled);
    if (vanished.length > 0) this.#settings.vanished(vanished);
    return entries.length > 0 || now > latest;
  }

  /** For how long every worker could renew what it holds. */
  #steadyMs(): number {
    const elapsed = this.#settings.clock.monotonic() - this.#steadySince;
    // A worker that has just started knows nothing of before. But after half a lease, the workers that live have all
    // renewed theirs since.
    return this.#wasDisturbed ? elapsed : 2 * elapsed;
  }

  #disturbed(): void {
    this.#steadySince = this.#settings.clock.monotonic();
    this.#wasDisturbed = true;
  }

  /**
   * Redis has answered. After an outage leases look expired though their workers live. Two beats of silence here may be
   * three, a whole lease, since another's last renewal.
   */
  #contact(): void {
    const now = this.#settings.clock.monotonic();
    if (now - this.#lastContact > 2 * this.#beatMs) this.#disturbed();
    this.#lastContact = now;
  }

  async #restartLeases(clockWasSetBack: boolean): Promise<void> {
    const { group } = this.#settings;
    let from: string | undefined;
    while (!this.isStopping) {
      from = await restartLeases(this.#link, this.#keys, { group, from, clockWasSetBack });
      if (from === undefined) return;
    }
  }

  async #forget(): Promise<void> {
    const { group, leaseMs } = this.#settings;
    const idleMs = Math.max(leaseMs * FORGET_AFTER_LEASES, 600_000);
    await removeConsumers(this.#link, this.#keys, { group, idleMs });
  }
}
