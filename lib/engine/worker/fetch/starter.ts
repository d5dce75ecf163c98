import type { Delivery } from '../lease/delivery.js';
import type { InFlight } from '../lease/in-flight.js';
import { LOST, QUEUED, STARTING } from '../lease/states.js';
import { runBatch } from '../run/run-batch.js';
import type { Runner } from '../run/runner.js';
import type { Release } from '../settle/release.js';
import type { Gate } from './gate.js';
import { BATCH_OF_ONE } from './gatherings.js';
import type { Queued } from './queued.js';

export interface StarterSettings {
  /** Monotonic, in ms. */
  now: () => number;
  /** Counts a start in Redis; false if the lease is no longer this worker's. */
  countStart: (delivery: Delivery) => Promise<boolean>;
  onError: (error: unknown) => void;
}

/** The handlers of a worker, of which a start takes one. */
export interface Handlers {
  /** Nothing starts any more. */
  readonly isStopped: boolean;
  /** A handler is taken. */
  occupy(): void;
  /** It has been called. @param startedAt monotonic ms */
  called(startedAt: number): void;
  /** It is free. @param delivery a job that it had, or was to have */
  free(delivery: Delivery): void;
}

/** After a start could not be counted, until the next try. */
const AGAIN_MS = 250;

/** Starts jobs, and batches of jobs, for which a handler is free. */
export class Starter {
  readonly #settings: StarterSettings;
  readonly #inFlight: InFlight;
  readonly #runner: Runner;
  readonly #release: Release;
  readonly #gate: Gate;
  readonly #queued: Queued;
  readonly #handlers: Handlers;

  constructor(
    settings: StarterSettings,
    inFlight: InFlight,
    runner: Runner,
    release: Release,
    gate: Gate,
    queued: Queued,
    handlers: Handlers,
  ) {
    this.#settings = settings;
    this.#inFlight = inFlight;
    this.#runner = runner;
    this.#release = release;
    this.#gate = gate;
    this.#queued = queued;
    this.#handlers = handlers;
  }

  begin(delivery: Delivery): void {
    const prepared = this.#runner.prepare(delivery);
    if (prepared === false) return;
    if (prepared !== true) {
      this.#startAloneAfter(delivery, prepared);
    } else if (delivery.crashes === 0) {
      const now = this.#settings.now();
      // Else a handler that was called since the gate was asked has blocked the event loop for long.
      if (this.#gate.isOpen(now)) {
        this.#handlers.occupy();
        this.#run(delivery, now);
      } else this.#queued.untake();
    } else if (delivery.crashes > 1 || delivery.attempt >= delivery.maxAttempts) {
      this.#queued.quarantine(delivery);
    } else {
      this.startAgain(delivery);
    }
  }

  /** Starts a batch with those of its jobs that can run. */
  beginBatch(deliveries: readonly Delivery[]): void {
    const ready: Delivery[] = [];
    const answers: (boolean | Promise<boolean>)[] = [];
    let isAsked = false;
    for (const delivery of deliveries) {
      // Else its lease was lost meanwhile.
      const prepared = delivery.state === QUEUED && this.#runner.prepare(delivery);
      if (prepared === false) continue;
      ready.push(delivery);
      answers.push(prepared);
      isAsked ||= prepared !== true;
    }
    if (ready.length === 0) return;
    if (isAsked) {
      this.#startAfter(ready, Promise.all(answers.map((answer) => Promise.resolve(answer))), true);
      return;
    }
    const now = this.#settings.now();
    if (this.#gate.isOpen(now)) {
      this.#handlers.occupy();
      this.#runBatch(ready, now);
    } else for (const delivery of ready) this.#queued.add(delivery);
  }

  /** Starts a job whose worker has died: its start is counted before its handler is called. */
  startAgain(delivery: Delivery): void {
    this.#startAloneAfter(delivery, this.#settings.countStart(delivery));
  }

  #run(delivery: Delivery, now: number): void {
    const input = this.#queued.inputOf(delivery);
    if (input === undefined) this.#runner.run(delivery, now);
    else if (input === BATCH_OF_ONE) runBatch(this.#runner, [delivery], now);
    else this.#runner.refuse(delivery, input, now);
    this.#handlers.called(now);
  }

  #runBatch(deliveries: readonly Delivery[], now: number): void {
    runBatch(this.#runner, deliveries, now);
    this.#handlers.called(now);
  }

  #startAloneAfter(delivery: Delivery, answer: Promise<boolean>): void {
    this.#startAfter(
      [delivery],
      answer.then((mayStart) => [mayStart]),
      false,
    );
  }

  /** Calls the handler with those jobs that may start, as Redis answers for each. They have the handler meanwhile. */
  #startAfter(deliveries: readonly Delivery[], answers: Promise<readonly boolean[]>, isBatch: boolean): void {
    const free = (): void => {
      this.#handlers.free(deliveries[0] as Delivery);
    };
    this.#handlers.occupy();
    for (const delivery of deliveries) this.#inFlight.move(delivery, STARTING);
    answers.then(
      (mayStart) => {
        const now = this.#settings.now();
        const ready = deliveries.filter((job, index) => this.#mayStart(job, mayStart[index] === true, now));
        const [first] = ready;
        if (!first) free();
        else if (isBatch) this.#runBatch(ready, now);
        else this.#run(first, now);
      },
      (error: unknown) => {
        // Their leases run on: they stay in flight, and are tried again once the slot is free.
        this.#settings.onError(error);
        for (const delivery of deliveries) {
          if (delivery.state === STARTING && this.#inFlight.move(delivery, QUEUED))
            this.#queued.addLast(delivery);
        }
        setTimeout(free, AGAIN_MS);
      },
    );
  }

  /** @param isAllowed by Redis */
  #mayStart(delivery: Delivery, isAllowed: boolean, now: number): boolean {
    // Else it has ended meanwhile.
    if (delivery.state !== STARTING) return false;
    if (!isAllowed) this.#inFlight.move(delivery, LOST);
    else if (this.#handlers.isStopped) this.#release.release([delivery]).catch(this.#settings.onError);
    // Meanwhile: it is found to be cancelled.
    else if (delivery.cancelled) void this.#runner.prepare(delivery);
    else if (this.#gate.isOpen(now)) return true;
    else if (this.#inFlight.move(delivery, QUEUED)) this.#queued.add(delivery);
    return false;
  }
}
