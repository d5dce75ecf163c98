import { Logger } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { ReplaySubject, throwError, type Observable } from 'rxjs';
import {
  ConfigError,
  ConnectionError,
  messageOf,
  NotSupportedError,
  Queue,
  ShutdownError,
  type BulkJobOptions,
  type Job,
} from '../engine/index.js';
import { participants, type Participant } from '../engine/api/participants.js';
import { printable } from '../engine/base/printable.js';
import { checkOptions } from '../engine/config/check-options.js';
import { settlesWithin } from '../engine/base/deadline.js';
import { ChasquiRecord } from './chasqui.record.js';
import { InvalidPatternError } from './errors.js';
import { withHead, type MessageMetadata } from './message.js';
import {
  clientSchema,
  recordSchema,
  shareable,
  type ChasquiClientOptions,
  type ChasquiStatus,
} from './options.js';
import { toJobName } from './pattern.js';
import { Request } from './request.js';

const TIMEOUT_MS = 30_000;
/** How long `close` waits for the cancellation of open requests, in ms. */
const CANCEL_MS = 2_000;

interface Outgoing {
  readonly name: string;
  readonly data: unknown;
  readonly options: BulkJobOptions;
  readonly timeoutMs: number | undefined;
}

/**
 * Sends messages to a `ChasquiServer` through its queue. The Observable of `emit` emits the job once Redis has stored it.
 * The Observable of `send` emits the reply of the handler.
 *
 * @example
 * ```ts
 * ClientsModule.register([
 *   { name: 'ORDERS', customClass: ChasquiClient, options: { queue: 'orders', connection: 'redis://127.0.0.1' } },
 * ]);
 * ```
 */
export class ChasquiClient extends ClientProxy {
  readonly #logger = new Logger(ChasquiClient.name);
  readonly #queue: Queue;
  /** The requests that wait for a reply. */
  readonly #requests = new Set<Request>();
  readonly #timeoutMs: number;
  /** For health checks. */
  readonly #participant: Participant;
  #closing: Promise<void> | undefined;

  /** @throws ConfigError (CMQ-004) for a wrong option; the message suggests the nearest valid key */
  constructor(options: ChasquiClientOptions) {
    super();
    const checked = checkOptions('ChasquiClient', clientSchema, options, ['queue', 'connection']);
    const { queue, timeoutMs, ...queueOptions } = shareable(checked);
    this.#queue = new Queue(queue, queueOptions);
    this.#queue.on('error', (error) => {
      this.#logger.error(error.message);
      this.#tell('interrupted');
    });
    this.#queue.on('reconnected', ({ address, downMs }) => {
      this.#logger.log(`Redis at ${address} answers again, after ${(downMs / 1000).toFixed(1)} s.`);
      this.#tell('connected');
    });
    this.#queue.on('warning', (warning) => {
      this.#logger.warn(warning.message);
    });
    this.#timeoutMs = timeoutMs ?? TIMEOUT_MS;
    this.#participant = { kind: 'ChasquiClient', queue: this.#queue };
    participants.add(this.#participant);
  }

  /**
   * Resolves when Redis answers and is new enough. `send` and `emit` call it themselves.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004), ShutdownError (CMQ-005)
   */
  async connect(): Promise<Queue> {
    await this.#watched(() => this.#queue.waitUntilReady());
    return this.#queue;
  }

  /**
   * Ends all open requests with a ShutdownError (CMQ-005), cancels them in the queue and on the workers, and closes the
   * connections. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Emits whether the last call to Redis succeeded. It emits nothing before the first call. */
  override get status(): Observable<ChasquiStatus> {
    // Nest's ClientsModule takes only classes whose status is any text.
    return super.status as Observable<ChasquiStatus>;
  }

  /** The queue. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- Nest's signature
  override unwrap<T = Queue>(): T {
    return this.#queue as T;
  }

  /** @throws NotSupportedError (CMQ-100) */
  override on(): never {
    throw new NotSupportedError(
      'ChasquiClient.on is not supported. Use QueueEvents of nestjs-chasqui to listen to events.',
    );
  }

  /**
   * Emits the reply of the handler. The request is sent for each subscriber, and is cancelled when the subscriber
   * unsubscribes.
   *
   * @param data the request's data, or a {@link ChasquiRecord} of data and options
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- Nest's signature
  override send<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    const refused = refusalOf('send', pattern, data);
    return refused ? throwError(() => refused) : super.send<TResult, TInput>(pattern, data);
  }

  /**
   * Adds a job at once, even without a subscriber, and emits it once Redis has stored it. Unlike with other clients of
   * Nest, a late subscriber also gets the job, and an error without a subscriber is logged.
   *
   * @param data the event's data, or a {@link ChasquiRecord} of data and options
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- Nest's signature
  override emit<TResult = Job, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    const emitted = new ReplaySubject<TResult>(1);
    const refused = refusalOf('emit', pattern, data);
    const sent = refused ? throwError(() => refused) : super.emit<TResult, TInput>(pattern, data);
    sent.subscribe({
      next: (job) => {
        emitted.next(job);
      },
      complete: () => {
        emitted.complete();
      },
      error: (error: unknown) => {
        if (!emitted.observed)
          this.#logger.error(printable(`Event not sent to queue "${this.#queue.name}": ${messageOf(error)}`));
        emitted.error(error);
      },
    });
    return emitted.asObservable();
  }

  protected override async dispatchEvent<T = Job>(packet: ReadPacket): Promise<T> {
    const { name, data, options, timeoutMs } = this.#toOutgoing(packet, false);
    if (timeoutMs !== undefined) {
      throw new ConfigError('ChasquiRecord: option "timeoutMs" is only for send. An event has no reply.');
    }
    return (await this.#watched(() => this.#queue.add(name, data, options))) as T;
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    try {
      if (this.#closing) throw this.#closedError();
      const { timeoutMs = this.#timeoutMs, ...outgoing } = this.#toOutgoing(packet, true);
      const { delay = 0 } = outgoing.options;
      if (delay >= timeoutMs) {
        throw new ConfigError(
          `ChasquiRecord: the delay of the request (${String(delay)} ms) must be shorter than timeoutMs (${String(timeoutMs)}), or no reply can come in time.`,
        );
      }
      const request = new Request(this.#queue, { ...outgoing, timeoutMs }, callback);
      this.#requests.add(request);
      void request.send().then(() => this.#requests.delete(request));
      return () => {
        void request.abandon();
      };
    } catch (err) {
      callback({ err, isDisposed: true });
      return () => undefined;
    }
  }

  #toOutgoing(packet: ReadPacket, reply: boolean): Outgoing {
    const name = toJobName(this.normalizePattern(packet.pattern as string));
    const given: unknown = packet.data;
    const record = given instanceof ChasquiRecord ? given : new ChasquiRecord(given);
    const { timeoutMs, ...options } = checkOptions('ChasquiRecord', recordSchema, record.options);
    // Nest 11 has no metadata.
    const { metadata } = packet as { metadata?: MessageMetadata };
    return { name, data: record.data, options: withHead(options, { reply, metadata }), timeoutMs };
  }

  /** Makes a call to Redis and updates the status. */
  async #watched<T>(call: () => Promise<T>): Promise<T> {
    try {
      const result = await call();
      if (!this.#closing) this.#tell('connected');
      return result;
    } catch (error) {
      if (error instanceof ConnectionError && !this.#closing) this.#tell('interrupted');
      throw error;
    }
  }

  #tell(status: ChasquiStatus): void {
    this._status$.next(status);
  }

  async #close(): Promise<void> {
    participants.delete(this.#participant);
    const abandoned = [...this.#requests].map((request) => request.abandon(this.#closedError()));
    await settlesWithin(Promise.all(abandoned), CANCEL_MS);
    await this.#queue.close();
    this.#tell('closed');
  }

  #closedError(): ShutdownError {
    return new ShutdownError(
      `The client of queue "${this.#queue.name}" was closed before the reply arrived.`,
    );
  }
}

/** The error for a message that Nest's `ClientProxy` would refuse with an error without a code. */
function refusalOf(method: string, pattern: unknown, data: unknown): Error | undefined {
  if (pattern === undefined || pattern === null) {
    return new InvalidPatternError(`ChasquiClient.${method} got ${String(pattern)}.`);
  }
  if (data !== undefined && data !== null) return undefined;
  return new ConfigError(
    `ChasquiClient.${method}: the data must not be ${String(data)}. If the message has no data, pass an empty object.`,
  );
}
