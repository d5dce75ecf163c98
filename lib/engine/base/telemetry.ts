import type { DlqReason, PromoterTick, SchedulerTick } from './metrics.js';

/*
 * What the engine tells about its work to a telemetry, and asks of it. `ChasquiTelemetry` of nestjs-chasqui/opentelemetry is
 * one. The engine calls it synchronously on its hot path. What throws is reported once, and the job goes on without it.
 */

/** What travels with a job from where it was added: texts, by the name of the header that they would have. */
export type TraceCarrier = Readonly<Record<string, string>>;

/** Observes queues and workers: the option `telemetry`. A method that is absent observes nothing. */
export interface Telemetry {
  /** Called once for each queue and each producer that has this telemetry. */
  producer?(queue: ObservedQueue): ProducerTelemetry;
  /** Called once for each worker. */
  worker?(worker: ObservedWorker): WorkerTelemetry;
}

/** A queue, as a queue object or a worker sees it. */
export interface ObservedQueue {
  readonly queue: string;
  /** Host and port, or what else says where Redis is. No user name, no password. */
  readonly address: string;
  /** Counts the jobs of the queue, in one round trip. Undefined while Redis cannot be reached: nothing is sent then. */
  gauges(): Promise<QueueGauges> | undefined;
}

export interface ObservedWorker extends ObservedQueue {
  readonly group: string;
  /** The name of the consumer. */
  readonly consumer: string;
  /** Names of jobs that it has a handler for, if they are known before jobs come. */
  readonly jobNames?: readonly string[];
  /** Handlers that run now, and how many may. */
  load(): { readonly running: number; readonly concurrency: number };
}

/** What a queue holds at one time, in jobs and in ms. */
export interface QueueGauges {
  waiting: number;
  active: number;
  delayed: number;
  prioritized: number;
  deadLetters: number;
  /** Completed jobs that are kept. */
  completed: number;
  /** How long the oldest waiting job has waited. */
  oldestWaitingMs: number;
  /** By how much the earliest due job of the delayed set is late. */
  overdueMs: number;
  /** By how much the earliest due schedule is late. */
  scheduleLagMs: number;
  /** Of all processes. */
  workers: number;
  isPaused: boolean;
}

/** The counts of jobs by the state that metrics call them; undefined where nothing is known. */
export function jobsByState(gauges: QueueGauges | undefined): [state: string, count: number | undefined][] {
  return Object.entries({
    waiting: gauges?.waiting,
    active: gauges?.active,
    delayed: gauges?.delayed,
    prioritized: gauges?.prioritized,
    failed: gauges?.deadLetters,
    completed: gauges?.completed,
  });
}

/** A job on its way into Redis. */
export interface SentJob {
  readonly id: string;
  readonly name: string;
  readonly delayMs?: number | undefined;
}

/** Observes what a queue or a producer adds. */
export interface ProducerTelemetry {
  /** Jobs are about to be added in one call of `add` or `addBulk`. What it returns hears of the end. */
  send?(jobs: readonly SentJob[]): Sending | undefined;
  /** A schedule is about to be stored. What it returns travels with each of its jobs; undefined for nothing. */
  scheduled?(): TraceCarrier | undefined;
  /**
   * Redis has answered an add, or the caller has got an error.
   * @param sinceMs monotonic ms of the call
   * @param duplicates how many of the jobs were not added, because their ids were taken
   */
  sent?(jobs: readonly SentJob[], sinceMs: number, error?: unknown, duplicates?: number): void;
  /** The connection is back. Users of one connection get the same object. */
  reconnected?(outage: object): void;
  /** The queue is closed. */
  closed?(): void;
}

/** One call of `add` or `addBulk`. */
export interface Sending {
  /** Travels with each of the jobs; undefined for nothing. */
  readonly carrier?: TraceCarrier | undefined;
  /** Called at the end, if it is there. @param duplicates how many of the jobs were not added: their id was taken */
  ended?(error: unknown, duplicates: number): void;
}

/** A job that starts. */
export interface StartedJob {
  readonly id: string;
  readonly name: string;
  /** From 1. */
  readonly attemptsMade: number;
}

/** One run of a job. */
export interface ObservedRun {
  readonly name: string;
  readonly jobId: string;
  /** `<unix ms>-<sequence>`: when the job got into the work stream, by Redis's clock. */
  readonly entryId: string;
  /** From 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** When its handler was called, monotonic ms. */
  readonly startedAt: number;
  readonly durationUs: number;
  /** Undefined if the entry cannot be decoded. */
  readonly job: StartedJob | undefined;
  /** Undefined if the job completes, and while nothing is decided. */
  readonly outcome: ObservedOutcome | undefined;
}

export type ObservedOutcome =
  | { readonly kind: 'retry'; readonly error: unknown; readonly backoffMs: number }
  | { readonly kind: 'dead-letter'; readonly error: unknown; readonly reason: DlqReason }
  | { readonly kind: 'cancelled' | 'dropped'; readonly error: unknown }
  | { readonly kind: 'delayed' | 'postponed'; readonly delayMs: number };

/**
 * How a job has left a worker. `lost`: the lease was lost; another worker runs the job. `abandoned`: its outcome could not be
 * stored, or nobody knows whether it was released. The job is pending in Redis, and may run again.
 */
export type RunEnd =
  'completed' | 'retried' | 'dead-lettered' | 'cancelled' | 'dropped' | 'released' | 'lost' | 'abandoned';

/** In what a handler runs. */
export interface RunScope {
  /** Calls `call` once, at once, with `input`, and returns or throws what it does. */
  run<Input, Result>(call: (input: Input) => Result, input: Input): Result;
}

/** Observes what a worker does. */
export interface WorkerTelemetry {
  /**
   * A handler is about to be called. Undefined: in no scope.
   * @param carrier what the job has brought along. Anybody may have written it
   */
  scope?(job: StartedJob, carrier: TraceCarrier | undefined): RunScope | undefined;
  /** The same for a handler that gets several jobs at once. @param carriers one for each job */
  batchScope?(
    jobs: readonly StartedJob[],
    carriers: readonly (TraceCarrier | undefined)[],
  ): RunScope | undefined;
  /** The handler is being called. */
  started?(run: ObservedRun): void;
  /** The handler has settled, and its slot is free. What becomes of the job is decided and not yet stored. */
  ended?(run: ObservedRun, isOk: boolean): void;
  /** The job is not in flight any more. Its handler may run on: then `ended` comes later. */
  gone?(run: ObservedRun, end: RunEnd): void;
  /** A call that stores outcomes has ended. @param error why it has failed; it is tried again */
  settled?(runs: readonly ObservedRun[], sinceMs: number, error?: unknown): void;
  dlqEvicted?(count: number): void;
  promoted?(tick: PromoterTick): void;
  fired?(tick: SchedulerTick): void;
  reconnected?(outage: object): void;
  closed?(): void;
}

/** An observer whose methods never throw, and need no `this`. */
export type Guarded<T> = {
  readonly [K in keyof T]: NonNullable<T[K]> extends (...args: infer Args) => infer Result
    ? // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- they are called apart from their object
      (this: void, ...args: Args) => Result
    : T[K];
};

/** The same object with methods that never throw. The first error of each is reported. */
export function guarded<T extends object>(observer: T, onError: (error: unknown) => void): Guarded<T> {
  const safe: Record<string, unknown> = {};
  for (const name of METHODS) {
    const method: unknown = (observer as Record<string, unknown>)[name];
    if (typeof method !== 'function') continue;
    let isReported = false;
    safe[name] = (first: unknown, second: unknown, third: unknown, fourth: unknown): unknown => {
      try {
        return method.call(observer, first, second, third, fourth) as unknown;
      } catch (error) {
        if (!isReported) onError(error);
        isReported = true;
        return undefined;
      }
    };
  }
  return safe as Guarded<T>;
}

const METHODS: readonly (keyof Telemetry | keyof ProducerTelemetry | keyof WorkerTelemetry)[] = [
  'producer',
  'worker',
  'send',
  'sent',
  'scheduled',
  'scope',
  'batchScope',
  'started',
  'ended',
  'gone',
  'settled',
  'dlqEvicted',
  'promoted',
  'fired',
  'reconnected',
  'closed',
];
