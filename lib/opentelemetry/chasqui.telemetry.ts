import { metrics, trace, type Tracer } from '@opentelemetry/api';
import { engineVersion } from '../engine/index.js';
import { checkOptions } from '../engine/config/check-options.js';
import type {
  ObservedQueue,
  ObservedRun,
  ObservedWorker,
  ProducerTelemetry,
  RunEnd,
  SentJob,
  StartedJob,
  Telemetry,
  TraceCarrier,
  WorkerTelemetry,
} from '../engine/base/telemetry.js';
import { SCHEMA_URL, SCOPE } from './conventions.js';
import { Meters } from './meters.js';
import { telemetrySchema, type ChasquiTelemetryOptions } from './options.js';
import { ProcessSpans } from './process-spans.js';
import { SendSpans } from './send-spans.js';
import type { QueueCounts } from './queue-counts.js';

/**
 * Traces and metrics with OpenTelemetry: the option `telemetry` of `ChasquiModule.forRoot`, `Queue`, `Producer` and `Worker`. It
 * uses the global providers of `@opentelemetry/api`, so start the SDK before the application. Without an SDK it does nothing.
 *
 * @example
 * ```ts
 * ChasquiModule.forRoot({ connection, telemetry: new ChasquiTelemetry() });
 * ```
 */
export class ChasquiTelemetry implements Telemetry {
  readonly #options: ChasquiTelemetryOptions;

  /** @throws ConfigError (CMQ-004) for a wrong option; the message suggests the nearest valid key */
  constructor(options: ChasquiTelemetryOptions = {}) {
    this.#options = checkOptions('ChasquiTelemetry', telemetrySchema, options);
  }

  /** A queue or a producer calls it. */
  producer(queue: ObservedQueue): ProducerTelemetry {
    const { baggage = false } = this.#options;
    const tracer = this.#tracer();
    const spans = tracer && new SendSpans(tracer, queue.queue, queue.address, baggage);
    const meters = this.#meters();
    if (!meters) return spans ? traced(spans) : {};
    const counts = meters.queue(queue.queue);
    counts.isAdded = true;
    const closed = meters.gauges.addQueue(queue);
    return {
      ...(spans && traced(spans)),
      sent: (jobs, sinceMs, error, duplicates = 0) => {
        countSent(counts, jobs, error);
        counts.duplicates.value += duplicates;
        if (error === undefined && !counts.sends.takes(sinceMs)) return;
        const seconds = (performance.now() - sinceMs) / 1000;
        meters.operationDuration.record(seconds, counts.operation('send', error));
      },
      reconnected: (outage) => {
        meters.reconnected(outage);
      },
      closed,
    };
  }

  /** A worker calls it. */
  worker(worker: ObservedWorker): WorkerTelemetry {
    const { traces = 'continue', baggage = false } = this.#options;
    const tracer = this.#tracer();
    const spans =
      tracer && traces !== 'none' ? new ProcessSpans(tracer, worker, { traces, baggage }) : undefined;
    const meters = this.#meters();
    const counts = meters?.queue(worker.queue);
    if (counts) expectJobs(counts, worker);
    const closed = meters?.gauges.addWorker(worker);
    return {
      ...(spans && {
        scope: (job: StartedJob, carrier: TraceCarrier | undefined) => spans.start(job, carrier),
        batchScope: (jobs: readonly StartedJob[], carriers: readonly (TraceCarrier | undefined)[]) =>
          spans.startBatch(jobs, carriers),
      }),
      ...(meters && counts && measured(meters, counts)),
      ended: (run, isOk) => {
        spans?.ended(run, isOk);
        if (meters && counts) measureRun(meters, counts, run, isOk);
      },
      gone: (run, end) => {
        spans?.gone(run, end);
        if (counts) countEnd(counts, run, end);
      },
      settled: (runs, sinceMs, error) => {
        const ms = performance.now() - sinceMs;
        if (error !== undefined) spans?.settleFailed(runs, ms, error);
        if (!meters || !counts || (error === undefined && !counts.settles.takes(sinceMs))) return;
        meters.operationDuration.record(ms / 1000, counts.operation('settle', error));
      },
      closed: () => {
        spans?.closed();
        closed?.();
      },
    };
  }

  #tracer(): Tracer | undefined {
    const { traces, tracerProvider = trace.getTracerProvider() } = this.#options;
    if (traces === 'none') return undefined;
    return tracerProvider.getTracer(SCOPE, engineVersion(), { schemaUrl: SCHEMA_URL });
  }

  /** Asked for each queue and worker, and not once: an SDK that starts late is there for those that come later. */
  #meters(): Meters | undefined {
    const {
      metrics: isOn = true,
      meterProvider = metrics.getMeterProvider(),
      maxJobNames = 100,
      maxMeasuredPerSecond = 500,
      gaugeTimeoutMs = 1_000,
    } = this.#options;
    return isOn ? Meters.of(meterProvider, { maxJobNames, maxMeasuredPerSecond, gaugeTimeoutMs }) : undefined;
  }
}

function traced(spans: SendSpans): ProducerTelemetry {
  return { send: (jobs) => spans.start(jobs), scheduled: () => spans.link() };
}

/** Counters of a worker are there, with 0, before it counts. */
function expectJobs(counts: QueueCounts, { jobNames = [] }: ObservedWorker): void {
  counts.isWorked = true;
  for (const name of jobNames) counts.names.of(name);
}

function countSent(counts: QueueCounts, jobs: readonly SentJob[], error: unknown): void {
  for (const { name } of jobs) {
    const of = counts.names.of(name);
    const count = error === undefined ? of.sent : of.notSent(error);
    count.value += 1;
  }
}

function measured(meters: Meters, counts: QueueCounts): WorkerTelemetry {
  return {
    started: (run) => {
      const of = counts.names.of(run.name);
      of.consumed.value += 1;
      if (!of.waits.takes(run.startedAt)) return;
      // By the clock of this host, which may differ from Redis's. The id is read only here: its text is made when it is read.
      const ms = Math.max(0, Date.now() - Number.parseInt(run.entryId, 10));
      meters.wait.record(ms / 1000, of.waited);
    },
    dlqEvicted: (count) => {
      counts.evicted.value += count;
    },
    promoted: ({ promoted }) => {
      counts.promoted.value += promoted;
    },
    fired: ({ fired }) => {
      counts.fired.value += fired;
    },
    reconnected: (outage) => {
      meters.reconnected(outage);
    },
  };
}

function measureRun(meters: Meters, counts: QueueCounts, run: ObservedRun, isOk: boolean): void {
  const of = counts.names.of(run.name);
  if (!of.runs.takes(run.startedAt + run.durationUs / 1000)) return;
  const { outcome } = run;
  const failure = isOk ? undefined : outcome && 'error' in outcome ? outcome.error : undefined;
  meters.processDuration.record(run.durationUs / 1e6, isOk ? of.processed : of.failed(failure));
}

function countEnd(counts: QueueCounts, { name, outcome }: ObservedRun, end: RunEnd): void {
  if (end === 'completed') {
    counts.names.of(name).completed.value += 1;
    return;
  }
  if (end === 'lost') {
    counts.leasesLost.value += 1;
    return;
  }
  const reason = outcome?.kind === 'dead-letter' ? outcome.reason : undefined;
  counts.names.of(name).ended(end, end === 'dead-lettered' ? reason : undefined).value += 1;
}
