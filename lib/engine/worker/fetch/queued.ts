import { Timer } from '../../../redis/timer.js';
import type { Delivery } from '../lease/delivery.js';
import { QUEUED } from '../lease/states.js';
import type { Release } from '../settle/release.js';
import type { BATCH_OF_ONE, Gatherings } from './gatherings.js';

/** A job that waits longer than this was fetched too early. In ms. */
export const STUCK_MS = 250;
/** Longest time between two offers of waiting jobs while there is no other worker, in ms. */
const STUCK_AGAIN_MS = 1_000;

export interface QueuedObserver {
  /** Fetched jobs wait here for too long: the handlers have become slow. */
  stuck(): void;
  /** A job has waited here for {@link STUCK_MS}, although others start. */
  waitsLong(): void;
  /** Jobs that were offered are another worker's now. */
  offered(): void;
  /** Jobs that were offered stay here: there is no other worker. */
  takenBack(deliveries: readonly Delivery[]): void;
  onError(error: unknown): void;
}

/** The jobs that this worker has fetched and not started. Those that wait for too long are offered to other workers. */
export class Queued {
  readonly #release: Pick<Release, 'offer' | 'handOver'>;
  readonly #observer: QueuedObserver;
  /** Undefined where no job comes as part of a batch. */
  readonly #gatherings: Gatherings | undefined;
  #waiting: Delivery[] = [];
  /** How many of them {@link next} has returned since the last {@link trim}. */
  #taken = 0;
  /** Jobs whose workers have died more than once, or that have one attempt left after it: one of them at a time. */
  #quarantined: Delivery[] = [];
  #stopped = false;
  #stuckTimer: Timer | undefined;
  #stuckMs = STUCK_MS;

  constructor(
    release: Pick<Release, 'offer' | 'handOver'>,
    observer: QueuedObserver,
    gatherings: Gatherings | undefined,
  ) {
    this.#release = release;
    this.#observer = observer;
    this.#gatherings = gatherings;
  }

  get size(): number {
    return this.#single + (this.#gatherings?.size ?? 0);
  }

  /** How many handlers the jobs need that may start now. */
  get handlers(): number {
    return this.#single + (this.#gatherings?.handlers ?? 0);
  }

  get #single(): number {
    return this.#waiting.length + this.#quarantined.length;
  }

  /** How many of the jobs that wait were reclaimed, without the quarantined ones. */
  get reclaimed(): number {
    return this.#waiting.filter(({ crashes, state }) => crashes > 0 && state === QUEUED).length;
  }

  get hasQuarantined(): boolean {
    return this.#quarantined.length > 0;
  }

  /** What the handler gets for a job that comes alone; undefined for the job itself. The error: nothing, the job fails with it. */
  inputOf(delivery: Delivery): typeof BATCH_OF_ONE | Error | undefined {
    return this.#gatherings?.inputOf(delivery);
  }

  /** A job that a dead worker has left is late already: it goes first. */
  add(delivery: Delivery): void {
    if (this.#gatherings?.add(delivery)) return;
    if (delivery.crashes > 0) this.#waiting.unshift(delivery);
    else this.#waiting.push(delivery);
  }

  addLast(delivery: Delivery): void {
    if (!this.#gatherings?.add(delivery)) this.#waiting.push(delivery);
  }

  quarantine(delivery: Delivery): void {
    this.#quarantined.push(delivery);
  }

  nextQuarantined(): Delivery | undefined {
    return this.#quarantined.shift();
  }

  /** The jobs of a batch that may start, whatever their states are. */
  nextBatch(): Delivery[] | undefined {
    return this.#gatherings?.next();
  }

  /** The next job that waits and comes alone, whatever its state is. After the last call of a series, call {@link trim}. */
  next(): Delivery | undefined {
    return this.#waiting[this.#taken++];
  }

  /** What {@link next} has returned last still waits, as the first. */
  untake(): void {
    this.#taken -= 1;
  }

  trim(): void {
    this.#waiting.splice(0, this.#taken);
    this.#taken = 0;
  }

  remove(delivery: Delivery): void {
    this.#waiting = without(this.#waiting, delivery);
    this.#quarantined = without(this.#quarantined, delivery);
    this.#gatherings?.remove(delivery);
  }

  /** Takes all jobs out. */
  take(): Delivery[] {
    const queued = [...this.#waiting, ...this.#quarantined, ...(this.#gatherings?.take() ?? [])];
    this.#waiting = [];
    this.#quarantined = [];
    return queued;
  }

  /** Looks after a while whether what waits now still does. */
  watch(): void {
    if (this.#stuckTimer || this.#stopped || this.size === 0) return;
    const [first] = this.#waiting;
    const [firstQuarantined] = this.#quarantined;
    const firstOfBatch = this.#gatherings?.firstReady;
    const last = this.#waiting.at(-1);
    this.#stuckTimer = new Timer(this.#stuckMs, () => {
      this.#stuckTimer = undefined;
      if (last && this.#waiting.includes(last)) this.#observer.waitsLong();
      if (first && this.#waiting[0] === first) {
        this.#offerFetched();
        this.#offerReclaimed(this.#waiting);
      }
      if (firstQuarantined && this.#quarantined[0] === firstQuarantined)
        this.#offerReclaimed(this.#quarantined);
      if (firstOfBatch && this.#gatherings?.firstReady === firstOfBatch) this.#offerBatches(this.#gatherings);
      this.watch();
    });
  }

  /** Offers nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#stuckTimer?.clear();
  }

  /**
   * Offers fetched jobs to other workers, because the handlers have become slow and the jobs would wait here. If there is no
   * other worker, the jobs stay: a release would only change their order.
   */
  #offerFetched(): void {
    this.#observer.stuck();
    const fetched = this.#waiting.filter(({ crashes, state }) => crashes === 0 && state === QUEUED);
    if (fetched.length === 0) return;
    this.#waiting = this.#waiting.filter(({ crashes, state }) => crashes > 0 && state === QUEUED);
    this.#offer(fetched, this.#release.offer(fetched));
  }

  /** The same for batches that could start. Jobs that wait for the least size of a batch stay. */
  #offerBatches(gatherings: Gatherings): void {
    this.#observer.stuck();
    const fetched = gatherings.takeReady().filter(({ state }) => state === QUEUED);
    if (fetched.length > 0) this.#offer(fetched, this.#release.offer(fetched));
  }

  /** Offers reclaimed jobs that cannot start here to other workers. */
  #offerReclaimed(from: readonly Delivery[]): void {
    const reclaimed = from.filter(({ crashes, state }) => crashes > 0 && state === QUEUED);
    if (reclaimed.length === 0) return;
    const isOther = (delivery: Delivery): boolean => !reclaimed.includes(delivery);
    this.#waiting = this.#waiting.filter(isOther);
    this.#quarantined = this.#quarantined.filter(isOther);
    this.#offer(reclaimed, this.#release.handOver(reclaimed));
  }

  #offer(deliveries: readonly Delivery[], offered: Promise<boolean>): void {
    // Those that were released in part are gone, and those that were cancelled are being settled.
    const takeBack = (): void => {
      this.#observer.takenBack(deliveries.filter(({ state }) => state === QUEUED));
    };
    offered.then(
      (isTaken) => {
        this.#stuckMs = isTaken ? STUCK_MS : Math.min(2 * this.#stuckMs, STUCK_AGAIN_MS);
        if (isTaken) this.#observer.offered();
        else takeBack();
      },
      (error: unknown) => {
        this.#observer.onError(error);
        takeBack();
      },
    );
  }
}

function without(deliveries: Delivery[], delivery: Delivery): Delivery[] {
  const at = deliveries.indexOf(delivery);
  return at < 0 ? deliveries : deliveries.toSpliced(at, 1);
}
