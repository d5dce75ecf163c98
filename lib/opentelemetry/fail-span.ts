import { SpanStatusCode, type Span } from '@opentelemetry/api';
import { detailOf, stackOf } from '../engine/base/thrown.js';
import { ATTRIBUTES } from './conventions.js';
import { errorTypeOf } from './labels.js';

/**
 * Records an error as an exception and as the status of a span. User code may throw anything, also what cannot be read.
 * @param at when it was thrown, monotonic ms; now if absent
 */
export function failSpan(span: Span, error: unknown, at?: number): void {
  const name = errorTypeOf(error);
  const message = detailOf(error);
  const stack = stackOf(error);
  span.setAttribute(ATTRIBUTES.errorType, name);
  span.recordException({ name, message, ...(stack !== undefined && { stack }) }, at);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
