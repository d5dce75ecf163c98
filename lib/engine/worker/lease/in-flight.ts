import { compareStreamIds } from '../../../redis/replies.js';
import { JobCancelledError } from '../../base/errors.js';
import type { Delivery } from './delivery.js';
import {
  ABANDONED,
  CANCELLED,
  COMPLETED,
  DEAD_LETTERED,
  DROPPED,
  LOST,
  RELEASED,
  RELEASING,
  RETRIED,
  RUNNING,
  SETTLING,
  STATE_NAMES,
  isInFlight,
  isLegal,
} from './states.js';
import type { State } from './states.js';

/** What happens to jobs, for those who observe it. Each is called after the change, in the order of `observe`. */
export interface JobObserver {
  /** Jobs have arrived. @param reclaimed how many of them a worker that died has left, or a lost reply */
  fetched?(jobs: number, reclaimed: number): void;
  /** The lease of another worker ran out with the job, and the job has arrived here. */
  stalled?(delivery: Delivery): void;
  /** Before the handler is called. */
  started?(delivery: Delivery): void;
  /** The handler has settled, and its slot is free, whatever became of the job meanwhile. */
  ended?(delivery: Delivery, isOk: boolean): void;
  completed?(delivery: Delivery): void;
  retried?(delivery: Delivery): void;
  deadLettered?(delivery: Delivery): void;
  cancelled?(delivery: Delivery): void;
  dropped?(delivery: Delivery): void;
  lost?(delivery: Delivery): void;
  /** The job is not in flight any more, after any of the ends. */
  gone?(delivery: Delivery): void;
  /** The same, of a job that was cancelled while it was in flight. */
  cancelledGone?(delivery: Delivery): void;
  /** The job was cancelled, and is in flight still. */
  cancelRequested?(delivery: Delivery): void;
  /** So many old dead letters made room for those of these jobs. */
  dlqEvicted?(count: number): void;
}

type Observe = (delivery: Delivery) => void;

/**
 * The in-flight jobs of a worker and their states. A linked list, not a Map: at a hundred thousand jobs a second a Map's
 * discarded tables keep dead jobs alive from one collection to the next, and collecting them became a third of a worker's
 * time. Only rare paths look an entry up by its id.
 *
 * This class alone changes a state. A transition out of an end is refused without a word: the caller came too late, as a
 * handler does that returns after its lease was lost. Any other transition that states.ts does not know is a bug here. It
 * is reported, and the job is abandoned: Redis still has it pending for this worker, so the next heartbeat finds it and
 * it runs again. It may run twice then, but it is neither lost nor stuck, and nothing throws in the path of a commit.
 */
export class InFlight implements Iterable<Delivery> {
  readonly #queue: string;
  readonly #onError: (error: unknown) => void;
  #first: Delivery | undefined;
  #last: Delivery | undefined;
  #size = 0;
  /** The lowest entry id that was read since the last {@link snapshot}. */
  #firstRead: string | undefined;
  /** The entry ids that were reclaimed or recovered since then. */
  readonly #reclaimed = new Set<string>();
  /** By the state that a job enters. */
  readonly #entered: readonly Observe[][] = STATE_NAMES.map(() => []);
  readonly #stalled: Observe[] = [];
  readonly #gone: Observe[] = [];
  readonly #cancelledGone: Observe[] = [];
  readonly #cancelRequested: Observe[] = [];
  readonly #ended: ((delivery: Delivery, isOk: boolean) => void)[] = [];
  readonly #fetched: ((jobs: number, reclaimed: number) => void)[] = [];
  readonly #dlqEvicted: ((count: number) => void)[] = [];

  constructor(queue: string, onError: (error: unknown) => void) {
    this.#queue = queue;
    this.#onError = onError;
  }

  get size(): number {
    return this.#size;
  }

  observe(observer: JobObserver): void {
    const on = <F>(list: F[] | undefined, observe: F | undefined): void => {
      if (observe) list?.push(observe);
    };
    on(this.#entered[RUNNING], observer.started?.bind(observer));
    on(this.#entered[COMPLETED], observer.completed?.bind(observer));
    on(this.#entered[RETRIED], observer.retried?.bind(observer));
    on(this.#entered[DEAD_LETTERED], observer.deadLettered?.bind(observer));
    on(this.#entered[CANCELLED], observer.cancelled?.bind(observer));
    on(this.#entered[DROPPED], observer.dropped?.bind(observer));
    on(this.#entered[LOST], observer.lost?.bind(observer));
    on(this.#stalled, observer.stalled?.bind(observer));
    on(this.#gone, observer.gone?.bind(observer));
    on(this.#cancelledGone, observer.cancelledGone?.bind(observer));
    on(this.#cancelRequested, observer.cancelRequested?.bind(observer));
    on(this.#ended, observer.ended?.bind(observer));
    on(this.#fetched, observer.fetched?.bind(observer));
    on(this.#dlqEvicted, observer.dlqEvicted?.bind(observer));
  }

  /** Jobs that a read has brought. */
  addRead(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#link(delivery);
  }

  /** A job that was reclaimed from a dead worker, or recovered after a lost reply. */
  addReclaimed(delivery: Delivery): void {
    this.#reclaimed.add(delivery.entryId);
    this.#link(delivery);
    for (const observe of this.#fetched) observe(1, 1);
  }

  /** Notes what a read has brought, in the order of the entry ids, whether or not it is new here. */
  wasRead(deliveries: readonly Delivery[]): void {
    const first = deliveries[0]?.entryId;
    if (first === undefined) return;
    if (this.#firstRead === undefined || compareStreamIds(first, this.#firstRead) < 0)
      this.#firstRead = first;
    for (const observe of this.#fetched) observe(deliveries.length, 0);
  }

  /** False where the transition is refused: then the caller has nothing to do with the job any more. */
  move(delivery: Delivery, to: State): boolean {
    const from = delivery.state;
    if (!isLegal(from, to)) {
      if (isInFlight(from)) this.#abandon(delivery, to);
      return false;
    }
    delivery.state = to;
    if (!isInFlight(to)) this.#end(delivery, to);
    // The others have no observers.
    else if (to === RUNNING) this.#tell(this.#entered[RUNNING], delivery);
    return true;
  }

  /** From here on the job does not start, and its signal is aborted. Returns the reason. */
  cancel(delivery: Delivery): JobCancelledError {
    const { jobId, entryId } = delivery;
    const message = `Job ${jobId || entryId} of queue "${this.#queue}" was cancelled.`;
    const reason = (delivery.cancelled ??= new JobCancelledError(message));
    delivery.abort(reason);
    this.#tell(this.#cancelRequested, delivery);
    return reason;
  }

  /** The lease of another worker has run out with a job that was reclaimed. */
  stalled(delivery: Delivery): void {
    this.#tell(this.#stalled, delivery);
  }

  /** The handler has settled. */
  ended(delivery: Delivery, isOk: boolean): void {
    for (const observe of this.#ended) observe(delivery, isOk);
  }

  /** The dead letters of jobs that were in flight have pushed old ones out. */
  dlqEvicted(count: number): void {
    for (const observe of this.#dlqEvicted) observe(count);
  }

  /** Nobody waits any longer for the replies that would say what became of these jobs. */
  abandonUnanswered(): void {
    for (const delivery of this)
      if (delivery.state === SETTLING || delivery.state === RELEASING) this.move(delivery, ABANDONED);
  }

  find(entryId: string): Delivery | undefined {
    for (const delivery of this) if (delivery.entryId === entryId) return delivery;
    return undefined;
  }

  /** The ids of all in-flight jobs. */
  snapshot(): string[] {
    this.#firstRead = undefined;
    this.#reclaimed.clear();
    const ids: string[] = [];
    for (const { entryId } of this) ids.push(entryId);
    return ids;
  }

  /**
   * Whether a job may have arrived here after the last {@link snapshot}. It may have ended since, even when it is not
   * in flight now.
   */
  mayHaveArrived(entryId: string): boolean {
    const first = this.#firstRead;
    return (first !== undefined && compareStreamIds(entryId, first) >= 0) || this.#reclaimed.has(entryId);
  }

  *[Symbol.iterator](): Iterator<Delivery> {
    for (let delivery = this.#first; delivery;) {
      const following: Delivery | undefined = delivery.next;
      yield delivery;
      delivery = following;
    }
  }

  #end(delivery: Delivery, to: State): void {
    this.#unlink(delivery);
    this.#tell(this.#entered[to], delivery);
    this.#tell(this.#gone, delivery);
    if (delivery.cancelled) this.#tell(this.#cancelledGone, delivery);
  }

  /** An error of an observer must not cause a second commit of a batch, or stop a job from running. */
  #tell(observers: readonly Observe[] | undefined, delivery: Delivery): void {
    if (!observers) return;
    for (const observe of observers) {
      try {
        observe(delivery);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  #abandon(delivery: Delivery, to: State): void {
    const from = STATE_NAMES[delivery.state];
    delivery.state = ABANDONED;
    this.#end(delivery, ABANDONED);
    this.#onError(
      new Error(
        `Job ${delivery.jobId || delivery.entryId} of queue "${this.#queue}" cannot go from "${from}" to "${STATE_NAMES[to]}". This is a bug of nestjs-chasqui; please report it. The job stays in Redis and runs again.`,
      ),
    );
  }

  #link(delivery: Delivery): void {
    delivery.previous = this.#last;
    if (this.#last) this.#last.next = delivery;
    else this.#first = delivery;
    this.#last = delivery;
    this.#size += 1;
  }

  #unlink(delivery: Delivery): void {
    const { previous, next } = delivery;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    delivery.previous = undefined;
    delivery.next = undefined;
    this.#size -= 1;
  }
}

/** Whether this worker has ended the lease, so that the mark of a cancellation is of no more use. end-without-letter.lua deletes the mark itself. */
export function hasEndedLease({ state }: Delivery): boolean {
  return state === COMPLETED || state === RETRIED || state === DEAD_LETTERED || state === RELEASED;
}
