import type { Span } from '@opentelemetry/api';
import type { ObservedRun, RunEnd, StartedJob } from '../engine/base/telemetry.js';
import { ATTRIBUTES } from './conventions.js';
import { failSpan } from './fail-span.js';

/** A recorded span of a run, or of a batch. */
interface OpenSpan {
  readonly span: Span;
  readonly jobs: number;
  /** Jobs whose outcome is not known, or whose handler has not settled. */
  left: number;
  failures: number;
  completed: number;
  /** The outcome that all jobs have so far. */
  outcome: RunEnd | typeof MIXED | undefined;
  /** When the handler has settled, monotonic ms. */
  endedAt: number | undefined;
}

/** One job of it. */
interface OpenRun {
  readonly of: OpenSpan;
  /** Whether its handler has failed; undefined until it has settled. */
  isOk: boolean | undefined;
  /** How the job has left the worker; undefined until it has. */
  end: RunEnd | undefined;
  /** What was last heard of it; undefined until its handler has settled or it has left the worker. */
  observed: ObservedRun | undefined;
}

/** The outcome of a batch whose jobs do not have the same. */
const MIXED = 'mixed';
/** Most errors of a batch that its span shows. */
const MOST_FAILURES = 8;

/**
 * The recorded spans that have not ended. A span ends when its handler has settled and Redis, or what else decides, has said what
 * becomes of the job, in whatever order. It shows the end of the handler as its end.
 */
export class OpenRuns {
  readonly #runs = new Map<StartedJob, OpenRun>();

  add(span: Span, jobs: readonly StartedJob[]): void {
    const of: OpenSpan = {
      span,
      jobs: jobs.length,
      left: jobs.length,
      failures: 0,
      completed: 0,
      outcome: undefined,
      endedAt: undefined,
    };
    for (const job of jobs) this.#runs.set(job, { of, isOk: undefined, end: undefined, observed: undefined });
  }

  /** The span of a run that has not ended. */
  spanOf(job: StartedJob | undefined): Span | undefined {
    return this.#find(job)?.of.span;
  }

  /** The handler has settled. */
  ended(observed: ObservedRun, isOk: boolean): void {
    const run = this.#find(observed.job);
    if (!run) return;
    run.of.endedAt = performance.now();
    run.isOk = isOk;
    run.observed = observed;
    if (run.end) this.#end(run, observed, run.end);
  }

  /** The outcome is known. */
  gone(observed: ObservedRun, end: RunEnd): void {
    const run = this.#find(observed.job);
    if (!run) return;
    run.end = end;
    run.observed = observed;
    if (run.isOk !== undefined) this.#end(run, observed, end);
  }

  /** The worker is closed: nothing more is heard of what its handlers still do. */
  closed(): void {
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    for (const run of runs) note(run, run.end ?? 'abandoned');
    try {
      for (const run of runs) if (run.observed) describe(run, run.observed, run.end ?? 'abandoned');
    } finally {
      for (const of of new Set(runs.map((run) => run.of))) finish(of);
    }
  }

  #find(job: StartedJob | undefined): OpenRun | undefined {
    return this.#runs.size > 0 && job ? this.#runs.get(job) : undefined;
  }

  #end(run: OpenRun, observed: ObservedRun, end: RunEnd): void {
    if (observed.job) this.#runs.delete(observed.job);
    run.of.left -= 1;
    try {
      note(run, end);
      describe(run, observed, end);
    } finally {
      if (run.of.left === 0) finish(run.of);
    }
  }
}

function note({ of }: OpenRun, end: RunEnd): void {
  if (end === 'completed') of.completed += 1;
  of.outcome = of.outcome === undefined || of.outcome === end ? end : MIXED;
}

function describe({ of, isOk }: OpenRun, { maxAttempts, outcome }: ObservedRun, end: RunEnd): void {
  const { span } = of;
  // A job that runs out of time fails, whatever its handler returns later.
  const isFailed = isOk === false || end === 'retried' || end === 'dead-lettered';
  if (isFailed && outcome && 'error' in outcome && ++of.failures <= MOST_FAILURES)
    failSpan(span, outcome.error, of.endedAt);
  // Of a batch, each job has its own.
  if (of.jobs > 1) return;
  span.setAttribute(ATTRIBUTES.maxAttempts, maxAttempts);
  if (outcome?.kind === 'retry' && end === 'retried')
    span.setAttribute(ATTRIBUTES.backoff, outcome.backoffMs / 1000);
  if (outcome?.kind === 'delayed' && end === 'released')
    span.setAttribute(ATTRIBUTES.delay, outcome.delayMs / 1000);
  if (outcome?.kind === 'dead-letter' && end === 'dead-lettered')
    span.setAttribute(ATTRIBUTES.reason, outcome.reason);
}

function finish({ span, jobs, completed, outcome, endedAt }: OpenSpan): void {
  try {
    if (outcome) span.setAttribute(ATTRIBUTES.outcome, outcome);
    if (jobs > 1) span.setAttribute(ATTRIBUTES.batchCompleted, completed);
  } finally {
    span.end(endedAt);
  }
}
