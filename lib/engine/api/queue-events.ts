import { EventEmitter } from 'node:events';
import { queueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import { emitTo, reportTo } from '../base/emit.js';
import { emptyFields, readBatch } from '../codec/event-batch.js';
import type { EventFields } from '../codec/event-batch.js';
import type { QueueEventsOptions } from '../config/options.js';
import { checkQueueName } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';
import { queueEventsSchema } from '../config/options/events.js';
import { CommandLink } from '../connection/command-link.js';
import { emittingObserver } from '../connection/observe.js';
import { StreamFeed } from '../connection/stream-feed.js';
import { runByItself } from './by-itself.js';
import { emitEvent } from './emit-event.js';
import type { Emit } from './emit-event.js';
import type { QueueEventsMap } from './queue-event-types.js';

/**
 * Subscribes to the events of a queue, from all processes, over a connection of its own. An error that a listener throws
 * is emitted as `error`, or becomes a process warning if there is no listener for that.
 */
export class QueueEvents extends EventEmitter<QueueEventsMap> implements AsyncDisposable {
  readonly name: string;
  readonly #link: CommandLink;
  readonly #feed: StreamFeed;
  readonly #start: Start;
  #isClosed = false;

  /** @throws ConfigError (CMQ-004) */
  constructor(name: string, options: QueueEventsOptions) {
    super();
    checkQueueName(name);
    options = checkOptions(`QueueEvents "${name}"`, queueEventsSchema, options, ['connection']);
    this.name = name;
    this.#start = startAfter(options.lastEventId ?? '$');
    this.#link = new CommandLink(options.connection, options, emittingObserver(this));
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
    if (options.autorun !== false) runByItself(this, this.#report);
  }

  /**
   * Resolves when the starting point is fixed: from then on, no event is missed, even if reading starts later.
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
    this.#isClosed = true;
    return this.#feed.close();
  }

  /** True from the first call of `close()` on. */
  get isClosed(): boolean {
    return this.#isClosed;
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
    const skipped = id === this.#start.entryId ? (this.#start.place ?? 0) : 0;
    let before = 0;
    for (const { event, jobs, fieldsOf: of } of readBatch(batch)) {
      if (isHeard(this, event)) {
        for (let index = Math.max(0, skipped - before); index < jobs; index++) {
          this.#guard(() => emitEvent(this.#emit, event, of(index), `${id}:${String(before + index + 1)}`));
        }
      }
      before += jobs;
    }
  }

  /** Reports an entry that cannot be read. Errors of listeners do not get here: each listener has a guard of its own. */
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
    // The outage of a connection is reported once, when it begins.
    if (this.#link.isFromOutage(error)) return;
    reportTo(this, error);
  };
}

/** The second name of an event that has one. */
const OTHER_NAMES: Readonly<Record<string, keyof QueueEventsMap>> = { dlq: 'retries-exhausted' };

/** A subscriber of one event should not pay for decoding all the others. */
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

/** The id of an event that shares its entry with others: the id of the entry, and the place of the event there, from 1. */
const PLACED_ID = /^((\d+)-(\d+)):(\d+)$/;

interface Start {
  /** The entry after which to read. */
  lastId: string;
  /** The entry of which only the events after `place` are new. */
  entryId?: string;
  place?: number;
}

/** Where to start reading, so that the first event is the one after `lastEventId`. */
function startAfter(lastEventId: string): Start {
  const [, entryId, ms, sequence, place] = PLACED_ID.exec(lastEventId) ?? [];
  if (entryId === undefined || ms === undefined || sequence === undefined) return { lastId: lastEventId };
  // The entry is read once more, for its later events.
  const lastId =
    BigInt(sequence) > 0n
      ? `${ms}-${String(BigInt(sequence) - 1n)}`
      : `${String(BigInt(ms) - 1n)}-18446744073709551615`;
  return { lastId, entryId, place: Number(place) };
}
