import { backoffMs, strategyMs } from '../backoff.js';
import type { Envelope, WireRetry } from '../envelope.js';
import { EncodeError } from '../errors.js';
import { Job } from '../job.js';
import type { JobOwner } from '../job.js';
import type { BackoffOptions, JobsOptions } from '../options.js';
import { encodePayload } from '../payload.js';
import type { Delivery } from './delivery.js';
import { open } from './open.js';
import { outcomeOfExhaustion, outcomeOfFailure } from './outcome.js';
import type { Outcome } from './outcome.js';
import type { ConsumerSettings } from './settings.js';
import type { Completed } from './settler.js';

export type Handler = (job: Job) => unknown;

export interface ExecutorHooks {
  /** Before the handler is called. */
  started: (delivery: Delivery) => void;
  completed: (completed: Completed) => void;
  failed: (delivery: Delivery, outcome: Outcome, ran: boolean) => void;
  error: (error: unknown) => void;
}

/** What stands ready to run, after its bytes were read and its budget checked. */
export interface Prepared {
  delivery: Delivery;
  retry: WireRetry | undefined;
  maxAttempts: number;
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

  /** Undefined where the entry cannot run: then its outcome is reported already. */
  prepare(delivery: Delivery): Prepared | undefined {
    const opened = open(delivery, this.#settings.maxPayloadBytes);
    if (!opened.ok) {
      const { reason, detail } = opened;
      this.#hooks.failed(delivery, { kind: 'dead', reason, detail, error: new Error(detail) }, false);
      return undefined;
    }
    const { envelope, data } = opened;
    const maxAttempts = envelope.retry?.maxAttempts ?? this.#settings.maxAttempts;
    delivery.job = this.#toJob(delivery, envelope, data);
    if (delivery.attempt > maxAttempts) {
      const { crashes, used } = delivery;
      this.#hooks.failed(delivery, outcomeOfExhaustion(crashes, used, maxAttempts), false);
      return undefined;
    }
    return { delivery, retry: envelope.retry, maxAttempts };
  }

  /** Calls the handler; what comes of it is reported by the hooks. Never throws. */
  run(prepared: Prepared): void {
    const { delivery } = prepared;
    const job = delivery.job as Job;
    const { clock } = this.#settings;
    delivery.running = true;
    delivery.startedAt = clock.monotonic();
    this.#hooks.started(delivery);
    let returned: unknown;
    try {
      returned = this.#handler(job);
    } catch (error) {
      this.#fail(prepared, error);
      return;
    }
    if (isThenable(returned)) {
      returned.then(
        (value) => {
          this.#succeed(delivery, job, value);
        },
        (error: unknown) => {
          this.#fail(prepared, error);
        },
      );
    } else {
      this.#succeed(delivery, job, returned);
    }
  }

  #succeed(delivery: Delivery, job: Job, value: unknown): void {
    if (!this.#end(delivery)) return;
    job.returnvalue = value;
    let result: Buffer | undefined;
    let resultJson = '';
    if (this.#settings.storeResults && value !== undefined) {
      try {
        result = encodePayload(value);
        resultJson = this.#settings.eventsCap > 0 ? jsonOf(value, result) : '';
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
    this.#hooks.completed({ delivery, result, resultJson });
  }

  #fail({ delivery, retry, maxAttempts }: Prepared, error: unknown): void {
    if (!this.#end(delivery)) return;
    const { attempt } = delivery;
    const outcome = outcomeOfFailure({
      error,
      attempt,
      maxAttempts,
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

  #toJob(delivery: Delivery, envelope: Envelope, data: unknown): Job {
    return new Job(this.#owner, {
      id: envelope.id,
      name: delivery.name,
      data,
      opts: envelope.retry ? toOptions(envelope.retry) : {},
      attemptsMade: delivery.attempt,
      timestamp: envelope.createdAtMs,
      delay: 0,
      context: delivery,
    });
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

function toOptions(retry: WireRetry): JobsOptions {
  const options: JobsOptions = {};
  if (retry.maxAttempts !== undefined) options.attempts = retry.maxAttempts;
  if (retry.backoff) {
    const { kind, delayMs, maxDelayMs, multiplier, jitterMs } = retry.backoff;
    const backoff: BackoffOptions = { type: kind, delay: delayMs };
    if (maxDelayMs !== undefined) backoff.maxDelay = maxDelayMs;
    if (multiplier !== undefined) backoff.multiplier = multiplier;
    if (jitterMs !== undefined) backoff.jitterMs = jitterMs;
    options.backoff = backoff;
  }
  return options;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
