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
import type { Sending, SentJob, TraceCarrier } from '../engine/base/telemetry.js';
import { ATTRIBUTES, SYSTEM } from './conventions.js';
import { UNSAMPLED_ROOT, isUnsampledRoot, toCarrier } from './carrier.js';
import { failSpan } from './fail-span.js';
import { labelOf } from './labels.js';

const UNSAMPLED_SENDING: Sending = { carrier: UNSAMPLED_ROOT };

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
  #lastName: string | undefined;
  #lastNamed: Attributes = {};

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
    if (parent && parent === this.#lastParent && (!this.#withBaggage || active === this.#lastContext))
      return this.#last;
    // The decision that a trace is not sampled holds for all that happens in it, so there is no span to make.
    if (parent && (parent.traceFlags & TraceFlags.SAMPLED) === 0 && trace.isSpanContextValid(parent)) {
      return this.#passOn(active, parent);
    }
    const span = this.#tracer.startSpan(
      this.#name,
      // A copy: a tracer may keep what it gets, and change it.
      { kind: SpanKind.PRODUCER, attributes: { ...this.#sampledBy(jobs) } },
      active,
    );
    const isRecorded = span.isRecording();
    if (!isRecorded && !parent && isUnsampledRoot(active, span.spanContext(), this.#withBaggage))
      return UNSAMPLED_SENDING;
    const carrier = toCarrier(trace.setSpan(active, span), this.#withBaggage, jobs.length > 1 && isRecorded);
    if (!isRecorded) return carrier && { carrier };
    describeSend(span, jobs);
    return {
      carrier,
      ended: (error, duplicates) => {
        endSend(span, error, duplicates);
      },
    };
  }

  /** What travels with the jobs of a schedule: a link to the trace in which it is stored, if that is sampled. */
  link(): TraceCarrier | undefined {
    const active = context.active();
    const flags = trace.getSpanContext(active)?.traceFlags ?? TraceFlags.NONE;
    return (flags & TraceFlags.SAMPLED) === 0 ? undefined : toCarrier(active, false, true);
  }

  #passOn(active: Context, parent: SpanContext): Sending | undefined {
    const carrier = toCarrier(active, this.#withBaggage, false);
    this.#lastParent = parent;
    this.#lastContext = active;
    return (this.#last = carrier && { carrier });
  }

  /** What a sampler may judge by. It is asked for each call, and the next call is usually for jobs of the same name. */
  #sampledBy(jobs: readonly SentJob[]): Attributes {
    const name = jobs.length === 1 ? jobs[0]?.name : undefined;
    if (name === undefined) return this.#common;
    if (name !== this.#lastName) {
      this.#lastName = name;
      this.#lastNamed = { ...this.#common, [ATTRIBUTES.job]: labelOf(name) };
    }
    return this.#lastNamed;
  }
}

/** What only a recorded span says. */
function describeSend(span: Span, jobs: readonly SentJob[]): void {
  const [first] = jobs;
  if (jobs.length !== 1 || !first) {
    span.setAttribute(ATTRIBUTES.batch, jobs.length);
    return;
  }
  span.setAttribute(ATTRIBUTES.messageId, first.id);
  if (first.delayMs) span.setAttribute(ATTRIBUTES.delay, first.delayMs / 1000);
}

function endSend(span: Span, error: unknown, duplicates: number): void {
  try {
    if (duplicates > 0) span.setAttribute(ATTRIBUTES.duplicates, duplicates);
    if (error !== undefined) failSpan(span, error);
  } finally {
    span.end();
  }
}
