import { types } from 'node:util';
import { randomUUID } from 'node:crypto';
import { addressOf, isCluster, send } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { settlesWithin, withDeadline } from '../../redis/deadline.js';
import type { QueueKeys } from '../../redis/keys.js';
import { isNumbered, runScript, scriptCall } from '../../redis/script-registry.js';
import type { ScriptCall } from '../../redis/script-command.js';
import type { ScriptArgument, ScriptName, ScriptOptions, ScriptRunner } from '../../redis/script-runner.js';
import { createClient } from './create-client.js';
import { describe, toConnectionError, withoutSecrets } from './explain.js';
import { lastErrorOf } from './last-error.js';
import { checkConnection } from '../config/read-connection.js';
import { SharedConnection } from './shared.js';
import type { ConnectionObserver } from './shared.js';
import { ConnectionError } from '../base/errors.js';
import type { DataLostError } from '../base/errors.js';
import type { Connection } from '../config/options.js';
import { outsideOfContext } from '../base/own-context.js';

export const CONNECT_TIMEOUT_MS = 10_000;
export const COMMAND_TIMEOUT_MS = 10_000;

/** How long a probe waits for an answer. */
const PROBE_MS = 500;

/** The state of a connection, without user names and passwords. */
export interface ConnectionInfo {
  /** Host and port. */
  address: string;
  /** The status of the ioredis client: `ready`, `connecting`, `reconnecting`, … `end` = given up until the next use. */
  status: string;
  /** The last error, while the connection is not `ready`. */
  lastError: string | undefined;
  /** The server's `maxmemory-policy`; undefined if it is not known yet, or if the user may not read it. */
  evictionPolicy: string | undefined;
}

export interface LinkOptions {
  connectTimeoutMs?: number | undefined;
  commandTimeoutMs?: number | undefined;
}

/**
 * The share that a queue or a worker has in the command connection. It runs scripts and commands with a deadline. Errors
 * become a {@link ConnectionError} that names the address.
 */
export class CommandLink implements ScriptRunner {
  readonly client: Client;
  readonly #shared: SharedConnection;
  readonly #connection: Connection;
  readonly #observer: ConnectionObserver | undefined;
  readonly #connectTimeoutMs: number;
  /** 0 = none. */
  readonly commandTimeoutMs: number;
  /** Identifies this caller in the call-dedup ring. */
  readonly #id = randomUUID();
  #calls = 0;
  #released = false;

  /** @throws ConfigError (CMQ-004) for a connection that cannot be used. The message shows none of its values. */
  constructor(connection: Connection, options: LinkOptions = {}, observer?: ConnectionObserver) {
    checkConnection('CommandLink', connection);
    this.#connection = connection;
    // The connection outlives the code that first needs it, such as a request.
    this.#shared = outsideOfContext(() => SharedConnection.acquire(connection));
    this.#observer = observer;
    if (observer) this.#shared.observe(observer);
    this.client = this.#shared.client;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.commandTimeoutMs = options.commandTimeoutMs ?? timeoutOf(connection) ?? COMMAND_TIMEOUT_MS;
  }

  /** Host and port, for messages. */
  get address(): string {
    return addressOf(this.client);
  }

  get info(): ConnectionInfo {
    const { status } = this.client;
    const lastError = lastErrorOf(this.client);
    const isReady = status === 'ready';
    return {
      address: this.address,
      status,
      lastError: isReady || !lastError ? undefined : describe(lastError, this.client),
      evictionPolicy: this.#shared.facts?.evictionPolicy,
    };
  }

  /** True once the server was reached and checked. */
  get isReady(): boolean {
    return this.#shared.isReady;
  }

  /** The error that began the current outage, if there is one. */
  get outage(): ConnectionError | undefined {
    return this.#shared.outage;
  }

  /**
   * Marks the error of a call that failed during an outage, so that {@link isFromOutage} recognizes it later. Returns it.
   * @param outages how many outages there had been when the call began
   */
  markOutage<E>(error: E, outages = this.#shared.outages): E {
    const isFromOutage = this.outage !== undefined || this.#shared.outages !== outages;
    if (isFromOutage && typeof error === 'object' && error !== null) this.#shared.outageErrors.add(error);
    return error;
  }

  /** Whether an outage caused an error. The outage is reported once, when it begins, so such errors are not. */
  isFromOutage(error: unknown): boolean {
    if (!types.isNativeError(error) || !(error instanceof ConnectionError)) return false;
    return this.outage !== undefined || this.#shared.outageErrors.has(error);
  }

  /** How long the current outage has lasted, in ms; 0 if there is none. */
  get downMs(): number {
    return this.#shared.downMs;
  }

  /** True after {@link release}. */
  get isReleased(): boolean {
    return this.#released;
  }

  /** True if no call can succeed any more: the link is released, or it uses a client of the user's own that has ended. */
  get isEnded(): boolean {
    return this.#released || (this.client.status === 'end' && !this.#shared.own);
  }

  /**
   * Resolves when the server answers and can be used.
   * @throws ConnectionError (CMQ-001) after `connectTimeoutMs`, or at once if another attempt would not help: a wrong
   * password, a replica, a certificate that is not trusted.
   * @throws ConfigError (CMQ-004) if the server is too old, or does not have the database.
   */
  ready(): Promise<void> {
    return outsideOfContext(() => this.#shared.ready(this.#connectTimeoutMs, this.commandTimeoutMs));
  }

  /** Reports to all users of the connection that the server has lost data. */
  warn(error: DataLostError): void {
    this.#shared.warn(error);
  }

  /** A number for a call that may be repeated and must count once: see {@link run}. */
  nextCall(): number {
    return this.#calls++;
  }

  /**
   * Runs a script of lua/ on the keys of one queue; the functions in lib/redis/scripts call it. A script that would reply
   * differently to a second call receives the number of the call. When the client sends the call again after a lost reply,
   * or the caller repeats it with the same `call`, Redis replies as it did the first time.
   */
  run(
    name: ScriptName,
    keys: QueueKeys,
    args: readonly ScriptArgument[],
    options: ScriptOptions = {},
  ): Promise<unknown> {
    if (options.calls === undefined && isNumbered(name)) {
      args = [...args, options.call ?? this.nextCall()];
      options = { ...options, calls: keys.calls(this.#id) };
    }
    // A node of a cluster may redirect a call, and then the client sends the same call to another node.
    const call = scriptCall(args, isCluster(this.client) ? { ...options, mostSends: undefined } : options);
    const { onSettled } = options;
    return this.#bounded(name, () => runScript(this.client, name, keys, call, options), call, onSettled);
  }

  /** Sends any command. Bulk strings of the reply are decoded as UTF-8. */
  call(command: string, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#bounded(command, () => send(this.client, command, args));
  }

  /** Sends any command. Bulk strings of the reply are Buffers. */
  callBuffer(command: string, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#bounded(command, () => send(this.client, command, args, null));
  }

  /** Measures one round trip, in ms. Concurrent callers share one PING. */
  ping(): Promise<number> {
    const shared = this.#shared;
    const begun = performance.now();
    shared.pinging ??= this.call('PING', [])
      .then(() => performance.now() - begun)
      .finally(() => {
        shared.pinging = undefined;
      });
    return shared.pinging;
  }

  /**
   * Checks this connection after another connection to the server has gone silent. If it does not answer soon, it
   * reconnects now, and not only when one of its calls reaches its deadline.
   */
  probe(): void {
    if (this.client.status !== 'ready') return;
    void settlesWithin(send(this.client, 'PING', []), PROBE_MS).then((answered) => {
      if (!answered && !this.#released) this.#shared.reconnect();
    });
  }

  /**
   * @param call      dropped from the queue after the deadline, unless `onSettled` is set
   * @param onSettled called when the call has settled, which may be after the deadline
   */
  #bounded(
    what: string,
    sendIt: () => Promise<unknown>,
    call?: ScriptCall,
    onSettled?: () => void,
  ): Promise<unknown> {
    // A connection that its retryStrategy gave up reconnects on the next use.
    const isGone = this.client.status === 'end' && this.#shared.own && !this.#released;
    const sent = isGone ? this.ready().then(sendIt) : sendIt();
    const reply = this.#shared.own ? sent : sent.then(refuseQueued);
    const { outages } = this.#shared;
    if (onSettled) reply.then(onSettled, onSettled);
    return withDeadline(
      reply,
      this.commandTimeoutMs,
      () => {
        if (!onSettled) call?.drop();
        // While the connection is ready, its last error is an old one.
        const lastError = this.client.status === 'ready' ? undefined : lastErrorOf(this.client);
        this.#shared.reconnect();
        const error = new ConnectionError(
          `Redis at ${this.address} did not answer ${what} within ${String(this.commandTimeoutMs)} ms; Redis may or may not have executed it.` +
            (lastError ? ` Last error: ${describe(lastError, this.client)}` : ''),
          { unknownOutcome: true, cause: withoutSecrets(lastError, this.client) },
        );
        return this.markOutage(error, outages);
      },
      (error) => {
        // A client of the user's own may have a commandTimeout.
        if (error instanceof Error && error.message === 'Command timed out') call?.drop();
        return this.markOutage(toConnectionError(error, this.client, this.#released), outages);
      },
    );
  }

  /**
   * Creates a connection for blocking reads, with the same options. It does not connect yet.
   * @param name its name in CLIENT LIST, if the user gives it none
   */
  openBlocking(name?: string): Client {
    return outsideOfContext(() => createClient(this.#connection, 'blocking', name));
  }

  /** Ends the use. The last link to release closes the connection, unless it is the user's own client. Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#shared.release(this.#observer);
  }
}

/** The `commandTimeout` of ioredis. */
function timeoutOf(connection: Connection): number | undefined {
  if (typeof connection !== 'object' || !('commandTimeout' in connection)) return undefined;
  return connection.commandTimeout;
}

/** A client of the user's own may have an open transaction. Redis then queues each command instead of executing it. */
function refuseQueued(reply: unknown): unknown {
  if (reply !== 'QUEUED' && !(reply instanceof Buffer && reply.equals(QUEUED))) return reply;
  throw new ConnectionError(
    'Your client has an open transaction (MULTI), and the command has joined it. Pass a client that nothing else uses, such as client.duplicate().',
    { unknownOutcome: true },
  );
}

const QUEUED = Buffer.from('QUEUED');
