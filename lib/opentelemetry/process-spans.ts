import {
  ROOT_CONTEXT,
  SpanKind,
  context,
  trace,
  type Attributes,
  type Context,
  type Tracer,
} from '@opentelemetry/api';
import type {
  ObservedRun,
  ObservedWorker,
  RunEnd,
  RunScope,
  StartedJob,
  TraceCarrier,
} from '../engine/base/telemetry.js';
import { UnreadContext, isLinking, isUnsampled, toContext } from './carrier.js';
import { ATTRIBUTES, SYSTEM } from './conventions.js';
import { failSpan } from './fail-span.js';
import { labelOf } from './labels.js';
import { OpenRuns } from './open-runs.js';

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
  /** Those of each span `process <queue>`. */
  readonly #processing: Attributes;
  readonly #open = new OpenRuns();
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
    this.#processing = {
      ...this.#common,
      [ATTRIBUTES.operation]: 'process',
      [ATTRIBUTES.operationType]: 'process',
    };
  }

  /** The scope in which the handler of a job runs. */
  start(job: StartedJob, carrier: TraceCarrier | undefined): RunScope | undefined {
    const { baggage, traces } = this.#settings;
    if (carrier && carrier === this.#lastUnsampled) return this.#lastScope;
    // As for `send`: the decision that a trace is not sampled holds for the runs of its jobs.
    if (carrier && isUnsampled(carrier)) {
      const scope = new UnreadContext(carrier, baggage);
      // Each run of a job that brings no ids has ids of its own.
      if (carrier['p'] === undefined) return scope;
      this.#lastUnsampled = carrier;
      return (this.#lastScope = scope);
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
    if (span.isRecording()) this.#open.add(span, [job]);
    return scopeOf(trace.setSpan(parent, span));
  }

  /** The same for a handler that gets several jobs: one span, with links to the traces of all of them. */
  startBatch(jobs: readonly StartedJob[], carriers: readonly (TraceCarrier | undefined)[]): RunScope {
    const sampled = carriers.filter((carrier) => carrier !== undefined && !isUnsampled(carrier));
    const links = (sampled as TraceCarrier[]).slice(0, MOST_LINKS).flatMap((carrier) => {
      const remote = trace.getSpanContext(toContext(carrier, false));
      return remote ? [{ context: remote }] : [];
    });
    const [first] = jobs;
    // A batch of one job says which job it is.
    const attributes = {
      ...(first && jobs.length === 1 ? this.#attributesOf(first) : this.#processing),
      [ATTRIBUTES.batch]: jobs.length,
    };
    const span = this.#tracer.startSpan(
      `process ${this.#queue}`,
      { kind: SpanKind.CONSUMER, attributes, links },
      ROOT_CONTEXT,
    );
    if (span.isRecording()) this.#open.add(span, jobs);
    return scopeOf(trace.setSpan(ROOT_CONTEXT, span));
  }

  ended(run: ObservedRun, isOk: boolean): void {
    this.#open.ended(run, isOk);
  }

  gone(run: ObservedRun, end: RunEnd): void {
    this.#open.gone(run, end);
  }

  closed(): void {
    this.#open.closed();
  }

  /** A call that stores outcomes has failed. */
  settleFailed(runs: readonly ObservedRun[], ms: number, error: unknown): void {
    const links = runs.flatMap(({ job }) => this.#open.spanOf(job)?.spanContext() ?? []).slice(0, MOST_LINKS);
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
      ...this.#processing,
      [ATTRIBUTES.messageId]: id,
      [ATTRIBUTES.job]: labelOf(name),
      [ATTRIBUTES.attempt]: attemptsMade,
    };
  }
}

function scopeOf(within: Context): RunScope {
  return {
    run: <Input, Result>(call: (input: Input) => Result, input: Input) =>
      context.with(within, () => call(input)),
  };
}
