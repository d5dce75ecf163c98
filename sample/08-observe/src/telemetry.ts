import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

/** Writes the metrics for Prometheus. The application serves them at `/metrics`, so it starts no server of its own. */
export const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });

// From here on, everything that measures with OpenTelemetry measures into this provider. Import this file first.
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
