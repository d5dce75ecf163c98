import { SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { Span } from './span.js';

/** Sends spans to the process that started this one. */
export class ParentExporter implements SpanExporter {
  constructor(private readonly name: string) {}

  export(spans: ReadableSpan[], done: (result: { code: number }) => void): void {
    if (process.connected) process.send?.({ spans: spans.map((span) => this.toSpan(span)) });
    done({ code: 0 });
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  private toSpan(span: ReadableSpan): Span {
    const { name, attributes, startTime, duration, status } = span;
    const { traceId, spanId } = span.spanContext();
    const path = attributes['url.path'] ?? attributes['http.target'];
    return {
      process: this.name,
      traceId,
      id: spanId,
      parentId: span.parentSpanContext?.spanId,
      name: typeof path === 'string' ? `${name} ${path}` : name,
      startMs: startTime[0] * 1_000 + startTime[1] / 1e6,
      durationMs: duration[0] * 1_000 + duration[1] / 1e6,
      error: status.code === SpanStatusCode.ERROR ? (status.message ?? 'failed') : undefined,
    };
  }
}
