import { types } from 'node:util';
import { Timer } from '../../../redis/timer.js';
import { EncodeError, JobTimeoutError } from '../../base/errors.js';
import { EXTRAS } from '../../codec/extras.js';
import type { Job, JobOwner } from '../../job/job.js';
import { inOwnContext } from '../../base/own-context.js';
import { encodeResult } from '../../codec/payload.js';
import { printable } from '../../base/printable.js';
import { toError } from '../../base/thrown.js';
import { isRateLimitError, isUnrecoverable, writeProperty } from '../../base/safe-access.js';
import type { Delivery } from '../lease/delivery.js';
import type { InFlight } from '../lease/in-flight.js';
import { controlOf } from '../lease/run-control.js';
import type { RunControl } from '../lease/run-control.js';
import { CONCLUDING, RUNNING, STARTING, isUndecided } from '../lease/states.js';
import { limitsOfJob } from '../job-limits.js';
import { readySince } from '../settle/ready-since.js';
import type { Settlement } from '../settle/settlement.js';
import { decode } from './decode.js';
import { outcomeOfExhaustion, outcomeOfExpiry, outcomeOfFailure } from './outcome.js';
import { Refusals } from './refusals.js';
import { RetryDelay } from './retry-delay.js';
import { errorIn } from './returned.js';
import type { RedisClock } from './redis-clock.js';
import type { JobLimits, WorkerSettings } from '../settings.js';

/** Gets a job; or jobs, where they come as batches. */
export type Handler = (input: Job | Job[]) => unknown;

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
  readonly #redisClock: RedisClock;

  constructor(
    settings: WorkerSettings,
    handler: Handler,
    owner: JobOwner,
    inFlight: InFlight,
    settlement: Settlement,
    redisClock: RedisClock,
    onError: (error: unknown) => void,
  ) {
    this.#redisClock = redisClock;
    this.#settings = settings;
    this.#handler = (input) => settled(handler(input));
    this.#owner = owner;
    this.#inFlight = inFlight;
    this.#settlement = settlement;
    this.#onError = onError;
    this.#retryDelay = new RetryDelay(settings, onError);
    this.#refusals = new Refusals(settings.clock, onError);
  }

  /**
   * Decodes the entry, and checks its budget and its time to live. False where the job cannot run: then it is being settled.
   * A promise where Redis's clock must be asked; the job must be `starting` by then.
   */
  prepare(delivery: Delivery): boolean | Promise<boolean> {
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
    const limits = limitsOfJob(this.#settings, delivery.name, delivery.job?.[EXTRAS], this.#onError);
    if (limits.timeoutMs !== Infinity) controlOf(delivery).timeoutMs = limits.timeoutMs;
    const ready = limits.ttlMs === Infinity ? undefined : readySince(delivery);
    if (ready === undefined) return this.#accepts(delivery);
    const now = this.#redisClock.now();
    if (now !== undefined) return this.#isInTime(delivery, limits, now - ready) && this.#accepts(delivery);
    return this.#redisClock.ask().then(
      (asked) =>
        delivery.state === STARTING &&
        // What becomes of it then is for admission to see.
        (delivery.cancelled !== undefined ||
          (this.#isInTime(delivery, limits, asked - ready) && this.#accepts(delivery))),
    );
  }

  #isInTime(delivery: Delivery, limits: JobLimits, waitedMs: number): boolean {
    if (waitedMs <= limits.ttlMs) return true;
    this.#settlement.settle(delivery, outcomeOfExpiry(waitedMs, limits));
    return false;
  }

  #accepts(delivery: Delivery): boolean {
    if (this.#mayHandle(delivery)) return true;
    this.#settlement.settle(delivery, { kind: 'postponed', delayMs: this.#refusals.delayOf(delivery) });
    return false;
  }

  #mayHandle({ name }: Delivery): boolean {
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

  /** Calls the handler, and settles the job by what comes of it. Never throws. @param now monotonic ms */
  run(delivery: Delivery, now: number): void {
    const job = this.begin(delivery, now);
    let returned: unknown;
    try {
      returned = this.call(job);
      if (typeof returned === 'object' && types.isPromise(returned)) {
        // Outside of the handler's context: what follows starts other jobs.
        returned.then(
          (value) => {
            this.succeed(delivery, job, value);
          },
          (error: unknown) => {
            this.fail(delivery, job, error);
          },
        );
        return;
      }
    } catch (error) {
      this.fail(delivery, job, error);
      return;
    }
    this.succeed(delivery, job, returned);
  }

  /** Fails the attempt without a call of the handler. */
  refuse(delivery: Delivery, error: Error, now: number): void {
    this.fail(delivery, this.begin(delivery, now), error);
  }

  /** What comes before the call of the handler. @param now monotonic ms */
  begin(delivery: Delivery, now: number): Job {
    const job = delivery.job as Job;
    delivery.ran = true;
    delivery.startedAt = now;
    job.processedOn = this.#settings.clock.now();
    this.#inFlight.move(delivery, RUNNING);
    if (delivery.control) this.#limit(delivery, job, delivery.control);
    return job;
  }

  call(input: Job | Job[]): unknown {
    return inOwnContext(this.#handler, input);
  }

  /** Ends the run by its time limit. The handler may go on, but its slot is free. */
  #limit(delivery: Delivery, job: Job, control: RunControl): void {
    const { timeoutMs } = control;
    if (timeoutMs === Infinity) return;
    const left = delivery.startedAt + timeoutMs - this.#settings.clock.monotonic();
    // A timer may fire a little early.
    control.timer = new Timer(Math.max(1, Math.ceil(left)), () => {
      if (this.#isLate(delivery, timeoutMs)) this.#timeOut(delivery, job, control);
      else this.#limit(delivery, job, control);
    }).unref();
  }

  #isLate({ startedAt }: Delivery, timeoutMs: number): boolean {
    return this.#settings.clock.monotonic() - startedAt >= timeoutMs;
  }

  #timeOut(delivery: Delivery, job: Job, control: RunControl, cause?: unknown): void {
    control.isOver = true;
    if (control.failure) {
      const { error } = control.failure;
      delivery.abort(toError(error));
      this.#failed(delivery, job, error);
      return;
    }
    const options = cause === undefined ? undefined : { cause };
    const error = new JobTimeoutError(delivery.jobId, this.#owner.name, control.timeoutMs, options);
    delivery.abort(error);
    this.#failed(delivery, job, error);
  }

  /**
   * Whether the way in which the handler has settled counts. By the clock alone: a handler that has kept the process busy
   * past its limit settles before the timer can fire.
   */
  #counts(delivery: Delivery, job: Job, control: RunControl, thrown?: unknown): boolean {
    if (control.isOver) return false;
    control.timer?.clear();
    if (!this.#isLate(delivery, control.timeoutMs)) return true;
    this.#timeOut(delivery, job, control, thrown);
    return false;
  }

  /** The handler has returned. */
  succeed(delivery: Delivery, job: Job, value: unknown): void {
    const { control } = delivery;
    const error = errorIn(value);
    if (error || control?.failure) {
      this.fail(delivery, job, error);
      return;
    }
    if (control && !this.#counts(delivery, job, control)) return;
    this.#measure(delivery, job);
    if (this.#isMoved(delivery)) return;
    writeProperty(job, 'returnvalue', value);
    if (value !== undefined && (this.#settings.storeResults || delivery.isTracked))
      this.#keepResult(delivery, value);
    // Else the lease was lost meanwhile, or the worker releases the job: what the handler did does not count.
    if (delivery.state === RUNNING) this.#settlement.complete(delivery);
    this.#inFlight.ended(delivery, true);
  }

  /** Whether the handler has moved the job to the delayed set; then the job goes there, however the handler settled. */
  #isMoved(delivery: Delivery): boolean {
    const dueAt = delivery.control?.dueAt;
    if (dueAt === undefined || delivery.cancelled) return false;
    const delayMs = Math.max(0, Math.ceil(dueAt - this.#settings.clock.monotonic()));
    if (delivery.state === RUNNING) this.#settlement.settle(delivery, { kind: 'delayed', delayMs });
    this.#inFlight.ended(delivery, true);
    return true;
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

  /** The handler has thrown. */
  fail(delivery: Delivery, job: Job, thrown: unknown): void {
    const { control } = delivery;
    const error = control?.failure ? control.failure.error : thrown;
    if (!control || this.#counts(delivery, job, control, error)) this.#failed(delivery, job, error);
  }

  #failed(delivery: Delivery, job: Job, error: unknown): void {
    this.#measure(delivery, job);
    if (this.#isMoved(delivery)) return;
    if (delivery.state !== RUNNING) {
      this.#inFlight.ended(delivery, false);
      return;
    }
    const { attempt, maxAttempts, cancelled, control } = delivery;
    if (isRateLimitError(error) && !cancelled && control?.isOver !== true) {
      this.#settlement.settle(delivery, { kind: 'postponed', delayMs: RATE_LIMITED_MS, isRateLimited: true });
      this.#inFlight.ended(delivery, true);
      return;
    }
    // The backoff strategy may be asynchronous, so it is asked before the outcome is decided, and only if there is a next attempt.
    const isFinal =
      cancelled !== undefined ||
      attempt >= maxAttempts ||
      control?.isFinal === true ||
      isUnrecoverable(error);
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
      const { attempt, maxAttempts, cancelled, control } = delivery;
      const isFinal = control?.isFinal === true;
      const run = { error, attempt, maxAttempts, cancelled, isFinal, backoffMs: () => backoffMs };
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

/** A job that was rate-limited and has no place goes back after so long: all workers know of the limit by then. In ms. */
const RATE_LIMITED_MS = 100;

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
