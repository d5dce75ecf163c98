import {
  ROOT_CONTEXT,
  SpanKind,
  context,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import type {
  ObservedRun,
  ObservedWorker,
  RunScope,
  StartedJob,
  TraceCarrier,
} from '../engine/base/telemetry.js';
import { UnreadContext, isLinking, isUnsampled, toContext } from './carrier.js';
import { ATTRIBUTES, SYSTEM } from './conventions.js';
import { failSpan } from './fail-span.js';
import { labelOf } from './labels.js';

export interface ProcessSettings {
  readonly traces: 'continue' | 'link';
  readonly baggage: boolean;
}

/** Most links of a span `settle <queue>`. */
const MOST_LINKS = 64;

/** The spans `process <queue>` and `settle <queue>` of one worker. */
export class ProcessSpans {
  readonly #tracer: Tracer;
  readonly #settings: ProcessSettings;
  readonly #queue: string;
  readonly #common: Attributes;
  /** Of recorded runs whose handler has not settled. The jobs of a batch have the same. */
  readonly #open = new Map<StartedJob, OpenRun>();
  /** Of recorded runs whose outcome is not stored. */
  readonly #unsettled = new Map<StartedJob, SpanContext>();
  /** Jobs that were added together may have the same carrier. */
  #lastUnsampled: TraceCarrier | undefined;
  #lastScope: RunScope | undefined;

  constructor(
    tracer: Tracer,
    { queue, address, group, consumer }: ObservedWorker,
    settings: ProcessSettings,
  ) {
    this.#tracer = tracer;
    this.#settings = settings;
    this.#queue = queue;
    this.#common = {
      [ATTRIBUTES.system]: SYSTEM,
      [ATTRIBUTES.queue]: queue,
      [ATTRIBUTES.group]: group,
      [ATTRIBUTES.client]: consumer,
      [ATTRIBUTES.address]: address,
    };
  }

  /** The scope in which the handler of a job runs. */
  start(job: StartedJob, carrier: TraceCarrier | undefined): RunScope | undefined {
    const { baggage, traces } = this.#settings;
    if (carrier && carrier === this.#lastUnsampled) return this.#lastScope;
    // As for `send`: the decision that a trace is not sampled holds for the runs of its jobs.
    if (carrier && isUnsampled(carrier)) {
      // Each run of such a job has a trace of its own.
      if (carrier['p'] === undefined) return scopeOf(new UnreadContext(carrier, baggage));
      this.#lastUnsampled = carrier;
      return (this.#lastScope = scopeOf(new UnreadContext(carrier, baggage)));
    }
    const sent = carrier ? toContext(carrier, baggage) : ROOT_CONTEXT;
    const remote = trace.getSpanContext(sent);
    const links = remote && (traces === 'link' || (carrier !== undefined && isLinking(carrier)));
    const parent = links ? trace.deleteSpan(sent) : sent;
    const span = this.#tracer.startSpan(
      `process ${this.#queue}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: this.#attributesOf(job),
        ...(links && { links: [{ context: remote }] }),
      },
      parent,
    );
    if (span.isRecording()) this.#open.set(job, { span, left: 1, failures: 0 });
    return scopeOf(trace.setSpan(parent, span));
  }

  /** The same for a handler that gets several jobs: one span, with links to the traces of all of them. */
  startBatch(jobs: readonly StartedJob[], carriers: readonly (TraceCarrier | undefined)[]): RunScope {
    const sampled = carriers.filter((carrier) => carrier !== undefined && !isUnsampled(carrier));
    const links = (sampled as TraceCarrier[]).slice(0, MOST_LINKS).flatMap((carrier) => {
      const remote = trace.getSpanContext(toContext(carrier, false));
      return remote ? [{ context: remote }] : [];
    });
    const attributes = {
      ...this.#common,
      [ATTRIBUTES.operation]: 'process',
      [ATTRIBUTES.operationType]: 'process',
      [ATTRIBUTES.batch]: jobs.length,
    };
    const span = this.#tracer.startSpan(
      `process ${this.#queue}`,
      { kind: SpanKind.CONSUMER, attributes, links },
      ROOT_CONTEXT,
    );
    const run = { span, left: jobs.length, failures: 0 };
    if (span.isRecording()) for (const job of jobs) this.#open.set(job, run);
    return scopeOf(trace.setSpan(ROOT_CONTEXT, span));
  }

  ended(observed: ObservedRun, isOk: boolean): void {
    const { job } = observed;
    const run = this.#open.size > 0 && job ? this.#open.get(job) : undefined;
    if (!run || !job) return;
    this.#open.delete(job);
    this.#unsettled.set(job, run.span.spanContext());
    run.left -= 1;
    try {
      describeEnd(run, observed, isOk);
    } finally {
      if (run.left === 0) run.span.end();
    }
  }

  gone({ job }: ObservedRun): void {
    if (this.#unsettled.size > 0 && job) this.#unsettled.delete(job);
  }

  /** A call that stores outcomes has failed. */
  settleFailed(runs: readonly ObservedRun[], ms: number, error: unknown): void {
    const links = runs.flatMap(({ job }) => (job && this.#unsettled.get(job)) ?? []).slice(0, MOST_LINKS);
    const [only] = runs.length === 1 ? runs : [];
    const span = this.#tracer.startSpan(
      `settle ${this.#queue}`,
      {
        kind: SpanKind.CLIENT,
        startTime: Date.now() - ms,
        links: links.map((linked) => ({ context: linked })),
        attributes: {
          ...this.#common,
          [ATTRIBUTES.operation]: 'settle',
          [ATTRIBUTES.operationType]: 'settle',
          ...(only ? { [ATTRIBUTES.messageId]: only.jobId } : { [ATTRIBUTES.batch]: runs.length }),
        },
      },
      ROOT_CONTEXT,
    );
    try {
      failSpan(span, error);
    } finally {
      span.end();
    }
  }

  #attributesOf({ id, name, attemptsMade }: StartedJob): Attributes {
    return {
      ...this.#common,
      [ATTRIBUTES.operation]: 'process',
      [ATTRIBUTES.operationType]: 'process',
      [ATTRIBUTES.messageId]: id,
      [ATTRIBUTES.job]: labelOf(name),
      [ATTRIBUTES.attempt]: attemptsMade,
    };
  }
}

/** A span of a run, or of a batch. */
interface OpenRun {
  readonly span: Span;
  /** Jobs that have not ended. */
  left: number;
  failures: number;
}

/** Most errors of a batch that its span shows. */
const MOST_FAILURES = 8;

function describeEnd(run: OpenRun, { maxAttempts, outcome }: ObservedRun, isOk: boolean): void {
  const { span } = run;
  if (!isOk && outcome && 'error' in outcome && ++run.failures <= MOST_FAILURES)
    failSpan(span, outcome.error);
  span.setAttribute(ATTRIBUTES.maxAttempts, maxAttempts);
  span.setAttribute(ATTRIBUTES.outcome, OUTCOMES[outcome?.kind ?? (isOk ? 'completed' : 'lost')]);
  if (outcome?.kind === 'retry') span.setAttribute(ATTRIBUTES.backoff, outcome.backoffMs / 1000);
  if (outcome?.kind === 'delayed') span.setAttribute(ATTRIBUTES.delay, outcome.delayMs / 1000);
  if (outcome?.kind === 'dead-letter') span.setAttribute(ATTRIBUTES.reason, outcome.reason);
}

/** What a span says of the outcome, in the words of the metric. */
const OUTCOMES = {
  completed: 'completed',
  retry: 'retried',
  'dead-letter': 'dead-lettered',
  cancelled: 'cancelled',
  dropped: 'dropped',
  delayed: 'released',
  postponed: 'released',
  lost: 'lost',
} as const;

function scopeOf(within: Context): RunScope {
  return { run: (call) => context.with(within, call) };
}
