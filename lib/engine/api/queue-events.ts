import { EventEmitter } from 'node:events';
import { queueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import { observerOf } from '../connection/observe.js';
import type { ConnectionEventsMap } from '../connection/observe.js';
import { CommandLink } from '../connection/connections.js';
import { emitTo, reportTo } from '../base/emit.js';
import { emptyFields, readBatch } from '../codec/event-batch.js';
import { ConnectionError } from '../base/errors.js';
import type { EventFields } from '../codec/event-batch.js';
import type { QueueEventsOptions } from '../config/options.js';
import { decodeTold } from '../codec/payload.js';
import { queueEventsSchema } from '../config/options/events.js';
import { StreamFeed } from '../connection/stream-feed.js';
import { checkQueueName } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';

export interface QueueEvent {
  jobId: string;
  /** Dispatch name; empty for a job without one. */
  name: string;
  /** Unix ms, by Redis's clock. */
  ts: number;
}
export type WaitingEvent = QueueEvent;
export interface ActiveEvent extends QueueEvent {
  prev: string;
  attempt: number;
}
export interface CompletedEvent extends QueueEvent {
  attempt: number;
  durationUs: number;
  /** The handler's return value, where the worker stores results and it is small. */
  returnvalue: unknown;
}
export interface FailedEvent extends QueueEvent {
  failedReason: string;
  /** The attempt that failed, from 1. Of a job that was cancelled before it started, those used before. */
  attempt: number;
  durationUs: number;
  /** Only where `Queue.cancel` ended the job: there is no retry, and no dead letter. `failedReason` is `cancelled`. */
  cancelled?: true;
}
export interface RetryScheduledEvent extends QueueEvent {
  /** The attempt that will run next. */
  attempt: number;
  backoffMs: number;
}
export interface DelayedEvent extends QueueEvent {
  delay: number;
}
export interface DlqEvent extends QueueEvent {
  reason: string;
  attempt: number;
}
export interface RetriesExhaustedEvent extends QueueEvent {
  attemptsMade: number;
  reason: string;
}
export interface UnknownEvent {
  eventName: string;
  fields: Record<string, string>;
}

/** Listener arguments by event name; the last is the event's id in the stream. */
export interface QueueEventsMap extends ConnectionEventsMap {
  waiting: [WaitingEvent, string];
  active: [ActiveEvent, string];
  completed: [CompletedEvent, string];
  failed: [FailedEvent, string];
  'retry-scheduled': [RetryScheduledEvent, string];
  delayed: [DelayedEvent, string];
  dlq: [DlqEvent, string];
  /** The same event as `dlq`, under the name that tells users of attempts. */
  'retries-exhausted': [RetriesExhaustedEvent, string];
  drained: [string];
  unknown: [UnknownEvent, string];
  error: [Error];
}

/** Between two tries of a subscription that starts by itself. */
const START_AGAIN_MS = 1_000;

/**
 * Subscribes to what happens in a queue, across processes. Has a connection of its own. A listener that throws is
 * reported as `error`, or as a warning where nobody listens for that, and harms nothing.
 */
export class QueueEvents extends EventEmitter<QueueEventsMap> implements AsyncDisposable {
  readonly name: string;
  readonly #link: CommandLink;
  readonly #feed: StreamFeed;
  readonly #start: ReturnType<typeof startAfter>;

  /** @throws ConfigError (CMQ-004) */
  constructor(name: string, options: QueueEventsOptions) {
    super();
    checkQueueName(name);
    options = checkOptions(`QueueEvents "${name}"`, queueEventsSchema, options, ['connection']);
    this.name = name;
    this.#start = startAfter(options.lastEventId ?? '$');
    this.#link = new CommandLink(options.connection, options, observerOf(this));
    this.#feed = new StreamFeed({
      link: this.#link,
      stream: queueKeys(name).events,
      what: 'events',
      lastId: this.#start.lastId,
      blockMs: options.blockingTimeout,
      connectTimeoutMs: options.connectTimeoutMs,
      onEntry: (entry) => {
        this.#dispatch(entry);
      },
      onError: (error) => {
        this.#report(error);
      },
    });
    if (options.autorun !== false) {
      queueMicrotask(() => {
        void this.#runByItself();
      });
    }
  }

  /** Where Redis is away at the start, nobody calls `run()` again: it is tried until Redis is there. */
  async #runByItself(): Promise<void> {
    for (;;) {
      try {
        await this.run();
        return;
      } catch (error) {
        this.#report(error);
        if (!(error instanceof ConnectionError)) return;
      }
      // The connection, which goes on trying, keeps the process alive; this does not.
      await new Promise((resolve) => setTimeout(resolve, START_AGAIN_MS).unref());
    }
  }

  /**
   * Resolves when the starting point is fixed: no later event is missed, whether or not it is read already.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  waitUntilReady(): Promise<void> {
    return this.#feed.waitUntilReady();
  }

  /** Reads until `close()`. Called again, it returns the same promise, or tries again where it failed. */
  run(): Promise<void> {
    return this.#feed.run();
  }

  /** Stops reading and closes the connection. Idempotent. */
  close(): Promise<void> {
    return this.#feed.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #dispatch([rawId, raw]: StreamEntry): void {
    const event = raw[0]?.toString() === 'e' ? String(raw[1]) : undefined;
    const isBatch = event === 'batch';
    if (event !== undefined && !(isBatch ? isBatchHeard(this, raw) : isHeard(this, event))) return;
    const id = rawId.toString();
    const fields = fieldsOf(raw);
    if (isBatch) this.#guard(() => this.#dispatchBatch(id, fields));
    else this.#guard(() => emitEvent(this.#emit, fields.e, fields, id));
  }

  #dispatchBatch(id: string, batch: EventFields): void {
    const known = id === this.#start.entryId ? (this.#start.place ?? 0) : 0;
    let before = 0;
    for (const { event, jobs, fieldsOf: of } of readBatch(batch)) {
      if (isHeard(this, event)) {
        for (let index = Math.max(0, known - before); index < jobs; index++) {
          this.#guard(() => emitEvent(this.#emit, event, of(index), `${id}:${String(before + index + 1)}`));
        }
      }
      before += jobs;
    }
  }

  /** What throws is an entry that is none of ours: listeners are guarded one by one. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#report(error);
    }
  }

  readonly #emit: Emit = (event, ...args) => {
    emitTo(this, event, args, this.#report);
  };

  readonly #report = (error: unknown): void => {
    // That the connection is down has been told.
    if (this.#link.isTold(error)) return;
    reportTo(this, error);
  };
}

/** Calls the listeners. */
type Emit = <E extends keyof QueueEventsMap>(event: E, ...args: QueueEventsMap[E]) => void;

/** By event, where it is not only its own name, what listeners know it as. */
const OTHER_NAMES: Readonly<Record<string, keyof QueueEventsMap>> = { dlq: 'retries-exhausted' };

/** A subscriber of one event should not pay for reading all the others. */
function isHeard(to: EventEmitter<QueueEventsMap>, event: string): boolean {
  if (to.listenerCount(event as keyof QueueEventsMap) > 0 || to.listenerCount('unknown') > 0) return true;
  const other = OTHER_NAMES[event];
  return other !== undefined && to.listenerCount(other) > 0;
}

function isBatchHeard(to: EventEmitter<QueueEventsMap>, [, , field, of]: readonly Buffer[]): boolean {
  if (field?.toString() !== 'of') return true;
  return String(of)
    .split(',')
    .some((event) => isHeard(to, event));
}

function fieldsOf(raw: readonly Buffer[]): EventFields {
  const fields = emptyFields();
  for (let i = 0; i + 1 < raw.length; i += 2) fields[String(raw[i])] = String(raw[i + 1]);
  return fields;
}

/** The id of an event that shares its entry with others: the entry's, and its place there, from 1. */
const PLACED_ID = /^((\d+)-(\d+)):(\d+)$/;

/** Where to begin, so that what comes first is the event after `lastEventId`. */
function startAfter(lastEventId: string): { lastId: string; entryId?: string; place?: number } {
  const [, entryId, ms, sequence, place] = PLACED_ID.exec(lastEventId) ?? [];
  if (entryId === undefined || ms === undefined || sequence === undefined) return { lastId: lastEventId };
  // The entry is read once more, for the events behind that one.
  const lastId =
    BigInt(sequence) > 0n
      ? `${ms}-${String(BigInt(sequence) - 1n)}`
      : `${String(BigInt(ms) - 1n)}-18446744073709551615`;
  return { lastId, entryId, place: Number(place) };
}

function emitEvent(emit: Emit, event: string | undefined, fields: EventFields, eventId: string): void {
  const base: QueueEvent = { jobId: fields.id ?? '', name: fields.n ?? '', ts: Number(fields.ts ?? 0) };
  const attempt = Number(fields.attempt ?? 0);
  const durationUs = Number(fields.duration_us ?? 0);
  switch (event) {
    case 'waiting':
      emit('waiting', base, eventId);
      return;
    case 'active':
      emit('active', { ...base, prev: '', attempt }, eventId);
      return;
    case 'completed':
      emit('completed', { ...base, attempt, durationUs, returnvalue: toldIn(fields) }, eventId);
      return;
    case 'failed':
      emit(
        'failed',
        {
          ...base,
          failedReason: fields.reason ?? '',
          attempt,
          durationUs,
          ...(fields.cancelled === '1' && { cancelled: true }),
        },
        eventId,
      );
      return;
    case 'retry-scheduled':
      emit('retry-scheduled', { ...base, attempt, backoffMs: Number(fields.backoff_ms ?? 0) }, eventId);
      return;
    case 'delayed':
      emit('delayed', { ...base, delay: Number(fields.delay_ms ?? 0) }, eventId);
      return;
    case 'dlq': {
      const reason = fields.reason ?? '';
      emit('dlq', { ...base, reason, attempt }, eventId);
      emit('retries-exhausted', { ...base, reason, attemptsMade: attempt }, eventId);
      return;
    }
    case 'drained':
      emit('drained', eventId);
      return;
    default:
      emit('unknown', { eventName: event ?? '', fields }, eventId);
  }
}

function toldIn({ returnvalue }: EventFields): unknown {
  return returnvalue === undefined ? undefined : decodeTold(returnvalue);
}
