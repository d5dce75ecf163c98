// Node.js loads this file before the application (`--import`), so that it can watch Node's HTTP server.
import { register } from 'node:module';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { ParentExporter } from './tracing/parent-exporter.js';

register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);

const name = process.env['OTEL_SERVICE_NAME'] ?? 'shop';
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': name }),
  spanProcessors: [
    // To Jaeger, Tempo or any other collector, if you have one.
    ...(process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ? [new BatchSpanProcessor(new OTLPTraceExporter())] : []),
    // To the process that prints one of the traces. Your application does not need this.
    ...(process.connected ? [new SimpleSpanProcessor(new ParentExporter(name))] : []),
  ],
});
provider.register();
new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true });

// The application has closed. Spans that are not sent yet leave now.
process.once('beforeExit', () => void provider.shutdown());
