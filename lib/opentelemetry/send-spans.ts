import {
  SpanKind,
  TraceFlags,
  context,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import type { Sending, SentJob } from '../engine/base/telemetry.js';
import { ATTRIBUTES, SYSTEM } from './conventions.js';
import { toCarrier } from './carrier.js';
import { failSpan } from './fail-span.js';
import { labelOf } from './labels.js';

/** Starts the spans `send <queue>` of one queue, and makes what travels with its jobs. */
export class SendSpans {
  readonly #tracer: Tracer;
  readonly #withBaggage: boolean;
  readonly #name: string;
  readonly #common: Attributes;
  /** The adds of one request have the same context, and the same carrier. */
  #lastParent: SpanContext | undefined;
  #lastContext: Context | undefined;
  #last: Sending | undefined;

  constructor(tracer: Tracer, queue: string, address: string, withBaggage: boolean) {
    this.#tracer = tracer;
    this.#withBaggage = withBaggage;
    this.#name = `send ${queue}`;
    this.#common = {
      [ATTRIBUTES.system]: SYSTEM,
      [ATTRIBUTES.operation]: 'send',
      [ATTRIBUTES.operationType]: 'send',
      [ATTRIBUTES.queue]: queue,
      [ATTRIBUTES.address]: address,
    };
  }

  start(jobs: readonly SentJob[]): Sending | undefined {
    const active = context.active();
    const parent = trace.getSpanContext(active);
    // The decision that a trace is not sampled holds for all that happens in it, so there is no span to make.
    if (parent && (parent.traceFlags & TraceFlags.SAMPLED) === 0 && trace.isSpanContextValid(parent)) {
      return this.#passOn(active, parent);
    }
    const span = this.#tracer.startSpan(
      this.#name,
      { kind: SpanKind.PRODUCER, attributes: this.#attributesOf(jobs) },
      active,
    );
    const carrier = toCarrier(
      trace.setSpan(active, span),
      this.#withBaggage,
      jobs.length > 1 && span.isRecording(),
    );
    if (!span.isRecording()) return carrier && { carrier };
    return {
      carrier,
      ended: (error, duplicates) => {
        endSend(span, error, duplicates);
      },
    };
  }

  #passOn(active: Context, parent: SpanContext): Sending | undefined {
    if (parent === this.#lastParent && (!this.#withBaggage || active === this.#lastContext))
      return this.#last;
    const carrier = toCarrier(active, this.#withBaggage, false);
    this.#lastParent = parent;
    this.#lastContext = active;
    return (this.#last = carrier && { carrier });
  }

  #attributesOf(jobs: readonly SentJob[]): Attributes {
    const [first] = jobs;
    if (jobs.length !== 1 || !first) return { ...this.#common, [ATTRIBUTES.batch]: jobs.length };
    const { id, name, delayMs } = first;
    return {
      ...this.#common,
      [ATTRIBUTES.messageId]: id,
      [ATTRIBUTES.job]: labelOf(name),
      ...(delayMs && { [ATTRIBUTES.delay]: delayMs / 1000 }),
    };
  }
}

function endSend(span: Span, error: unknown, duplicates: number): void {
  try {
    if (duplicates > 0) span.setAttribute(ATTRIBUTES.duplicates, duplicates);
    if (error !== undefined) failSpan(span, error);
  } finally {
    span.end();
  }
}
