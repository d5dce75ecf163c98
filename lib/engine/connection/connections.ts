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

export { connect } from './connect.js';
export { toConnectionError };
export type { ConnectionObserver };

export const CONNECT_TIMEOUT_MS = 10_000;
export const COMMAND_TIMEOUT_MS = 10_000;

/** How soon a connection in doubt must answer. */
const DOUBT_MS = 500;

/** Shortest time between two connections given up because they do not answer. */
const RECYCLE_PAUSE_MS = 1_000;

/** The state of a connection, for people to read: no user names, no passwords. */
export interface ConnectionInfo {
  /** Host and port. */
  address: string;
  /** In the words of ioredis: `ready`, `connecting`, `reconnecting`, … `end`: given up, until it is used again. */
  status: string;
  /** What went wrong last, while the connection is not `ready`. */
  lastError: string | undefined;
  /** The server's `maxmemory-policy`; undefined while it is not known, or where the user may not ask. */
  evictionPolicy: string | undefined;
}

export interface LinkOptions {
  connectTimeoutMs?: number | undefined;
  commandTimeoutMs?: number | undefined;
}

/**
 * A queue's or a worker's hold on the shared command connection: runs scripts and commands with a deadline, and turns
 * what goes wrong into a {@link ConnectionError} that names the address.
 */
export class CommandLink implements ScriptRunner {
  readonly client: Client;
  readonly #shared: SharedConnection;
  readonly #connection: Connection;
  readonly #observer: ConnectionObserver | undefined;
  readonly #connectTimeoutMs: number;
  /** 0 = none. */
  readonly commandTimeoutMs: number;
  /** Of the caller, where it numbers its calls. */
  readonly #id = randomUUID();
  #calls = 0;
  #released = false;

  /** @throws ConfigError (CMQ-004) for a connection that cannot be used; it shows none of its values */
  constructor(connection: Connection, options: LinkOptions = {}, observer?: ConnectionObserver) {
    checkConnection('CommandLink', connection);
    this.#connection = connection;
    // A connection outlives whoever is the first to need it, a request say.
    this.#shared = outsideOfContext(() => SharedConnection.acquire(connection));
    this.#observer = observer;
    if (observer) this.#shared.observe(observer);
    this.client = this.#shared.client;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.commandTimeoutMs = options.commandTimeoutMs ?? timeoutOf(connection) ?? COMMAND_TIMEOUT_MS;
  }

  /** Where the connection leads, for messages. */
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

  /** True once the server was reached and can be used. */
  get isReady(): boolean {
    return this.#shared.isReady;
  }

  /** What began the outage that lasts; undefined where there is none. */
  get outage(): ConnectionError | undefined {
    return this.#shared.outage;
  }

  /**
   * An error of a call that an outage has met, so that {@link isTold} knows it also when the outage is over.
   * @param outages how many there had been when the call began
   */
  noted<E>(error: E, outages = this.#shared.outages): E {
    const isMet = this.outage !== undefined || this.#shared.outages !== outages;
    if (isMet && typeof error === 'object' && error !== null) this.#shared.told.add(error);
    return error;
  }

  /** Whether an error is the consequence of an outage, which was told when it began. */
  isTold(error: unknown): boolean {
    if (!types.isNativeError(error) || !(error instanceof ConnectionError)) return false;
    return this.outage !== undefined || this.#shared.told.has(error);
  }

  /** For how long there has been an outage, in ms. */
  get downMs(): number {
    return this.#shared.downMs;
  }

  /** True once the hold was given up. */
  get isReleased(): boolean {
    return this.#released;
  }

  /**
   * Resolves when the server answers and can be used.
   * @throws ConnectionError (CMQ-001) after `connectTimeoutMs`, or at once when trying again would not help: a wrong
   * password, a replica, a certificate that is not trusted.
   * @throws ConfigError (CMQ-004) when the server is too old, or has no such database.
   */
  ready(): Promise<void> {
    return outsideOfContext(() => this.#shared.ready(this.#connectTimeoutMs, this.commandTimeoutMs));
  }

  /** The server has lost something: told to whoever listens on the connection. */
  warn(error: DataLostError): void {
    this.#shared.warn(error);
  }

  /** The number of a call that is to be made several times, if need be, and carried out once: see {@link run}. */
  nextCall(): number {
    return this.#calls++;
  }

  /**
   * Runs a script of lua/ on the keys of one queue; the functions in lib/redis/scripts call it. A script that would reply
   * differently to a second call is told the number of the call. When the client sends the call again after a lost reply,
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
    // A cluster's node answers a call that it cannot take by sending the client elsewhere, with the same call.
    const once = options.once === true && !isCluster(this.client);
    const call = scriptCall(args, { ...options, once });
    const { onSettled } = options;
    return this.#bounded(name, () => runScript(this.client, name, keys, call, options), call, onSettled);
  }

  /** Any command; replies with bulk strings as UTF-8. */
  call(command: string, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#bounded(command, () => send(this.client, command, args));
  }

  /** Any command; replies with bulk strings as Buffers. */
  callBuffer(command: string, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#bounded(command, () => send(this.client, command, args, null));
  }

  /** One round trip, in ms. Never more than one PING of ours is under way on a connection. */
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
   * Another connection to the server has gone silent: unless this one answers soon, it is connected anew too, instead of
   * when the first of its calls has waited for its whole deadline.
   */
  doubt(): void {
    if (this.client.status !== 'ready') return;
    void settlesWithin(send(this.client, 'PING', []), DOUBT_MS).then((answered) => {
      if (!answered && !this.#released) this.#shared.recycle(RECYCLE_PAUSE_MS);
    });
  }

  /**
   * @param call      is not sent any more once its caller has given up
   * @param onSettled where it is given, the caller counts with the call for as long as it may be sent
   */
  #bounded(
    what: string,
    sendIt: () => Promise<unknown>,
    call?: ScriptCall,
    onSettled?: () => void,
  ): Promise<unknown> {
    // A connection that its retryStrategy has given up comes back when it is used.
    const isGone = this.client.status === 'end' && this.#shared.own && !this.#released;
    const reply = isGone ? this.ready().then(sendIt) : sendIt();
    const { outages } = this.#shared;
    if (onSettled) reply.then(onSettled, onSettled);
    return withDeadline(
      reply,
      this.commandTimeoutMs,
      () => {
        if (!onSettled) call?.drop();
        // Of a connection that is there, the last error is an old one.
        const lastError = this.client.status === 'ready' ? undefined : lastErrorOf(this.client);
        this.#shared.recycle(RECYCLE_PAUSE_MS);
        const error = new ConnectionError(
          `Redis at ${this.address} did not answer ${what} within ${String(this.commandTimeoutMs)} ms; it may or may not have been carried out.` +
            (lastError ? ` Last error: ${describe(lastError, this.client)}` : ''),
          { unknownOutcome: true, cause: withoutSecrets(lastError, this.client) },
        );
        return this.noted(error, outages);
      },
      (error) => {
        // A client that was passed in may have a deadline of its own.
        if (error instanceof Error && error.message === 'Command timed out') call?.drop();
        return this.noted(toConnectionError(error, this.client, this.#released), outages);
      },
    );
  }

  /** A connection of its own for blocking reads, to the same server with the same options; not yet connecting. */
  openBlocking(): Client {
    return outsideOfContext(() => createClient(this.#connection, 'blocking'));
  }

  /** Gives the hold up; the last one closes the connection, unless it is the user's own. Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#shared.release(this.#observer);
  }
}

/** What ioredis calls `commandTimeout`. */
function timeoutOf(connection: Connection): number | undefined {
  if (typeof connection !== 'object' || !('commandTimeout' in connection)) return undefined;
  return connection.commandTimeout;
}
