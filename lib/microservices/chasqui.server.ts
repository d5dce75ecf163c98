import { Logger } from '@nestjs/common';
import {
  Server,
  type CustomTransportStrategy,
  type MessageHandler,
  type Transport,
} from '@nestjs/microservices';
import {
  ConfigError,
  ConnectionError,
  isUnrecoverable,
  messageOf,
  Queue,
  Worker,
  type Job,
  type WorkerEventsMap,
} from '../engine/index.js';
import { ConfigTypeError } from '../engine/base/errors.js';
import { participants, type Participant } from '../engine/api/participants.js';
import { printable } from '../engine/base/printable.js';
import { checkOptions } from '../engine/config/check-options.js';
import { show } from '../engine/config/checks.js';
import { nearestKey } from '../engine/config/nearest-key.js';
import { WORKER_EVENTS } from '../nest/constants.js';
import { logJobs, logPauses } from '../nest/runtime/log-jobs.js';
import { answerOf, toError } from './answer.js';
import { ChasquiContext } from './chasqui.context.js';
import { DuplicatePatternError, NoPatternError, UnhandledPatternError } from './errors.js';
import { messageOfJob, type Message } from './message.js';
import { serverSchema, shareable, type ChasquiServerOptions, type ChasquiStatus } from './options.js';
import { toJobName } from './pattern.js';
import { toReply, type Reply } from './reply.js';
import { runHandler, type Outcome } from './run-handler.js';

/** Binds a handler to this transport in an application with several: `@EventPattern('paid', CHASQUI_TRANSPORT)`. */
export const CHASQUI_TRANSPORT = Symbol.for('nestjs-chasqui');

/** Listeners of `ChasquiServer.on`, which are the listeners of its worker. */
export type ChasquiServerEvents = {
  [Event in keyof WorkerEventsMap]: (...args: WorkerEventsMap[Event]) => void;
};

type Handler = MessageHandler<unknown, ChasquiContext, unknown>;

const REPLY_TTL_SECS = 60;

/**
 * Runs `@EventPattern` and `@MessagePattern` handlers on the jobs of a queue. The pattern is the name of the job. An event
 * completes when its handlers complete, and is retried and dead-lettered like any job. A request completes when its reply
 * is stored.
 *
 * @example
 * ```ts
 * const app = await NestFactory.createMicroservice(AppModule, {
 *   strategy: new ChasquiServer({ queue: 'orders', connection: { host: '127.0.0.1', port: 6379 } }),
 * });
 * ```
 */
export class ChasquiServer
  extends Server<ChasquiServerEvents, ChasquiStatus>
  implements CustomTransportStrategy
{
  override transportId: Transport | symbol = CHASQUI_TRANSPORT;
  /** This class logs failed events with their job, so Nest does not log them again. */
  override readonly propagatesEventHandlerErrors = true;
  protected override readonly logger = new Logger(ChasquiServer.name);
  readonly #queue: string;
  readonly #worker: Worker;
  /** For health checks, from the start to the end. */
  readonly #participant: Participant;
  readonly #handlers = new Map<string, Handler[]>();

  /** @throws ConfigError (CMQ-004) for a wrong option; the message suggests the nearest valid key */
  constructor(options: ChasquiServerOptions) {
    super();
    const checked = checkOptions('ChasquiServer', serverSchema, options, ['queue', 'connection']);
    const { queue, ...workerOptions } = shareable(checked);
    this.#queue = queue;
    this.#worker = new Worker(queue, this.#serve, {
      resultTtlSecs: REPLY_TTL_SECS,
      ...workerOptions,
      storeResults: true,
      autorun: false,
    });
    const { connection, connectTimeoutMs, commandTimeoutMs } = this.#worker.opts;
    const timeouts = {
      ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
      ...(commandTimeoutMs !== undefined && { commandTimeoutMs }),
    };
    // The same connection object, so the queue and the worker share one connection.
    const probe = new Queue(queue, { connection, ...timeouts });
    this.#participant = { kind: 'ChasquiServer', queue: probe, worker: this.#worker };
    this.#watch();
  }

  /**
   * Separates the handlers of several servers in one application. This server then runs the handlers that name `id` as
   * their transport, such as `@MessagePattern('price', id)`, and the handlers that name none. Call it before the server
   * starts.
   */
  override setTransportId(id: Transport | symbol): void {
    if (typeof id !== 'symbol' && typeof id !== 'number') {
      throw new ConfigTypeError(
        `ChasquiServer.setTransportId: the id must be a symbol, as in Symbol('eu'), not ${show(id)}.`,
      );
    }
    this.transportId = id;
  }

  /** Connects, checks the server, and starts the worker. Nest calls it. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    participants.add(this.#participant);
    try {
      if (this.#handlers.size === 0) throw new NoPatternError(this.#queue);
      // `run` settles when the worker has stopped. `waitUntilReady` reports an error at the start.
      this.#worker.run().catch(() => undefined);
      await this.#worker.waitUntilReady();
    } catch (error) {
      // Nest closes only a server that has started, and an open connection would keep the process alive.
      await this.close();
      callback(error);
      return;
    }
    callback();
  }

  /**
   * Stops reading, releases the jobs that have not started, and waits for running handlers up to `shutdownDeadlineSecs`.
   * Nest calls it.
   */
  async close(): Promise<void> {
    participants.delete(this.#participant);
    await Promise.all([this.#worker.close(), this.#participant.queue.close()]);
    this._status$.next('closed');
  }

  /**
   * Listens to the worker.
   * @throws ConfigError (CMQ-004) for an unknown event; the message suggests the nearest one
   */
  override on<Event extends keyof ChasquiServerEvents>(
    event: Event,
    callback: ChasquiServerEvents[Event],
  ): void {
    if (!WORKER_EVENTS.includes(event)) {
      const nearest = nearestKey(event, WORKER_EVENTS);
      const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
      throw new ConfigError(`ChasquiServer.on: there is no event "${event}".${hint}`);
    }
    if (typeof (callback as unknown) !== 'function') {
      throw new ConfigTypeError(`ChasquiServer.on: the listener must be a function, not ${show(callback)}.`);
    }
    this.#worker.on(event, callback as never);
  }

  /** The worker. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- Nest's signature
  override unwrap<T = Worker>(): T {
    return this.#worker as T;
  }

  /**
   * Nest calls it for each handler. Nest would chain the handlers of one event and end the chain when one of them ends
   * without a value. A job must wait for all of its handlers, so they are kept apart here.
   */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const name = toJobName(this.normalizePattern(pattern as string));
    const others = this.#handlers.get(name) ?? [];
    if (others.length > 0 && !(isEventHandler && others[0]?.isEventHandler)) {
      throw new DuplicatePatternError(this.#queue, name);
    }
    Object.assign(callback, { isEventHandler, extras });
    this.#handlers.set(name, [...others, callback as Handler]);
    if (others.length === 0) this.messageHandlers.set(name, callback);
  }

  /** The processor of the worker. Its return value is stored. If it throws, the attempt fails. */
  readonly #serve = async (job: Job): Promise<Reply | undefined> => {
    const message = messageOfJob(job);
    const handlers = this.#handlers.get(job.name);
    if (!handlers) return this.#refuse(job, message);
    const outcomes = await Promise.all(handlers.map((handler) => this.#call(handler, job, message)));
    const { values, failure } = combine(outcomes);
    if (!failure) return message.reply ? toReply(values) : undefined;
    // If the request was cancelled, nobody waits for a reply. If the server must stop, the handler has not finished.
    const answer = message.reply && !job.signal.aborted ? answerOf(failure.error) : undefined;
    if (answer) return toReply(values, answer.error);
    throw toError(failure.error);
  };

  #refuse(job: Job, message: Message): Reply {
    const nearest = nearestKey(job.name, [...this.#handlers.keys()]);
    const error = new UnhandledPatternError(this.#queue, job.name, nearest);
    if (!message.reply) throw error;
    this.logger.warn(printable(`Request ${job.id}: ${error.message}`));
    return toReply([], { status: 'error', message: error.message, code: error.code });
  }

  /** Runs one handler between the hooks of the instrumentation. As in Nest, each handler has its own context. */
  #call(handler: Handler, job: Job, { data, reply, metadata }: Message): Promise<Outcome> {
    const context = new ChasquiContext([job, job.name, metadata]);
    return new Promise((resolve) => {
      const run = async (): Promise<void> => {
        const outcome = await runHandler(handler, data, context, reply);
        this.onProcessingEndHook?.(this.transportId, context);
        resolve(outcome);
      };
      this.onProcessingStartHook(this.transportId, context, run);
    });
  }

  #watch(): void {
    const worker = this.#worker;
    const connected = (): void => {
      if (!worker.isClosed) this._status$.next('connected');
    };
    worker.on('ready', connected);
    worker.on('error', (error) => {
      this.logger.error(printable(`Queue "${this.#queue}": ${messageOf(error)}`));
      if (!(error instanceof ConnectionError) || worker.isClosed) return;
      this._status$.next('interrupted');
      worker.off('active', connected).once('active', connected);
    });
    worker.on('reconnected', ({ address, downMs }) => {
      this.logger.log(`Redis at ${address} answers again, after ${(downMs / 1000).toFixed(1)} s.`);
    });
    worker.on('warning', (warning) => {
      this.logger.warn(warning.message);
    });
    logJobs(this.logger, 'Message', this.#queue, worker);
    logPauses(this.logger, this.#queue, worker);
  }
}

/** The outcome of several handlers of an event. An unrecoverable failure decides before any other failure. */
function combine(outcomes: readonly Outcome[]): Outcome {
  const failed = outcomes.filter(({ failure }) => failure !== undefined);
  const final = failed.find(({ failure }) => isUnrecoverable(failure?.error));
  return final ?? failed[0] ?? (outcomes[0] as Outcome);
}
