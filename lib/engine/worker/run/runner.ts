import { types } from 'node:util';
import { EncodeError } from '../../base/errors.js';
import type { Job, JobOwner } from '../../job/job.js';
import { inOwnContext } from '../../base/own-context.js';
import { encodeResult } from '../../codec/payload.js';
import { printable } from '../../base/printable.js';
import { isUnrecoverable, writeProperty } from '../../base/safe-access.js';
import type { Delivery } from '../lease/delivery.js';
import type { InFlight } from '../lease/in-flight.js';
import { CONCLUDING, RUNNING, isUndecided } from '../lease/states.js';
import type { Settlement } from '../settle/settlement.js';
import { decode } from './decode.js';
import { outcomeOfExhaustion, outcomeOfFailure } from './outcome.js';
import { Refusals } from './refusals.js';
import { RetryDelay } from './retry-delay.js';
import { errorIn } from './returned.js';
import type { WorkerSettings } from '../settings.js';

export type Handler = (job: Job) => unknown;

/** Runs one job: decode → budget → handler → outcome. */
export class Runner {
  readonly #settings: WorkerSettings;
  /** The user's handler. If it returns a thenable, this returns a native promise. */
  readonly #handler: Handler;
  readonly #owner: JobOwner;
  readonly #inFlight: InFlight;
  readonly #settlement: Settlement;
  readonly #onError: (error: unknown) => void;
  readonly #retryDelay: RetryDelay;
  readonly #refusals: Refusals;

  constructor(
    settings: WorkerSettings,
    handler: Handler,
    owner: JobOwner,
    inFlight: InFlight,
    settlement: Settlement,
    onError: (error: unknown) => void,
  ) {
    this.#settings = settings;
    this.#handler = (job) => settled(handler(job));
    this.#owner = owner;
    this.#inFlight = inFlight;
    this.#settlement = settlement;
    this.#onError = onError;
    this.#retryDelay = new RetryDelay(settings, onError);
    this.#refusals = new Refusals(settings.clock, onError);
  }

  /** Decodes the entry, and checks its budget. False where the job cannot run: then it is being settled. */
  prepare(delivery: Delivery): boolean {
    const { maxPayloadBytes, maxAttempts } = this.#settings;
    const unreadable = decode(delivery, this.#owner, maxPayloadBytes);
    if (unreadable) {
      const { reason, detail } = unreadable;
      this.#settlement.settle(delivery, { kind: 'dead-letter', reason, detail, error: new Error(detail) });
      return false;
    }
    delivery.maxAttempts = delivery.retry?.maxAttempts ?? maxAttempts;
    if (delivery.cancelled) {
      this.#settlement.settle(delivery, { kind: 'cancelled', error: delivery.cancelled });
      return false;
    }
    if (delivery.attempt > delivery.maxAttempts) {
      const { crashes, used } = delivery;
      this.#settlement.settle(delivery, outcomeOfExhaustion(crashes, used, delivery.maxAttempts));
      return false;
    }
    if (!this.#accepts(delivery)) {
      this.#settlement.settle(delivery, { kind: 'postponed', delayMs: this.#refusals.delayOf(delivery) });
      return false;
    }
    return true;
  }

  #accepts({ name }: Delivery): boolean {
    const { accepts } = this.#settings;
    if (!accepts) return true;
    try {
      return accepts(name);
    } catch (error) {
      // The handler meets the same fault, and reports it.
      this.#onError(error);
      return true;
    }
  }

  /** Calls the handler, and settles the job by what comes of it. Never throws. */
  run(delivery: Delivery): void {
    const job = delivery.job as Job;
    const { clock } = this.#settings;
    delivery.ran = true;
    delivery.startedAt = clock.monotonic();
    job.processedOn = clock.now();
    this.#inFlight.move(delivery, RUNNING);
    let returned: unknown;
    try {
      returned = inOwnContext(this.#handler, job);
      if (typeof returned === 'object' && types.isPromise(returned)) {
        // Outside of the handler's context: what follows starts other jobs.
        returned.then(
          (value) => {
            this.#succeed(delivery, job, value);
          },
          (error: unknown) => {
            this.#fail(delivery, job, error);
          },
        );
        return;
      }
    } catch (error) {
      this.#fail(delivery, job, error);
      return;
    }
    this.#succeed(delivery, job, returned);
  }

  #succeed(delivery: Delivery, job: Job, value: unknown): void {
    const error = errorIn(value);
    if (error) {
      this.#fail(delivery, job, error);
      return;
    }
    this.#measure(delivery, job);
    writeProperty(job, 'returnvalue', value);
    if (value !== undefined && (this.#settings.storeResults || delivery.isTracked))
      this.#keepResult(delivery, value);
    // Else the lease was lost meanwhile, or the worker releases the job: what the handler did does not count.
    if (delivery.state === RUNNING) this.#settlement.complete(delivery);
    this.#inFlight.ended(delivery, true);
  }

  #keepResult(delivery: Delivery, value: unknown): void {
    try {
      const { stored, inEvent } = encodeResult(value, this.#settings.eventsCap > 0 ? MAX_EVENT_BYTES : 0);
      delivery.result = stored;
      delivery.resultJson = inEvent;
    } catch (error) {
      // The work is done; running it again would not make its result storable.
      const { jobId, name } = delivery;
      const message = `The result of job ${printable(jobId)} ("${printable(name)}") cannot be stored; the job counts as completed.`;
      this.#onError(new EncodeError(message, { cause: error }));
    }
  }

  #fail(delivery: Delivery, job: Job, error: unknown): void {
    this.#measure(delivery, job);
    if (delivery.state !== RUNNING) {
      this.#inFlight.ended(delivery, false);
      return;
    }
    const { attempt, maxAttempts, cancelled } = delivery;
    // The backoff strategy may be asynchronous, so it is asked before the outcome is decided, and only if there is a next attempt.
    const isFinal = cancelled !== undefined || attempt >= maxAttempts || isUnrecoverable(error);
    const ms = isFinal ? 0 : this.#retryDelay.of(delivery, error);
    if (typeof ms === 'number') {
      this.#conclude(delivery, error, ms);
      return;
    }
    this.#inFlight.move(delivery, CONCLUDING);
    void ms.then((answer) => {
      this.#conclude(delivery, error, answer);
    });
  }

  #conclude(delivery: Delivery, error: unknown, backoffMs: number): void {
    if (isUndecided(delivery.state)) {
      const { attempt, maxAttempts, cancelled } = delivery;
      const run = { error, attempt, maxAttempts, cancelled, backoffMs: () => backoffMs };
      this.#settlement.settle(delivery, outcomeOfFailure(run));
    }
    this.#inFlight.ended(delivery, false);
  }

  #measure(delivery: Delivery, job: Job): void {
    const { clock } = this.#settings;
    delivery.durationUs = Math.round((clock.monotonic() - delivery.startedAt) * 1000);
    writeProperty(job, 'finishedOn', clock.now());
  }
}

/** Larger values are read from the result key, not carried by the event. */
const MAX_EVENT_BYTES = 4_096;

// eslint-disable-next-line @typescript-eslint/unbound-method -- it is only compared
const nativeThen: unknown = Promise.prototype.then;

/**
 * What a handler returned, or a promise of it. A foreign thenable may throw, call back at once, or call back
 * twice; a promise of ours that adopts it does none of these. Throws where the value cannot be asked.
 */
function settled(returned: unknown): unknown {
  if ((typeof returned !== 'object' && typeof returned !== 'function') || returned === null) return returned;
  const { then } = returned as { then?: unknown };
  if (typeof then !== 'function' || (then === nativeThen && types.isPromise(returned))) return returned;
  return new Promise((resolve) => {
    resolve(returned);
  });
}
