import { EventEmitter } from 'node:events';
import type { Client } from '../redis/client.js';
import { discard } from '../redis/client.js';
import { settlesWithin, withDeadline } from '../redis/deadline.js';
import { queueKeys } from '../redis/keys.js';
import { streamsOf } from '../redis/replies.js';
import type { StreamEntry } from '../redis/replies.js';
import { CONNECT_TIMEOUT_MS, CommandLink, connect, toConnectionError } from './connections.js';
import { ConnectionError } from './errors.js';
import type { QueueEventsOptions } from './options.js';
import { queueEventsSchema } from './schemas.js';
import { checkOptions, checkQueueName } from './validate.js';

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
export interface QueueEventsMap {
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

const BLOCKING_TIMEOUT_MS = 10_000;
/** How long after its block time a read may stay without an answer before its connection is thrown away. */
const GRACE_MS = 2_000;

/**
 * Subscribes to what happens in a queue, across processes. Has a connection of its own. A listener that throws is
 * reported as `error`, or as a warning where nobody listens for that, and harms nothing.
 */
export class QueueEvents extends EventEmitter<QueueEventsMap> implements AsyncDisposable {
  readonly name: string;
  readonly #options: QueueEventsOptions;
  readonly #stream: string;
  readonly #link: CommandLink;
  #client: Client | undefined;
  #lastId: string;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #ready: Promise<void>;
  #markReady: () => void = () => undefined;
  #markFailed: (error: unknown) => void = () => undefined;

  /** @throws ConfigError (CMQ-004) */
  constructor(name: string, options: QueueEventsOptions) {
    super();
    checkQueueName(name);
    checkOptions(`QueueEvents "${name}"`, queueEventsSchema, options, ['connection']);
    this.name = name;
    this.#options = options;
    this.#stream = queueKeys(name).events;
    this.#lastId = options.lastEventId ?? '$';
    this.#link = new CommandLink(options.connection, options);
    this.#ready = new Promise((resolve, reject) => {
      this.#markReady = resolve;
      this.#markFailed = reject;
    });
    this.#ready.catch(() => undefined);
    if (options.autorun !== false) {
      queueMicrotask(() => {
        this.run().catch((error: unknown) => {
          this.#report(error);
        });
      });
    }
  }

  /**
   * Resolves when the starting point is fixed: no later event is missed.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  waitUntilReady(): Promise<void> {
    return this.#ready;
  }

  /** Reads until `close()`. Called again, it returns the same promise. */
  run(): Promise<void> {
    this.#running ??= this.#closing ? this.#closing : this.#run();
    return this.#running;
  }

  /** Stops reading and closes the connection. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#markReady();
    if (this.#client) discard(this.#client);
    if (this.#running) await settlesWithin(this.#running, GRACE_MS);
    this.#link.release();
  }

  async #run(): Promise<void> {
    try {
      await this.#link.ready();
      if (this.#lastId === '$') this.#lastId = await this.#newestId();
    } catch (error) {
      this.#markFailed(error);
      if (this.#closing) return;
      throw error;
    }
    this.#markReady();
    let failures = 0;
    while (!this.#closing) {
      try {
        await this.#read();
        failures = 0;
      } catch (error) {
        if (this.#isClosing()) return;
        this.#report(error);
        this.#dropClient();
        failures += 1;
        await pause(Math.min(50 * 2 ** failures, 1000));
      }
    }
  }

  /** A separate look at the field: TypeScript does not know that it changes during an await. */
  #isClosing(): boolean {
    return this.#closing !== undefined;
  }

  async #newestId(): Promise<string> {
    const reply = (await this.#link.call('XREVRANGE', [this.#stream, '+', '-', 'COUNT', 1])) as [
      string,
      unknown,
    ][];
    return reply[0]?.[0] ?? '0-0';
  }

  async #read(): Promise<void> {
    const block = this.#options.blockingTimeout ?? BLOCKING_TIMEOUT_MS;
    const client = await this.#connected();
    const reply = await withDeadline(
      client.callBuffer('XREAD', 'COUNT', 1000, 'BLOCK', block, 'STREAMS', this.#stream, this.#lastId),
      block + GRACE_MS,
      () => new ConnectionError(`Redis at ${this.#link.address} did not answer a blocking read of events.`),
    ).catch((error: unknown) => {
      throw toConnectionError(error, client, this.#isClosing());
    });
    for (const [, entries] of streamsOf(reply)) {
      for (const entry of entries) {
        this.#lastId = entry[0].toString();
        this.#dispatch(entry);
      }
    }
  }

  async #connected(): Promise<Client> {
    if (!this.#client) {
      this.#client = this.#link.openBlocking();
      await connect(this.#client, this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, () => undefined);
    }
    return this.#client;
  }

  #dropClient(): void {
    if (this.#client) discard(this.#client);
    this.#client = undefined;
  }

  #dispatch(entry: StreamEntry): void {
    try {
      emitEvent(this, entry);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    const reported = error instanceof Error ? error : new Error(String(error));
    try {
      if (this.listenerCount('error') > 0) this.emit('error', reported);
      else process.emitWarning(reported);
    } catch (thrown) {
      process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
    }
  }
}

/** By event, where it is not only its own name, what listeners know it as. */
const OTHER_NAMES: Readonly<Record<string, keyof QueueEventsMap>> = { dlq: 'retries-exhausted' };

/** A subscriber of one event should not pay for reading all the others. */
function isHeard(to: EventEmitter<QueueEventsMap>, [field, value]: readonly Buffer[]): boolean {
  if (field?.toString() !== 'e') return true;
  const event = String(value);
  if (to.listenerCount(event as keyof QueueEventsMap) > 0 || to.listenerCount('unknown') > 0) return true;
  const other = OTHER_NAMES[event];
  return other !== undefined && to.listenerCount(other) > 0;
}

function emitEvent(to: EventEmitter<QueueEventsMap>, [rawId, raw]: StreamEntry): void {
  if (!isHeard(to, raw)) return;
  const eventId = rawId.toString();
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < raw.length; i += 2) fields[String(raw[i])] = String(raw[i + 1]);
  const base: QueueEvent = { jobId: fields.id ?? '', name: fields.n ?? '', ts: Number(fields.ts ?? 0) };
  const attempt = Number(fields.attempt ?? 0);
  const durationUs = Number(fields.duration_us ?? 0);
  switch (fields.e) {
    case 'waiting':
      to.emit('waiting', base, eventId);
      return;
    case 'active':
      to.emit('active', { ...base, prev: '', attempt }, eventId);
      return;
    case 'completed':
      to.emit('completed', { ...base, attempt, durationUs, returnvalue: parse(fields.returnvalue) }, eventId);
      return;
    case 'failed':
      to.emit(
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
      to.emit('retry-scheduled', { ...base, attempt, backoffMs: Number(fields.backoff_ms ?? 0) }, eventId);
      return;
    case 'delayed':
      to.emit('delayed', { ...base, delay: Number(fields.delay_ms ?? 0) }, eventId);
      return;
    case 'dlq': {
      const reason = fields.reason ?? '';
      to.emit('dlq', { ...base, reason, attempt }, eventId);
      to.emit('retries-exhausted', { ...base, reason, attemptsMade: attempt }, eventId);
      return;
    }
    case 'drained':
      to.emit('drained', eventId);
      return;
    default:
      to.emit('unknown', { eventName: fields.e ?? '', fields }, eventId);
  }
}

function parse(json: string | undefined): unknown {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
