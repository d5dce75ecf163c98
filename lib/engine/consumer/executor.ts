import { backoffMs, strategyMs } from '../backoff.js';
import type { WireRetry } from '../envelope.js';
import { EncodeError } from '../errors.js';
import type { Job, JobOwner } from '../job.js';
import { encodePayload } from '../payload.js';
import type { Delivery } from './delivery.js';
import { open } from './open.js';
import { outcomeOfExhaustion, outcomeOfFailure } from './outcome.js';
import type { Outcome } from './outcome.js';
import { errorIn } from './returned.js';
import type { ConsumerSettings } from './settings.js';

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
  readonly #handler: Handler;
  readonly #owner: JobOwner;
  readonly #hooks: ExecutorHooks;

  constructor(settings: ConsumerSettings, handler: Handler, owner: JobOwner, hooks: ExecutorHooks) {
    this.#settings = settings;
    this.#handler = handler;
    this.#owner = owner;
    this.#hooks = hooks;
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
    return true;
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
    this.#hooks.started(delivery);
    let returned: unknown;
    try {
      returned = this.#handler(job);
    } catch (error) {
      this.#fail(delivery, error);
      return;
    }
    if (isThenable(returned)) {
      returned.then(
        (value) => {
          this.#succeed(delivery, job, value);
        },
        (error: unknown) => {
          this.#fail(delivery, error);
        },
      );
    } else {
      this.#succeed(delivery, job, returned);
    }
  }

  #succeed(delivery: Delivery, job: Job, value: unknown): void {
    const error = errorIn(value);
    if (error) {
      this.#fail(delivery, error);
      return;
    }
    if (!this.#end(delivery)) return;
    job.returnvalue = value;
    if (this.#settings.storeResults && value !== undefined) {
      try {
        delivery.result = encodePayload(value);
        if (this.#settings.eventsCap > 0) delivery.resultJson = jsonOf(value, delivery.result);
      } catch (error) {
        // The work is done; running it again would not make its result storable.
        this.#hooks.error(
          new EncodeError(
            `The result of job ${job.id} ("${job.name}") cannot be stored; the job counts as completed.`,
            {
              cause: error,
            },
          ),
        );
      }
    }
    this.#hooks.completed(delivery);
  }

  #fail(delivery: Delivery, error: unknown): void {
    if (!this.#end(delivery)) return;
    const { attempt, retry, maxAttempts } = delivery;
    const outcome = outcomeOfFailure({
      error,
      attempt,
      maxAttempts,
      cancelled: delivery.cancelled,
      backoffMs: () => this.#backoff(retry, attempt, error),
    });
    this.#hooks.failed(delivery, outcome, true);
  }

  /** False where the run has ended before: a promise that settles once is fine, a thenable may call twice. */
  #end(delivery: Delivery): boolean {
    if (!delivery.running) return false;
    delivery.running = false;
    delivery.durationUs = Math.round((this.#settings.clock.monotonic() - delivery.startedAt) * 1000);
    return true;
  }

  #backoff(retry: WireRetry | undefined, attempt: number, error: unknown): number {
    const spec = retry?.backoff;
    const strategies = this.#settings.backoffStrategies;
    if (spec && Object.hasOwn(strategies, spec.kind)) {
      const strategy = strategies[spec.kind];
      if (strategy) {
        try {
          return strategyMs(strategy, attempt, error);
        } catch (thrown) {
          this.#hooks.error(thrown);
        }
      }
    }
    return backoffMs(attempt, spec, this.#settings.retry, Math.random);
  }
}

/** Values whose JSON is longer than this are read from the result key, not carried by the event. */
const MAX_EVENT_BYTES = 4_096;

function jsonOf(value: unknown, encoded: Buffer): string {
  if (encoded.length > MAX_EVENT_BYTES) return '';
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    // A bigint, say: MessagePack has it, JSON does not.
    return '';
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
