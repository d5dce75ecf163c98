import { types } from 'node:util';
import { EncodeError } from '../../base/errors.js';
import type { Job, JobOwner } from '../../job/job.js';
import { inOwnContext } from '../../base/own-context.js';
import { encodeResult } from '../../codec/payload.js';
import { printable } from '../../base/printable.js';
import { isUnrecoverable, writeProperty } from '../../base/safe-access.js';
import type { Delivery } from '../lease/delivery.js';
import { open } from './decode.js';
import { outcomeOfExhaustion, outcomeOfFailure } from '../settle/outcome.js';
import type { Outcome } from '../settle/outcome.js';
import { Refusals } from './refusals.js';
import { RetryDelay } from './retry-delay.js';
import { errorIn } from './returned.js';
import type { ConsumerSettings } from '../settings.js';

export type Handler = (job: Job) => unknown;

export interface ExecutorHooks {
  /** Before the handler is called. */
  started: (delivery: Delivery) => void;
  completed: (delivery: Delivery) => void;
  failed: (delivery: Delivery, outcome: Outcome, ran: boolean) => void;
  error: (error: unknown) => void;
}

/** Runs one job: open → budget → handler → outcome. */
export class Executor {
  readonly #settings: ConsumerSettings;
  /** The user's handler; what it returns is no thenable but a promise, whose `then` is JavaScript's own. */
  readonly #handler: Handler;
  readonly #owner: JobOwner;
  readonly #hooks: ExecutorHooks;
  readonly #retryDelay: RetryDelay;
  readonly #refusals: Refusals;

  constructor(settings: ConsumerSettings, handler: Handler, owner: JobOwner, hooks: ExecutorHooks) {
    this.#settings = settings;
    this.#handler = (job) => settled(handler(job));
    this.#owner = owner;
    this.#hooks = hooks;
    this.#retryDelay = new RetryDelay(settings, hooks.error);
    this.#refusals = new Refusals(settings.clock, hooks.error);
  }

  /** Reads the entry, and checks its budget. False where it cannot run: then its outcome is reported already. */
  prepare(delivery: Delivery): boolean {
    const { maxPayloadBytes, maxAttempts } = this.#settings;
    const unreadable = open(delivery, this.#owner, maxPayloadBytes);
    if (unreadable) {
      const { reason, detail } = unreadable;
      this.#hooks.failed(delivery, { kind: 'dead', reason, detail, error: new Error(detail) }, false);
      return false;
    }
    delivery.maxAttempts = delivery.retry?.maxAttempts ?? maxAttempts;
    if (delivery.cancelled) {
      this.#hooks.failed(delivery, { kind: 'cancelled', error: delivery.cancelled }, false);
      return false;
    }
    if (delivery.attempt > delivery.maxAttempts) {
      const { crashes, used } = delivery;
      this.#hooks.failed(delivery, outcomeOfExhaustion(crashes, used, delivery.maxAttempts), false);
      return false;
    }
    if (!this.#accepts(delivery)) {
      const released: Outcome = { kind: 'released', delayMs: this.#refusals.delayOf(delivery) };
      this.#hooks.failed(delivery, released, false);
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
      // Who runs it will see what is wrong.
      this.#hooks.error(error);
      return true;
    }
  }

  /** Calls the handler; what comes of it is reported by the hooks. Never throws. */
  run(delivery: Delivery): void {
    const job = delivery.job as Job;
    const { clock } = this.#settings;
    delivery.running = true;
    delivery.startedAt = clock.monotonic();
    if (delivery.cancelled) {
      // While its start was counted.
      delivery.announced = true;
      this.#fail(delivery, delivery.cancelled);
      return;
    }
    job.processedOn = clock.now();
    this.#hooks.started(delivery);
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
            this.#fail(delivery, error);
          },
        );
        return;
      }
    } catch (error) {
      this.#fail(delivery, error);
      return;
    }
    this.#succeed(delivery, job, returned);
  }

  #succeed(delivery: Delivery, job: Job, value: unknown): void {
    const error = errorIn(value);
    if (error) {
      this.#fail(delivery, error);
      return;
    }
    this.#end(delivery);
    writeProperty(job, 'returnvalue', value);
    if (this.#settings.storeResults && value !== undefined) this.#keepResult(delivery, value);
    this.#hooks.completed(delivery);
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
      this.#hooks.error(new EncodeError(message, { cause: error }));
    }
  }

  #fail(delivery: Delivery, error: unknown): void {
    this.#end(delivery);
    const { attempt, maxAttempts, cancelled } = delivery;
    // Asked first: its answer may take a while. Not asked where there is no next attempt.
    const isFinal = cancelled !== undefined || attempt >= maxAttempts || isUnrecoverable(error);
    const ms = isFinal ? 0 : this.#retryDelay.of(delivery, error);
    if (typeof ms === 'number') {
      this.#conclude(delivery, error, ms);
      return;
    }
    // Until then it may be cancelled, or given back by a worker that closes, like one that runs.
    delivery.running = true;
    void ms.then((answer) => {
      delivery.running = false;
      this.#conclude(delivery, error, answer);
    });
  }

  #conclude(delivery: Delivery, error: unknown, backoffMs: number): void {
    const { attempt, maxAttempts, cancelled } = delivery;
    const outcome = outcomeOfFailure({ error, attempt, maxAttempts, cancelled, backoffMs: () => backoffMs });
    this.#hooks.failed(delivery, outcome, true);
  }

  #end(delivery: Delivery): void {
    delivery.running = false;
    delivery.durationUs = Math.round((this.#settings.clock.monotonic() - delivery.startedAt) * 1000);
  }
}

/** Larger values are read from the result key, not carried by the event. */
const MAX_EVENT_BYTES = 4_096;

// eslint-disable-next-line @typescript-eslint/unbound-method -- it is only compared
const nativeThen: unknown = Promise.prototype.then;

/**
 * What a handler returned, or a promise of it. A thenable of another make may throw, call back at once, or call back
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
