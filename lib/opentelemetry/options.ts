import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { boolean, ms, oneOf, whole, type Check } from '../engine/config/checks.js';
import type { Schema } from '../engine/config/check-options.js';

export interface ChasquiTelemetryOptions {
  /**
   * How a run of a job relates to the trace in which the job was added. `continue`: every attempt, a replay too, is a part of
   * that trace. `link`: every attempt begins a trace of its own, with a link to that trace. `none`: there are no spans, and
   * jobs carry no trace. Jobs of `addBulk` and of schedules always link. Default `continue`.
   */
  traces?: 'continue' | 'link' | 'none';
  /** Whether there are metrics. Default true. */
  metrics?: boolean;
  /**
   * Whether jobs carry the baggage of the context in which they are added. Everybody who can read Redis can read it. It is
   * left out of a job that would exceed `maxPayloadBytes` with it. Default false.
   */
  baggage?: boolean;
  /**
   * How many job names of a queue are labels of their own, from 1 to 1,000. Jobs of further names share the label `_other`.
   * Default 100.
   */
  maxJobNames?: number;
  /**
   * How many runs per second of one job name are measured in histograms. Of a name that runs more often, a regular share is
   * measured. Counters count every job. Default 500.
   */
  maxMeasuredPerSecond?: number;
  /** How long a collection waits for Redis, in ms. Gauges of queues that take longer are NaN then. Default 1,000. */
  gaugeTimeoutMs?: number;
  /** Where spans go. Default: the global provider of `@opentelemetry/api`. */
  tracerProvider?: TracerProvider;
  /** Where metrics go. Default: the global provider of `@opentelemetry/api`. */
  meterProvider?: MeterProvider;
}

const provider =
  (method: string): Check =>
  (value) =>
    typeof (value as Record<string, unknown> | null)?.[method] === 'function'
      ? undefined
      : `must have a method ${method}()`;

export const telemetrySchema: Schema<ChasquiTelemetryOptions> = {
  traces: oneOf('continue', 'link', 'none'),
  metrics: boolean,
  baggage: boolean,
  maxJobNames: whole(1, 1_000),
  maxMeasuredPerSecond: whole(1),
  gaugeTimeoutMs: ms(1),
  tracerProvider: provider('getTracer'),
  meterProvider: provider('getMeter'),
};
