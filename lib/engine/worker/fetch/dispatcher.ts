import { Timer } from '../../../redis/timer.js';
import type { Delivery } from '../lease/delivery.js';
import type { Room } from '../lease/leases.js';

export interface DispatcherSettings {
  concurrency: number;
  /** Most entries fetched at once while nothing is known of the handlers' pace. */
  batch: number;
  /** Jobs that have ended and are not committed. */
  unsettled: () => number;
  /** So many of them stop the reading. */
  mostUnsettled: number;
  /** False where the job cannot run: then its outcome is on its way already. */
  prepare: (delivery: Delivery) => boolean;
  run: (delivery: Delivery) => void;
  /** Counts a start in Redis; false where the lease is not ours any more. */
  countStart: (delivery: Delivery) => Promise<boolean>;
  /** Gives unstarted jobs back, if another worker is there to take them; false where none is. */
  giveBack: (deliveries: readonly Delivery[]) => Promise<boolean>;
  /** The same for jobs that were taken over; they keep the starts they have had. */
  handOver: (deliveries: readonly Delivery[]) => Promise<boolean>;
  /** A start that came too late: the worker closes. */
  giveUp: (delivery: Delivery) => void;
  onError: (error: unknown) => void;
}

/** A job may be fetched ahead of a free handler when it is expected to wait no longer than this. */
const SOON_MS = 10;
/** At most so many batches are fetched ahead: larger ones save calls, which cost more than jobs when jobs are short. */
const AHEAD_FACTOR = 8;
/** Half of that in one read: the next one is on its way while the last one is worked off. */
const READ_FACTOR = 4;
/** A job that has waited for a handler for so long was fetched on a wrong guess. */
const STUCK_MS = 250;
/** How often what waits is offered where no other worker is there to take it, at least. */
const STUCK_AGAIN_MS = 1_000;
/** After a start could not be counted, until the next try. */
const AGAIN_MS = 250;

/**
 * Decides what starts, and how much may be fetched. Holds what was fetched and has not started: as little as keeps the
 * handlers busy, by the running average of how long they take.
 */
export class Dispatcher {
  readonly #settings: DispatcherSettings;
  #waiting: Delivery[] = [];
  /** Jobs whose workers have died more than once, or that have one attempt left after it: one of them at a time. */
  #suspects: Delivery[] = [];
  #suspectRuns = false;
  #running = 0;
  /** Handlers that are free and wait for what is being taken over. */
  #reserved = 0;
  #whenFree: (() => void) | undefined;
  #averageMs: number | undefined;
  #pumping = false;
  #taking = false;
  #offering = false;
  #stopped = false;
  #stuckTimer: Timer | undefined;
  #stuckMs = STUCK_MS;
  #wantsCapacity: ((count: number) => void) | undefined;
  #wantsIdle: (() => void)[] = [];

  constructor(settings: DispatcherSettings) {
    this.#settings = settings;
  }

  /** Handlers running now, and starts being counted. */
  get running(): number {
    return this.#running;
  }

  /** Resolves with how many entries may be fetched, as soon as there is room for one; with 0 when nothing more is. */
  capacity(): Promise<number> {
    if (this.#stopped) return Promise.resolve(0);
    const room = this.#room();
    if (room > 0) return Promise.resolve(room);
    return new Promise((resolve) => {
      this.#wantsCapacity = resolve;
    });
  }

  /**
   * Keeps handlers that are free, up to `most`, for entries to be taken over, until {@link unreserve}. No more is taken
   * over than can start: what waits here might start elsewhere. Where no handler is free, `whenFree` is called as soon
   * as one is, before a job that waits here takes it: a backlog would keep the jobs of a worker that died from running
   * for as long as it lasts.
   */
  reserve(most: number, whenFree: () => void): Room {
    if (this.#stopped) return { jobs: 0, suspects: 0 };
    const waiting = this.#waiting.filter(({ crashes, lost }) => crashes > 0 && !lost).length;
    const suspects = this.#suspectRuns || this.#suspects.length > 0 ? 0 : 1;
    const free = this.#settings.concurrency - this.#running - this.#reserved - waiting;
    const jobs = Math.max(0, Math.min(most, free));
    if (jobs === 0) this.#whenFree = whenFree;
    this.#reserved += jobs;
    return { jobs, suspects };
  }

  unreserve({ jobs }: Room): void {
    this.#reserved -= jobs;
    this.#pump();
  }

  /** Takes jobs in, and starts what can start. What a worker that died has left is late already: it goes first. */
  take(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      if (delivery.crashes > 0) this.#waiting.unshift(delivery);
      else this.#waiting.push(delivery);
    }
    if (this.#taking) return;
    this.#taking = true;
    process.nextTick(() => {
      this.#taking = false;
      this.#pump();
    });
  }

  /** A handler has returned after so many ms. */
  ended(delivery: Delivery, ms: number): void {
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + (ms - this.#averageMs) * 0.05;
    this.#freeSlot(delivery.suspect);
  }

  /** Tells a reader that waits. At the end of the tick: handlers that end together make room for one larger read. */
  offerCapacity(): void {
    if (!this.#wantsCapacity || this.#offering) return;
    this.#offering = true;
    process.nextTick(() => {
      this.#offering = false;
      const room = this.#stopped ? 0 : this.#room();
      if (room <= 0 && !this.#stopped) return;
      this.#wantsCapacity?.(room);
      this.#wantsCapacity = undefined;
    });
  }

  /** Starts nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#stuckTimer?.clear();
    this.offerCapacity();
  }

  /** What has not started, for the last time. */
  takeUnstarted(): Delivery[] {
    const unstarted = [...this.#waiting, ...this.#suspects];
    this.#waiting = [];
    this.#suspects = [];
    return unstarted;
  }

  /** One that has not started; false where it has, or is about to. */
  takeOut(delivery: Delivery): boolean {
    const waits = (other: Delivery): boolean => other !== delivery;
    const { length } = this.#waiting;
    this.#waiting = this.#waiting.filter(waits);
    if (this.#waiting.length < length) return true;
    const suspects = this.#suspects.length;
    this.#suspects = this.#suspects.filter(waits);
    return this.#suspects.length < suspects;
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wantsIdle.push(resolve);
    });
  }

  /** How many entries may be fetched now. */
  #room(): number {
    const { concurrency, batch, unsettled, mostUnsettled } = this.#settings;
    if (unsettled() > mostUnsettled) return 0;
    const busy = this.#running + this.#reserved + this.#waiting.length + this.#suspects.length;
    const most = Math.max(batch, concurrency);
    const soon =
      this.#averageMs === undefined ? 0 : (concurrency * SOON_MS) / Math.max(this.#averageMs, 0.01);
    const ahead = Math.floor(Math.min(soon, most * AHEAD_FACTOR));
    return Math.min(most * READ_FACTOR, Math.max(most, ahead), concurrency + ahead - busy);
  }

  /** Not from within itself: a handler that returns at once frees its slot while this runs. */
  #pump(): void {
    // What arrives while closing goes back.
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    const waiting = this.#waiting;
    let next = 0;
    while (this.#running + this.#reserved < this.#settings.concurrency) {
      const suspect = this.#suspectRuns ? undefined : this.#suspects.shift();
      if (suspect) {
        this.#startAgain(suspect, true);
        continue;
      }
      const delivery = waiting[next++];
      if (!delivery) break;
      if (!delivery.lost) this.#begin(delivery);
    }
    waiting.splice(0, next);
    this.#pumping = false;
    if (waiting.length + this.#suspects.length > 0) this.#watch();
    this.offerCapacity();
  }

  #begin(delivery: Delivery): void {
    if (!this.#settings.prepare(delivery)) return;
    if (delivery.crashes === 0) {
      this.#running += 1;
      this.#settings.run(delivery);
    } else if (delivery.crashes > 1 || delivery.attempt >= delivery.maxAttempts) {
      this.#suspects.push(delivery);
    } else {
      this.#startAgain(delivery, false);
    }
  }

  /** Starts a job whose worker has died: its start is counted before its handler is called. */
  #startAgain(delivery: Delivery, suspect: boolean): void {
    this.#running += 1;
    if (suspect) this.#suspectRuns = true;
    this.#settings.countStart(delivery).then(
      (ours) => {
        if (ours && !delivery.lost && !this.#stopped) {
          delivery.suspect = suspect;
          this.#settings.run(delivery);
          return;
        }
        if (ours) this.#settings.giveUp(delivery);
        this.#freeSlot(suspect);
      },
      (error: unknown) => {
        // Its lease runs on: it stays held, and is tried again.
        this.#settings.onError(error);
        if (!delivery.lost) this.#waiting.push(delivery);
        setTimeout(() => {
          this.#freeSlot(suspect);
        }, AGAIN_MS);
      },
    );
  }

  #freeSlot(suspect: boolean): void {
    this.#running -= 1;
    if (suspect) this.#suspectRuns = false;
    const whenFree = this.#whenFree;
    this.#whenFree = undefined;
    whenFree?.();
    this.#pump();
    if (this.#running > 0) return;
    const waiting = this.#wantsIdle;
    this.#wantsIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** Looks after a while whether what waits now still does. */
  #watch(): void {
    if (this.#stuckTimer || this.#stopped) return;
    const [first] = this.#waiting;
    const [firstSuspect] = this.#suspects;
    this.#stuckTimer = new Timer(this.#stuckMs, () => {
      this.#stuckTimer = undefined;
      if (first && this.#waiting[0] === first) {
        this.#giveBack();
        this.#handOver(this.#waiting);
      }
      if (firstSuspect && this.#suspects[0] === firstSuspect) this.#handOver(this.#suspects);
      if (this.#waiting.length + this.#suspects.length > 0) this.#watch();
    });
  }

  /**
   * Handlers have become slow all at once, and what was fetched for their former pace would wait for them here while
   * other workers may be idle. Where there is no other worker it stays: giving it back would only change its order.
   */
  #giveBack(): void {
    this.#averageMs = Math.max(this.#averageMs ?? 0, STUCK_MS);
    const fresh = this.#waiting.filter(({ crashes, lost }) => crashes === 0 && !lost);
    if (fresh.length === 0) return;
    this.#waiting = this.#waiting.filter(({ crashes, lost }) => crashes > 0 && !lost);
    this.#offer(fresh, this.#settings.giveBack);
  }

  /** The same for jobs that were taken over, and cannot start here for now: they must start wherever they can. */
  #handOver(from: readonly Delivery[]): void {
    const left = from.filter(({ crashes, lost }) => crashes > 0 && !lost);
    if (left.length === 0) return;
    const isOther = (delivery: Delivery): boolean => !left.includes(delivery);
    this.#waiting = this.#waiting.filter(isOther);
    this.#suspects = this.#suspects.filter(isOther);
    this.#offer(left, this.#settings.handOver);
  }

  #offer(
    deliveries: readonly Delivery[],
    offer: (deliveries: readonly Delivery[]) => Promise<boolean>,
  ): void {
    // What was taken in part is not ours any more, or is being ended as cancelled.
    const takeBack = (): void => {
      this.take(deliveries.filter(({ isHeld, settling }) => isHeld && !settling));
    };
    offer(deliveries).then(
      (taken) => {
        this.#stuckMs = taken ? STUCK_MS : Math.min(2 * this.#stuckMs, STUCK_AGAIN_MS);
        if (taken) this.offerCapacity();
        else takeBack();
      },
      (error: unknown) => {
        this.#settings.onError(error);
        takeBack();
      },
    );
  }
}
