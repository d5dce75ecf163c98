import type { Delivery } from '../lease/delivery.js';
import type { InFlight, JobObserver } from '../lease/in-flight.js';
import type { Capacity, Room } from '../lease/leases.js';
import { QUEUED } from '../lease/states.js';
import type { Runner } from '../run/runner.js';
import type { Release } from '../settle/release.js';
import type { GateNews } from '../../../redis/scripts/take.js';
import type { BatchingOptions } from '../../config/options.js';
import type { Gate } from './gate.js';
import { Gatherings } from './gatherings.js';
import { Pace } from './pace.js';
import { Queued, STUCK_MS } from './queued.js';
import type { QueuedObserver } from './queued.js';
import { Starter } from './starter.js';
import type { Handlers } from './starter.js';

export interface AdmissionSettings extends BatchingOptions {
  /** Handlers running at once, to begin with. A handler that has got a batch counts as one. */
  concurrency: number;
  /** Most jobs of one call that settles jobs. */
  ackBatch: number;
  /** Most entries fetched at once while nothing is known of the handlers' pace. */
  batch: number;
  /** Jobs that have ended and are not committed. */
  unsettled: () => number;
  /** Monotonic, in ms. */
  now: () => number;
  /** Counts a start in Redis; false if the lease is no longer this worker's. */
  countStart: (delivery: Delivery) => Promise<boolean>;
  onError: (error: unknown) => void;
}

/** Ended jobs that may wait for their commit before reading pauses, in batches. */
const UNSETTLED_FACTOR = 4;

/**
 * Decides what may start, and how much may be fetched. Keeps the queued jobs: as few as keep the handlers busy.
 */
export class Admission implements Capacity, JobObserver, QueuedObserver, Handlers {
  readonly #settings: AdmissionSettings;
  readonly #inFlight: InFlight;
  readonly #runner: Runner;
  readonly #release: Release;
  readonly #gate: Gate;
  readonly #pace: Pace;
  readonly #queued: Queued;
  /** Undefined where no job comes as part of a batch. */
  readonly #gatherings: Gatherings | undefined;
  readonly #starter: Starter;
  #concurrency: number;
  /** The quarantined job that starts or runs. */
  #quarantineRun: Delivery | undefined;
  #running = 0;
  /** When the last free handler started; undefined while a handler is free. */
  #fullSince: number | undefined;
  /** Handlers that are free and wait for jobs that are being reclaimed. */
  #reserved = 0;
  #whenFree: (() => void) | undefined;
  /** The queue is gated, and its limits are so far away that more jobs may wait here. */
  #letsWait = false;
  /** Jobs may wait here that were fetched because of that. */
  #hasAhead = false;
  #pumping = false;
  #accepting = false;
  #offering = false;
  #stopped = false;
  #wantsCapacity: ((count: number) => void) | undefined;
  #wantsIdle: (() => void)[] = [];
  /** Resolves when the jobs are back that had not started when the worker was paused. */
  #released: Promise<unknown> = Promise.resolve();

  constructor(settings: AdmissionSettings, inFlight: InFlight, runner: Runner, release: Release, gate: Gate) {
    this.#settings = settings;
    this.#inFlight = inFlight;
    this.#runner = runner;
    this.#release = release;
    this.#gate = gate;
    this.#concurrency = settings.concurrency;
    this.#pace = new Pace(settings.batch);
    if (settings.batches || settings.batchesOf)
      this.#gatherings = new Gatherings({ ...settings, due: this.#due });
    this.#queued = new Queued(release, this, this.#gatherings);
    this.#starter = new Starter(settings, inFlight, runner, release, gate, this.#queued, this);
    inFlight.observe(this);
  }

  /** Handlers running at once. Fewer than run now: those end, and no other starts until then. */
  get concurrency(): number {
    return this.#concurrency;
  }

  set concurrency(concurrency: number) {
    this.#concurrency = concurrency;
    this.#fullSince = this.#running < concurrency ? undefined : (this.#fullSince ?? this.#settings.now());
    this.#startMore();
  }

  /** Handlers running now, and starts being counted. */
  get running(): number {
    return this.#running;
  }

  /** For how long all handlers have been busy with the same jobs, in ms; 0 if one is free. */
  get fullMs(): number {
    return this.#fullSince === undefined ? 0 : this.#settings.now() - this.#fullSince;
  }

  /** Resolves with how many entries may be fetched, as soon as there is room for one; with 0 after `stop`. */
  capacity(): Promise<number> {
    if (this.#stopped) return Promise.resolve(0);
    const room = this.#room();
    if (room > 0) return Promise.resolve(room);
    return new Promise((resolve) => {
      this.#wantsCapacity = resolve;
    });
  }

  /**
   * Keeps handlers that are free, up to `most`, for entries to be reclaimed, until {@link unreserve}. No more is reclaimed
   * than can start: what waits here might start elsewhere. If no handler is free, `whenFree` is called as soon as one is,
   * before a waiting job of this worker gets the handler. Otherwise the jobs of a dead worker would wait behind the whole
   * backlog.
   */
  reserve(most: number, whenFree: () => void): Room {
    if (this.#stopped) return { jobs: 0, quarantined: 0 };
    if (!this.#gate.isOpen(this.#settings.now())) {
      this.#whenFree = whenFree;
      return { jobs: 0, quarantined: 0 };
    }
    const quarantined = this.#quarantineRun || this.#queued.hasQuarantined ? 0 : 1;
    const free = this.#concurrency - this.#running - this.#reserved - this.#queued.reclaimed;
    const jobs = Math.max(0, Math.min(most, free));
    if (jobs === 0) this.#whenFree = whenFree;
    this.#reserved += jobs;
    return { jobs, quarantined };
  }

  unreserve({ jobs }: Room): void {
    this.#reserved -= jobs;
    this.#pump();
  }

  /** Queues jobs, and starts what can start. */
  accept(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      if (delivery.state !== QUEUED && !this.#inFlight.move(delivery, QUEUED)) continue;
      this.#queued.add(delivery);
    }
    if (this.#accepting) return;
    this.#accepting = true;
    process.nextTick(() => {
      this.#accepting = false;
      this.#pump();
    });
  }

  /** A handler has returned. */
  ended(delivery: Delivery): void {
    const batch = delivery.control?.batch;
    if (batch && --batch.open > 0) return;
    const ms = delivery.durationUs / 1000;
    this.#pace.took(ms);
    this.free(delivery, delivery.startedAt + ms);
  }

  /** The state of the gate has changed. */
  gateChanged(): void {
    this.#startMore();
  }

  /** Resolves when the jobs that had not started when the worker was paused are back in Redis. */
  async queuedReleased(): Promise<void> {
    await this.#released;
  }

  gone(): void {
    this.#offerCapacity();
  }

  /** A job that has not started needs no handler to end. */
  cancelRequested(delivery: Delivery): void {
    if (delivery.state !== QUEUED) return;
    this.#queued.remove(delivery);
    // It is decoded for its id, and found to be cancelled.
    void this.#runner.prepare(delivery);
  }

  stuck(): void {
    this.#pace.isSlow(STUCK_MS);
  }

  waitsLong(): void {
    if (!this.#hasAhead) return;
    this.#pace.isSlow(STUCK_MS);
    // Redis does not remember for long that they have yet to start.
    this.waiting('back');
  }

  offered(): void {
    this.#offerCapacity();
  }

  takenBack(deliveries: readonly Delivery[]): void {
    this.accept(deliveries);
  }

  onError(error: unknown): void {
    this.#settings.onError(error);
  }

  /** Tells a reader that waits. At the end of the tick: handlers that end together make room for one larger read. */
  #offerCapacity(): void {
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
    this.#queued.stop();
    this.#offerCapacity();
  }

  /** Takes out all jobs that have not started. */
  takeQueued(): Delivery[] {
    return this.#queued.take();
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wantsIdle.push(resolve);
    });
  }

  /** Handlers that run, that are kept free, and that the jobs need which wait here. */
  get #busy(): number {
    return this.#running + this.#reserved + this.#queued.handlers;
  }

  /** Of a gated queue: how many jobs can start now, and how many more may wait here if its limits let them. */
  get startable(): { now: number; more: number } {
    const busy = this.#busy;
    // Whole jobs: where some come as batches, how many a handler takes is an average.
    const now = Math.max(0, Math.floor((this.#concurrency - busy) * (this.#gatherings?.perHandler ?? 1)));
    const most = this.#gatherings ? now : this.#pace.room(this.#concurrency, busy);
    return { now, more: Math.max(0, most - now) };
  }

  /** How many entries may be fetched now. */
  #room(): number {
    // What is known of the policy may be out of date: then a read could bring what must not start.
    if (!this.#gate.isOpen(this.#settings.now())) return 0;
    const { ackBatch, unsettled } = this.#settings;
    if (unsettled() > Math.max(this.#concurrency, ackBatch) * UNSETTLED_FACTOR) return 0;
    if (this.#gate.isGated) {
      const { now, more } = this.startable;
      return now > 0 || this.#letsWait ? now + more : 0;
    }
    const busy = this.#busy;
    if (!this.#gatherings) return this.#pace.room(this.#concurrency, busy);
    const { perHandler, largest } = this.#gatherings;
    return this.#pace.room(this.#concurrency, busy, perHandler, largest);
  }

  /**
   * Not from within itself: a handler that returns at once frees its slot while this runs.
   * @param now monotonic ms
   */
  #pump(now = this.#settings.now()): void {
    // What arrives while closing goes back.
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    while (this.#running + this.#reserved < this.#concurrency && this.#gate.isOpen(now)) {
      const quarantined = this.#quarantineRun ? undefined : this.#queued.nextQuarantined();
      if (quarantined) {
        this.#quarantineRun = quarantined;
        this.#starter.startAgain(quarantined);
        continue;
      }
      const batch = this.#queued.nextBatch();
      if (batch) {
        this.#starter.beginBatch(batch);
        now = Math.max(now, (batch[0] as Delivery).startedAt);
        continue;
      }
      const delivery = this.#queued.next();
      if (!delivery) break;
      // Else its lease was lost meanwhile.
      if (delivery.state === QUEUED) this.#starter.begin(delivery);
      // A handler may have blocked the event loop.
      if (delivery.startedAt > now) now = delivery.startedAt;
    }
    this.#queued.trim();
    this.#pumping = false;
    if (this.#gate.state === 'paused') this.#releaseQueued();
    this.#queued.watch();
    this.#offerCapacity();
  }

  /** The queue has a limit now: what was fetched ahead would exceed it. */
  returnQueued(): void {
    this.#releaseQueued();
  }

  /** Whether jobs of a gated queue may wait here. Else they go back: they would exceed a limit, or start before a better one. */
  waiting(waiting: GateNews['waiting'], areAll = false): void {
    // Where fewer came than were asked for, the next call comes when one can start.
    this.#letsWait = waiting === 'more' && areAll;
    if (waiting === 'more') this.#hasAhead = true;
    if (waiting !== 'back' || !this.#hasAhead) return;
    this.#hasAhead = false;
    this.#releaseQueued();
  }

  /** What has not started goes back, with no attempt used. */
  #releaseQueued(): void {
    if (this.#queued.size === 0) return;
    const released = this.#release.release(this.#queued.take()).catch(this.#settings.onError);
    this.#released = Promise.all([this.#released, released]);
  }

  /** More can start than before. */
  #startMore(): void {
    if (this.#gate.state === 'open') this.#tellFree();
    this.#pump();
  }

  #tellFree(): void {
    const whenFree = this.#whenFree;
    this.#whenFree = undefined;
    whenFree?.();
  }

  readonly #due = (): void => {
    this.#pump();
  };

  get isStopped(): boolean {
    return this.#stopped;
  }

  occupy(): void {
    this.#running += 1;
  }

  called(startedAt: number): void {
    if (this.#running === this.#concurrency) this.#fullSince = startedAt;
  }

  free(delivery: Delivery, now = this.#settings.now()): void {
    this.#running -= 1;
    if (this.#running < this.#concurrency) this.#fullSince = undefined;
    if (this.#quarantineRun === delivery) this.#quarantineRun = undefined;
    this.#tellFree();
    this.#pump(now);
    if (this.#running > 0) return;
    const waiting = this.#wantsIdle;
    this.#wantsIdle = [];
    for (const resolve of waiting) resolve();
  }
}
