import { Logger } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { ReplaySubject, type Observable } from 'rxjs';
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
/** How long `close` waits for the cancellation of what it abandons, in ms. */
const CANCEL_MS = 2_000;

interface Outgoing {
  readonly name: string;
  readonly data: unknown;
  readonly options: BulkJobOptions;
  readonly timeoutMs: number | undefined;
}

/**
 * Sends messages to a `ChasquiServer` through its queue. `emit` emits the job when it is durable in Redis; `send` emits
 * what the handler answers.
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
  /** Those that nobody has answered. */
  readonly #requests = new Set<Request>();
  readonly #timeoutMs: number;
  /** For health checks. */
  readonly #participant: Participant;
  #closing: Promise<void> | undefined;

  /** @throws ConfigError (CMQ-004) for a wrong option; names the nearest valid key. */
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
   * Resolves when Redis answers and is new enough. `send` and `emit` do it by themselves.
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004), ShutdownError (CMQ-005)
   */
  async connect(): Promise<Queue> {
    await this.#watched(() => this.#queue.waitUntilReady());
    return this.#queue;
  }

  /**
   * Ends what waits for a reply with a ShutdownError (CMQ-005), cancels these requests wherever they are, and lets go of
   * the connections. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Whether the last call to Redis succeeded. Nothing before the first. */
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
      'ChasquiClient.on is not supported: listen with QueueEvents of nestjs-chasqui.',
    );
  }

  /**
   * Adds a job, whether or not somebody subscribes, and emits it when it is durable in Redis. Unlike other clients of
   * Nest, also to those who subscribe later; and an error that nobody subscribes to is logged.
   *
   * @param data the event's data, or a {@link ChasquiRecord} of data and options
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- Nest's signature
  override emit<TResult = Job, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    const emitted = new ReplaySubject<TResult>(1);
    super.emit<TResult, TInput>(pattern, data).subscribe({
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
      throw new ConfigError(
        'ChasquiRecord: option "timeoutMs" is for send; an event has no reply to wait for.',
      );
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
          `ChasquiRecord: a reply cannot come within timeoutMs (${String(timeoutMs)}) of a request with a delay of ${String(delay)} ms.`,
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
    // Nest 11 has none.
    const { metadata } = packet as { metadata?: MessageMetadata };
    return { name, data: record.data, options: withHead(options, { reply, metadata }), timeoutMs };
  }

  /** A call to Redis, which tells the status. */
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
    return new ShutdownError(`The client of queue "${this.#queue.name}" was closed before a reply came.`);
  }
}
