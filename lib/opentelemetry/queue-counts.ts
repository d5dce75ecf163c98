import type { Attributes } from '@opentelemetry/api';
import type { DlqReason } from '../engine/index.js';
import type { RunEnd } from '../engine/base/telemetry.js';
import { ATTRIBUTES, SYSTEM } from './conventions.js';
import { NameTable, errorTypeOf } from './labels.js';
import { Share } from './share.js';

/** Most values of `error.type` of one queue and one kind of measurement. */
const MAX_ERROR_TYPES = 50;

type Outcome = Exclude<RunEnd, 'lost'>;

/** Every way in which a run can end, so that its counter is there before it counts: see `NameCounts.endedCounts`. */
const ENDS: readonly (readonly [Outcome, DlqReason?])[] = [
  ...(['completed', 'retried', 'cancelled', 'dropped', 'released', 'abandoned'] as const).map(
    (end) => [end] as const,
  ),
  ...(
    [
      'retries_exhausted',
      'unrecoverable',
      'expired',
      'decode_failed',
      'malformed',
      'oversize_payload',
    ] as const
  ).map((reason) => ['dead-lettered', reason] as const),
];

/** A number that only grows, and its labels. */
export class Count {
  value = 0;
  readonly attributes: Attributes;

  constructor(attributes: Attributes) {
    this.attributes = attributes;
  }
}

/** What this process has counted of the jobs of one queue that have one name. */
export class NameCounts {
  readonly sent: Count;
  readonly consumed: Count;
  /** As {@link ended} says it: how almost all runs end. */
  readonly completed: Count;
  /** Of runs that have not failed. */
  readonly processed: Attributes;
  readonly waited: Attributes;
  readonly waits: Share;
  readonly runs: Share;
  readonly #ended = new Map<string, Count>();
  readonly #notSent: NameTable<Count>;
  readonly #failed: NameTable<Attributes>;
  readonly #own: Attributes;

  constructor(queue: string, job: string, mostPerSecond: number) {
    const own = (this.#own = { [ATTRIBUTES.queue]: queue, [ATTRIBUTES.job]: job });
    const send = { ...messaging(queue, 'send'), [ATTRIBUTES.job]: job };
    const process = { ...messaging(queue, 'process'), [ATTRIBUTES.job]: job };
    this.sent = new Count(send);
    this.consumed = new Count(process);
    this.completed = this.ended('completed', undefined);
    this.processed = process;
    this.waited = own;
    this.waits = new Share(mostPerSecond);
    this.runs = new Share(mostPerSecond);
    this.#notSent = new NameTable(
      MAX_ERROR_TYPES,
      (type) => new Count({ ...send, [ATTRIBUTES.errorType]: type }),
    );
    this.#failed = new NameTable(MAX_ERROR_TYPES, (type) => ({ ...process, [ATTRIBUTES.errorType]: type }));
  }

  notSent(error: unknown): Count {
    return this.#notSent.of(errorTypeOf(error));
  }

  /** The labels of a run that has failed. */
  failed(error: unknown): Attributes {
    return this.#failed.of(errorTypeOf(error));
  }

  ended(outcome: Outcome, reason: DlqReason | undefined): Count {
    const key = reason ?? outcome;
    let count = this.#ended.get(key);
    if (!count) {
      count = new Count({
        ...this.#own,
        [ATTRIBUTES.outcome]: outcome,
        ...(reason && { [ATTRIBUTES.reason]: reason }),
      });
      this.#ended.set(key, count);
    }
    return count;
  }

  *sentCounts(): Iterable<Count> {
    yield this.sent;
    yield* this.#notSent.values();
  }

  /** All of them, also those that are 0: a reader such as Prometheus does not see the first step of a series that is new. */
  endedCounts(): Iterable<Count> {
    for (const [outcome, reason] of ENDS) this.ended(outcome, reason);
    return this.#ended.values();
  }
}

/** What this process has counted of one queue. */
export class QueueCounts {
  readonly queue: string;
  readonly names: NameTable<NameCounts>;
  readonly duplicates: Count;
  readonly promoted: Count;
  readonly fired: Count;
  readonly evicted: Count;
  readonly leasesLost: Count;
  readonly sends: Share;
  readonly settles: Share;
  /** Whether this process has, or had, a queue object or a producer for it. */
  isAdded = false;
  /** Whether it has, or had, a worker for it. */
  isWorked = false;
  readonly #operations = new Map<string, NameTable<Attributes>>();

  constructor(queue: string, maxJobNames: number, mostPerSecond: number) {
    this.queue = queue;
    this.names = new NameTable(maxJobNames, (job) => new NameCounts(queue, job, mostPerSecond));
    const own = { [ATTRIBUTES.queue]: queue };
    this.duplicates = new Count(own);
    this.promoted = new Count(own);
    this.fired = new Count(own);
    this.evicted = new Count(own);
    this.leasesLost = new Count(own);
    this.sends = new Share(mostPerSecond);
    this.settles = new Share(mostPerSecond);
  }

  /** The labels of a call to Redis. */
  operation(name: 'send' | 'settle', error: unknown): Attributes {
    let known = this.#operations.get(name);
    if (!known) {
      const common = { ...messaging(this.queue, name), [ATTRIBUTES.operationType]: name };
      known = new NameTable<Attributes>(MAX_ERROR_TYPES, (type) =>
        type === OK ? common : { ...common, [ATTRIBUTES.errorType]: type },
      );
      this.#operations.set(name, known);
    }
    return known.of(error === undefined ? OK : errorTypeOf(error));
  }
}

const OK = 'ok';

function messaging(queue: string, operation: string): Attributes {
  return {
    [ATTRIBUTES.system]: SYSTEM,
    [ATTRIBUTES.operation]: operation,
    [ATTRIBUTES.queue]: queue,
  };
}
