import { randomBytes } from 'node:crypto';
import {
  ROOT_CONTEXT,
  TraceFlags,
  context as contexts,
  isSpanContextValid,
  propagation,
  trace,
  type Context,
  type SpanContext,
} from '@opentelemetry/api';
import type { RunScope, TraceCarrier } from '../engine/base/telemetry.js';

/*
 * What travels with a job is what the global propagator writes: usually `traceparent` and `tracestate` of W3C. The headers that
 * most jobs have get short names. `l` says that runs link to the trace, whatever the worker's option says.
 */

const SHORT: Readonly<Record<string, string>> = { traceparent: 'p', tracestate: 's', baggage: 'b' };
const LONG: Readonly<Record<string, string>> = { p: 'traceparent', s: 'tracestate', b: 'baggage' };
const LINK = 'l';
const BAGGAGE = 'b';

/** The context as it travels; undefined if the propagator has nothing to say. */
export function toCarrier(context: Context, withBaggage: boolean, links: boolean): TraceCarrier | undefined {
  const headers: Record<string, unknown> = {};
  propagation.inject(context, headers);
  const carrier: Record<string, string> = {};
  for (const [header, text] of Object.entries(headers)) {
    const name = SHORT[header] ?? header;
    if (typeof text === 'string' && (withBaggage || name !== BAGGAGE)) carrier[name] = text;
  }
  if (Object.keys(carrier).length === 0) return undefined;
  if (links) carrier[LINK] = '1';
  return carrier;
}

/** The context that a job has brought along. Headers that the propagator cannot read leave nothing in it. */
export function toContext(carrier: TraceCarrier, withBaggage: boolean): Context {
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(carrier)) {
    if (name !== LINK && (withBaggage || name !== BAGGAGE)) headers[LONG[name] ?? name] = text;
  }
  return propagation.extract(ROOT_CONTEXT, headers);
}

export function isLinking(carrier: TraceCarrier): boolean {
  return carrier[LINK] === '1';
}

/**
 * Travels where a trace begins with the add and is not sampled. Nobody else knows that trace, so its ids need not travel: the
 * jobs are 56 bytes shorter.
 */
export const UNSAMPLED_ROOT: TraceCarrier = Object.freeze({ u: '1' });
const W3C_FIELDS: readonly string[] = ['traceparent', 'tracestate', 'baggage'];

/** Whether this is all that there is to say of a context that has this span: neither a propagator nor baggage says more. */
export function isUnsampledRoot(context: Context, span: SpanContext, withBaggage: boolean): boolean {
  if ((span.traceFlags & TraceFlags.SAMPLED) !== 0 || span.traceState !== undefined) return false;
  if (!isSpanContextValid(span) || (withBaggage && propagation.getBaggage(context))) return false;
  const fields = propagation.fields();
  return fields.includes('traceparent') && fields.every((field) => W3C_FIELDS.includes(field));
}

const NOT_SAMPLED = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][02468ace]$/;

/** Whether it says that its trace is not sampled. */
export function isUnsampled({ p, u }: TraceCarrier): boolean {
  return p === undefined ? u === UNSAMPLED_ROOT['u'] : NOT_SAMPLED.test(p);
}

/**
 * The context of a job whose trace is not sampled, and the scope of its run: most jobs have one, so it is one object. It is read
 * only if the handler asks, by a call that is instrumented: most handlers of most jobs do not.
 */
export class UnreadContext implements Context, RunScope {
  // Not #private: that would cost each job more.
  private readonly carrier: TraceCarrier;
  private readonly withBaggage: boolean;
  private read: Context | undefined = undefined;

  constructor(carrier: TraceCarrier, withBaggage: boolean) {
    this.carrier = carrier;
    this.withBaggage = withBaggage;
  }

  run<Input, Result>(call: (input: Input) => Result, input: Input): Result {
    return contexts.with(this, call as (input: unknown) => Result, undefined, input);
  }

  getValue(key: symbol): unknown {
    return this.context.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return this.context.setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return this.context.deleteValue(key);
  }

  private get context(): Context {
    return (this.read ??=
      this.carrier['p'] === undefined ? newUnsampled() : toContext(this.carrier, this.withBaggage));
  }
}

/** As if a trace that is not sampled had come from elsewhere. */
function newUnsampled(): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    traceFlags: TraceFlags.NONE,
    isRemote: true,
  });
}
