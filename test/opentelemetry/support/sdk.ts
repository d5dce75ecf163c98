import { context, metrics, propagation, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { DataPoint, Histogram, MetricData } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { ReadableSpan, Sampler, SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterEach, beforeEach } from 'vitest';

/** An SDK with exporters in memory, as the global one of `@opentelemetry/api`, for each test. */
export interface TestSdk {
  /** Spans that have ended, in the order of their end. */
  spans(): ReadableSpan[];
  /** Those with this name. */
  named(name: string): ReadableSpan[];
  /** Collects now. All data points of one metric. */
  points(metric: string): Promise<DataPoint<number | Histogram>[]>;
  /** The value of the point with these labels; undefined if there is none. */
  value(metric: string, labels: Record<string, string>): Promise<number | undefined>;
  collect(): Promise<MetricData[]>;
  readonly tracers: NodeTracerProvider;
  readonly meters: MeterProvider;
}

export interface SdkOptions {
  sampler?: Sampler;
  processors?: SpanProcessor[];
}

export function useSdk({ sampler, processors = [] }: SdkOptions = {}): TestSdk {
  let exporter: InMemorySpanExporter;
  let tracers: NodeTracerProvider;
  let meters: MeterProvider;
  let reader: PeriodicExportingMetricReader;

  beforeEach(() => {
    exporter = new InMemorySpanExporter();
    tracers = new NodeTracerProvider({
      ...(sampler && { sampler }),
      spanProcessors: [new SimpleSpanProcessor(exporter), ...processors],
    });
    tracers.register();
    reader = new PeriodicExportingMetricReader({
      exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
      exportIntervalMillis: 2_147_483_647,
    });
    meters = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(meters);
  });

  afterEach(async () => {
    trace.disable();
    metrics.disable();
    context.disable();
    propagation.disable();
    await tracers.shutdown().catch(() => undefined);
    await meters.shutdown().catch(() => undefined);
  });

  const collect = async (): Promise<MetricData[]> => {
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics.flatMap(({ metrics: all }) => all);
  };
  const points: TestSdk['points'] = async (name) =>
    (await collect())
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap((metric) => metric.dataPoints as DataPoint<number | Histogram>[]);
  return {
    spans: () => exporter.getFinishedSpans(),
    named: (name) => exporter.getFinishedSpans().filter((span) => span.name === name),
    points,
    value: async (name, labels) => {
      const found = (await points(name)).filter(({ attributes }) =>
        Object.entries(labels).every(([label, value]) => attributes[label] === value),
      );
      if (found.length === 0) return undefined;
      return found.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : value.count), 0);
    },
    collect,
    get tracers() {
      return tracers;
    },
    get meters() {
      return meters;
    },
  };
}

/** Runs `work` in a span, as a request does. Returns the span. */
export async function inRequest(work: () => Promise<unknown>): Promise<ReadableSpan> {
  const span = trace.getTracer('test').startSpan('GET /');
  await context.with(trace.setSpan(context.active(), span), work);
  span.end();
  return span as unknown as ReadableSpan;
}
