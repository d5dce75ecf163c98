import {
  ROOT_CONTEXT,
  SpanKind,
  context,
  trace,
  type Attributes,
  type Context,
  type Link,
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

/** What a run begins in. */
interface Origin {
  readonly parent: Context;
  readonly link: Link | undefined;
}

const NOWHERE: Origin = { parent: ROOT_CONTEXT, link: undefined };

/** Most links of a span `settle <queue>`. */
const MOST_LINKS = 64;

/** The spans `process <queue>` and `settle <queue>` of one worker. */
export class ProcessSpans {
  readonly #tracer: Tracer;
  readonly #settings: ProcessSettings;
  readonly #queue: string;
  readonly #name: string;
  readonly #common: Attributes;
  /** Those of each span `process <queue>`. */
  readonly #processing: Attributes;
  readonly #open = new OpenRuns();
  /** Jobs that were added together may have the same carrier. */
  #lastUnsampled: TraceCarrier | undefined;
  #lastScope: RunScope | undefined;
  #lastCarrier: TraceCarrier | undefined;
  #lastOrigin: Origin = NOWHERE;
  #lastName: string | undefined;
  #lastAttempt = 0;
  #lastNamed: Attributes = {};

  constructor(
    tracer: Tracer,
    { queue, address, group, consumer }: ObservedWorker,
    settings: ProcessSettings,
  ) {
    this.#tracer = tracer;
    this.#settings = settings;
    this.#queue = queue;
    this.#name = `process ${queue}`;
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
    if (carrier && carrier === this.#lastUnsampled) return this.#lastScope;
    // As for `send`: the decision that a trace is not sampled holds for the runs of its jobs.
    if (carrier && isUnsampled(carrier)) {
      const scope = new UnreadContext(carrier, this.#settings.baggage);
      // Each run of a job that brings no ids has ids of its own.
      if (carrier['p'] === undefined) return scope;
      this.#lastUnsampled = carrier;
      return (this.#lastScope = scope);
    }
    const { parent, link } = carrier ? this.#originOf(carrier) : NOWHERE;
    // Copies: a tracer may keep what it gets, and change it.
    const attributes = { ...this.#sampledBy(job) };
    const kind = SpanKind.CONSUMER;
    const options = link ? { kind, attributes, links: [{ ...link }] } : { kind, attributes };
    const span = this.#tracer.startSpan(this.#name, options, parent);
    if (span.isRecording()) {
      this.#open.add(span, [job]);
      span.setAttribute(ATTRIBUTES.messageId, job.id);
    }
    return new SpanScope(trace.setSpan(parent, span));
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
    const only = jobs.length === 1 ? first : undefined;
    const attributes = {
      ...(only ? this.#sampledBy(only) : this.#processing),
      [ATTRIBUTES.batch]: jobs.length,
    };
    const options = { kind: SpanKind.CONSUMER, attributes, links };
    const span = this.#tracer.startSpan(this.#name, options, ROOT_CONTEXT);
    if (span.isRecording()) {
      this.#open.add(span, jobs);
      if (only) span.setAttribute(ATTRIBUTES.messageId, only.id);
    }
    return new SpanScope(trace.setSpan(ROOT_CONTEXT, span));
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

  /** Where the run of a job that has brought a trace belongs. Asked for each run, and the next job has often the same carrier. */
  #originOf(carrier: TraceCarrier): Origin {
    if (carrier === this.#lastCarrier) return this.#lastOrigin;
    const { baggage, traces } = this.#settings;
    const sent = toContext(carrier, baggage);
    const remote = trace.getSpanContext(sent);
    // Nothing is known of it: a propagator may be registered before the next run.
    if (!remote) return { parent: sent, link: undefined };
    const isLinked = traces === 'link' || isLinking(carrier);
    this.#lastCarrier = carrier;
    return (this.#lastOrigin = isLinked
      ? { parent: trace.deleteSpan(sent), link: { context: remote } }
      : { parent: sent, link: undefined });
  }

  /** What a sampler may judge by. It is asked for each run, and the next run is usually of a job of the same name. */
  #sampledBy({ name, attemptsMade }: StartedJob): Attributes {
    if (name !== this.#lastName || attemptsMade !== this.#lastAttempt) {
      this.#lastName = name;
      this.#lastAttempt = attemptsMade;
      this.#lastNamed = {
        ...this.#processing,
        [ATTRIBUTES.job]: labelOf(name),
        [ATTRIBUTES.attempt]: attemptsMade,
      };
    }
    return this.#lastNamed;
  }
}

class SpanScope implements RunScope {
  // Not #private: that would cost each job more.
  private readonly within: Context;

  constructor(within: Context) {
    this.within = within;
  }

  run<Input, Result>(call: (input: Input) => Result, input: Input): Result {
    return context.with(this.within, call as (input: unknown) => Result, undefined, input);
  }
}
