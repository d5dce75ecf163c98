import { ROOT_CONTEXT, context, metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { ChasquiTelemetry } from 'nestjs-chasqui/opentelemetry';
import { openDriver as openEngine } from './chasqui.mjs';

const SAMPLED = 0.01;
const COLLECT_MS = 1_000;

/** Takes spans as an exporter does that sends them; what the network costs is not this project's. */
const nowhere = { export: (_spans, done) => done({ code: 0 }), shutdown: () => Promise.resolve() };

/**
 * This project with traces and metrics: an SDK that samples 1 % of the traces and collects metrics once a second.
 *
 * @param {{ port: number, sdkOnly?: boolean }} options with `sdkOnly`, the process has the SDK and this project no telemetry
 * @returns {import('./driver.d.ts').Driver}
 */
export function openDriver({ port, sdkOnly = false }) {
  const tracers = new NodeTracerProvider({
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(SAMPLED) }),
    spanProcessors: [new BatchSpanProcessor(nowhere)],
  });
  tracers.register();
  // From the first span on that is active, Node.js 20 follows every promise. An application has one soon, as for a request.
  context.with(trace.setSpan(ROOT_CONTEXT, tracers.getTracer('bench').startSpan('first')), () => undefined);
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: COLLECT_MS });
  const emptied = setInterval(() => exporter.reset(), COLLECT_MS).unref();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const engine = openEngine(sdkOnly ? { port } : { port, telemetry: new ChasquiTelemetry() });
  const tracer = trace.getTracer('bench');
  return {
    ...engine,
    inRequest: (work) => {
      const span = tracer.startSpan('request', {}, ROOT_CONTEXT);
      return context.with(trace.setSpan(ROOT_CONTEXT, span), work).finally(() => span.end());
    },
    async close() {
      clearInterval(emptied);
      await engine.close();
      await tracers.shutdown();
      await reader.shutdown();
    },
  };
}
