import type { QueueKeys } from '../../../redis/keys.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { reclaim } from '../../../redis/scripts/reclaim.js';
import { removeConsumers } from '../../../redis/scripts/remove-consumers.js';
import { restartLeases } from '../../../redis/scripts/restart-leases.js';
import { Timer } from '../../../redis/timer.js';
import type { Clock } from '../../base/clock.js';
import type { CommandLink } from '../../connection/command-link.js';
import { LostEntryError } from '../../base/errors.js';
import { NextCall } from '../../base/next-call.js';
import { Service } from '../../base/service.js';
import type { InFlight } from './in-flight.js';
import { LateStarts } from './late-starts.js';
import type { LeaseTerm } from './lease-term.js';
import { CutError, Renewal } from './renewal.js';
import { ServerTime } from './server-time.js';
import { LOST, isLeaseWatched } from './states.js';

/** What can start now of the jobs that other workers have left. */
export interface Room {
  jobs: number;
  /** How many of them may have lost more than one worker. */
  quarantined: number;
}

/** Says how many reclaimed jobs can start. */
export interface Capacity {
  /** Keeps handlers that are free for jobs to be reclaimed; where none is, calls `whenFree` once one is. */
  reserve(most: number, whenFree: () => void): Room;
  unreserve(room: Room): void;
}

/** Receives the jobs that were reclaimed, or recovered after a lost reply. */
export interface Reclaimer {
  /**
   * @param crashes     how many workers have died with the job
   * @param isCancelled it must not run again
   * @param isStalled   the lease of its worker ran out
   */
  reclaimed(entry: StreamEntry, crashes: number, isCancelled: boolean, isStalled: boolean): void;
}

export interface LeasesSettings {
  group: string;
  consumerId: string;
  leaseMs: number;
  /** About how many events are kept; 0 = none are written. */
  eventsCap: number;
  clock: Clock;
  term: LeaseTerm;
}

/** How many entries a scan reclaims at once, at most. */
const RECLAIM_BATCH = 100;
/** And after so many bytes of them, no further one. */
const RECLAIM_BYTES = 4_194_304;
/** Where rate limits leave jobs for later, they are asked for again after so many ms at the earliest. */
const LATER_MS = 10;
/** Consumers without pending entries are forgotten after so many leases of silence. */
const FORGET_AFTER_LEASES = 20;
/** By how much Redis's clock may differ from what is expected before it counts as set, in ms, and in shares of a lease. */
const STEP_MS = 1_000;
const STEP_LEASES = 1 / 3;

/**
 * Three times a lease: renews the leases of the in-flight jobs (the heartbeat), recovers jobs that were delivered here and
 * never arrived, and reclaims the jobs of workers that died: as many as can start here at once, and the rest when a
 * handler becomes free on any worker.
 *
 * A lease that has run out by Redis's clock proves that its holder is dead only if the holder could have renewed it. So
 * after an outage, and after a step of Redis's clock, nothing is reclaimed until it could have.
 */
export class Leases extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: LeasesSettings;
  readonly #inFlight: InFlight;
  readonly #capacity: Capacity;
  readonly #reclaimer: Reclaimer;
  readonly #onError: (error: unknown) => void;
  readonly #beatMs: number;
  readonly #serverTime: ServerTime;
  readonly #renewal: Renewal;
  readonly #lateStarts: LateStarts;
  readonly #term: LeaseTerm;
  readonly #renewals = new NextCall(() => this.#renew());
  /** Rate limits have left some for later. */
  #laterTimer: Timer | undefined;
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;
  #reclaiming: Promise<void> | undefined;
  #lastContact = 0;
  /** Monotonic ms since when all workers could renew what they hold, as far as is known here. */
  #steadySince = 0;
  /** There has been an outage, or a step. */
  #wasDisturbed = false;
  #beats = 0;

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: LeasesSettings,
    inFlight: InFlight,
    capacity: Capacity,
    reclaimer: Reclaimer,
    onError: (error: unknown) => void,
  ) {
    super();
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#inFlight = inFlight;
    this.#capacity = capacity;
    this.#reclaimer = reclaimer;
    this.#onError = onError;
    this.#beatMs = Math.max(5, settings.leaseMs / 3);
    this.#serverTime = new ServerTime(Math.min(STEP_MS, settings.leaseMs * STEP_LEASES));
    this.#renewal = new Renewal(link, keys, { ...settings, beatMs: this.#beatMs }, inFlight);
    this.#lateStarts = new LateStarts(link, keys, settings, inFlight, onError);
    this.#term = settings.term;
    this.#term.onStale(() => {
      // If it fails, the next beat is soon, and reports it.
      if (!this.isStopping) this.#renewals.call().catch(() => undefined);
    });
  }

  protected onStart(): Promise<void> {
    this.#lastContact = this.#steadySince = this.#settings.clock.monotonic();
    this.#plan();
    return Promise.resolve();
  }

  protected async onStop(): Promise<void> {
    this.#timer?.clear();
    await Promise.all([this.#beating, this.#reclaiming, this.#renewals.pending?.catch(() => undefined)]);
    this.#laterTimer?.clear();
    this.#lateStarts.stop();
  }

  /** The worker reads no more. Recovers what was delivered here and never arrived: it would have to wait for its lease to run out. */
  readingEnded(): Promise<void> {
    this.#renewal.strandedMs = 0;
    return this.#renewals.call();
  }

  /** Jobs were delivered together, and some of them have not started so far. @param starts what take.lua replied */
  readonly startsLate = (starts: string, entryIds: readonly string[]): void => {
    this.#lateStarts.add(starts, entryIds);
  };

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
      await this.#renewals.call();
      await this.#reclaim();
      this.#beats += 1;
      if (this.#beats % 30 === 0 && this.#steadyMs() >= this.#settings.leaseMs) await this.#forget();
    } catch (error) {
      if (!this.isStopping && !(error instanceof CutError)) this.#onError(error);
    }
  }

  async #renew(): Promise<void> {
    const { clock } = this.#settings;
    const recovered: string[] = [];
    let lostBefore: number | undefined;
    const sentAt = clock.monotonic();
    for (;;) {
      const renewedAt = this.#term.renews();
      const { lost, stranded, more, before } = await this.#renewal.ask();
      this.#contact();
      lostBefore = more ? undefined : before;
      for (const entryId of lost) this.#lose(entryId);
      const isProven = this.#term.renewed(renewedAt);
      for (const { entry, starts, cancelled } of stranded) {
        // A job that arrived during the call was in no list of the call, and may have ended by now. The next beat knows.
        if (this.#inFlight.mayHaveArrived(entry[0].toString())) {
          this.#renewal.missed();
          continue;
        }
        this.#reclaimer.reclaimed(entry, starts - 1, cancelled, false);
        recovered.push(entry[0].toString());
      }
      // Recovers all of them, even without a free handler: an entry whose lease expires uses an attempt.
      if ((isProven && (!more || stranded.length === 0)) || this.isStopping) break;
    }
    this.#lateStarts.found(recovered, this.#renewal.findsAll(sentAt) ? lostBefore : undefined);
  }

  #lose(entryId: string): void {
    const delivery = this.#inFlight.find(entryId);
    if (delivery && isLeaseWatched(delivery.state)) this.#inFlight.move(delivery, LOST);
  }

  #reclaim(): Promise<void> {
    this.#reclaiming ??= this.#reclaimAll().finally(() => {
      this.#reclaiming = undefined;
    });
    return this.#reclaiming;
  }

  /** Where Redis closes the connection instead of answering: how often in a row, and what the user should know. */
  get trouble(): { failures: number; lastError: string } | undefined {
    return this.#renewal.trouble;
  }

  /** In a busy worker, a handler becomes free between two beats. Jobs of dead workers get it before jobs that wait here. */
  readonly #onFree = (): void => {
    // A scan that is about to end has already asked for free handlers, so another one follows it.
    const ending = this.#reclaiming?.then(() => this.#reclaim());
    (ending ?? this.#reclaim()).catch((error: unknown) => {
      if (!this.isStopping) this.#onError(error);
    });
  };

  async #reclaimAll(): Promise<void> {
    for (let calls = 0, goesOn = true; goesOn && calls < 100 && !this.isStopping; calls++) {
      const room = this.#capacity.reserve(RECLAIM_BATCH, this.#onFree);
      if (room.jobs === 0) return;
      try {
        goesOn = await this.#reclaimSome(room);
      } finally {
        this.#capacity.unreserve(room);
      }
    }
  }

  /** One call; whether there may be more to take over. */
  async #reclaimSome(room: Room): Promise<boolean> {
    const { group, consumerId, leaseMs, eventsCap, clock } = this.#settings;
    const sentAt = clock.monotonic();
    const latest = this.#serverTime.latest(sentAt);
    const { now, entries, vanished, unconfirmed, waitMs } = await reclaim(this.#link, this.#keys, {
      group,
      consumerId,
      leaseMs: Math.ceil(leaseMs),
      steadyMs: Math.floor(this.#steadyMs()),
      latest,
      count: room.jobs,
      quarantined: room.quarantined,
      maxBytes: RECLAIM_BYTES,
      eventsCap,
    });
    this.#contact();
    const reading = this.#serverTime.read(now, sentAt, clock.monotonic());
    if (reading === 'forward' || reading === 'back') this.#disturbed();
    if (reading === 'back') await this.#restartLeases(true);
    if (entries.length > 0) this.#term.arrived(sentAt);
    for (const { entry, starts, cancelled, stalled } of entries) {
      this.#reclaimer.reclaimed(entry, starts, cancelled, stalled);
    }
    const entryIds = entries.map(({ entry }) => entry[0].toString());
    if (unconfirmed !== undefined) this.#lateStarts.add(unconfirmed, entryIds);
    if (vanished.length > 0) this.#onError(this.#lostEntries(vanished));
    this.#laterTimer?.clear();
    this.#laterTimer = undefined;
    // A heartbeat comes in any case.
    if (waitMs !== undefined && waitMs < this.#beatMs && !this.isStopping)
      this.#laterTimer = new Timer(Math.max(waitMs, LATER_MS), this.#onFree);
    return entries.length > 0 || now > latest;
  }

  #lostEntries(entryIds: readonly string[]): LostEntryError {
    const shown = entryIds.slice(0, 5).join(', ');
    return new LostEntryError(
      `${String(entryIds.length)} job(s) of queue "${this.#keys.queue}" were fetched by a worker and are gone from the stream (entries ${shown}): something trims or deletes ${this.#keys.stream}.`,
    );
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
   * Redis has answered. After an outage leases look expired though their workers live. After two beats without an
   * answer here, the last renewal of another worker may be three beats (a lease) ago.
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
