import { discard, isClient, isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ConfigError, ConnectionError } from '../base/errors.js';
import type { DataLostError } from '../base/errors.js';
import type { Connection } from '../config/options.js';
import { connect } from './connect.js';
import { createClient, servesCommands } from './create-client.js';
import { evictionWarning } from './eviction.js';
import { endedMessage, explained } from './explain.js';
import { keepLastError } from './last-error.js';
import { OutageWatch } from './outage.js';
import type { OutageEnd } from './outage.js';
import { checkServer } from './server.js';
import type { ServerFacts } from './server.js';

/** Receives the reports of a connection that it uses. `outage` and `warning` return whether somebody listens. */
export interface ConnectionObserver {
  /** The connection is down. */
  outage?(error: ConnectionError): boolean;
  /** The connection is back. */
  reconnected?(end: OutageEnd): void;
  /** The server may lose jobs, or has lost data. */
  warning?(warning: ConfigError | DataLostError): boolean;
}

/** One command connection per options object, for as long as it is used. */
const entries = new WeakMap<object, SharedConnection>();

/** Shortest time between two reconnects of a connection that does not answer. */
const RECONNECT_PAUSE_MS = 1_000;

/** A command connection, with the state that all its users share. */
export class SharedConnection {
  readonly client: Client;
  /** False for a client of the user's own, which this package never closes. */
  readonly own: boolean;
  /** Undefined until the server was checked. */
  facts: ServerFacts | undefined;
  pinging: Promise<number> | undefined;
  /** How many outages there have been so far. */
  outages = 0;
  /** Errors of calls that failed because of an outage, which was reported when it began. */
  readonly outageErrors = new WeakSet();
  readonly #connection: Connection;
  readonly #observers = new Set<ConnectionObserver>();
  readonly #abort = new AbortController();
  readonly #watch: OutageWatch;
  readonly #forgetErrors: () => void;
  #users = 0;
  #verifying: Promise<void> | undefined;
  #warning: ConfigError | undefined;
  /** Monotonic ms. */
  #reconnectedAt = -Infinity;

  /** The connection of an options object. Each user must release it. */
  static acquire(connection: Connection): SharedConnection {
    const key = typeof connection === 'object' ? connection : undefined;
    let shared = key && entries.get(key);
    if (!shared) {
      shared = new SharedConnection(connection);
      if (key) entries.set(key, shared);
    }
    shared.#users += 1;
    return shared;
  }

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.own = !isClient(connection) || !servesCommands(connection);
    this.client = this.own ? createClient(connection, 'commands') : (connection as Client);
    this.#forgetErrors = this.own ? () => undefined : keepLastError(this.client);
    this.#watch = new OutageWatch(this.client, {
      began: (error) => {
        this.outages += 1;
        this.#notify((observer) => observer.outage?.(error), error);
      },
      ended: (end) => {
        for (const observer of this.#observers) observer.reconnected?.(end);
      },
    });
  }

  /** The error that began the current outage, if there is one. */
  get outage(): ConnectionError | undefined {
    return this.#watch.outage;
  }

  get downMs(): number {
    return this.#watch.downMs;
  }

  /** The server was reached and checked, and the client has not ended since. */
  get isReady(): boolean {
    return this.facts !== undefined && this.client.status !== 'end';
  }

  observe(observer: ConnectionObserver): void {
    this.#observers.add(observer);
    const warning = this.#warning;
    if (!warning) return;
    queueMicrotask(() => {
      if (this.#observers.has(observer)) observer.warning?.(warning);
    });
  }

  /** Resolves when the server answers and can be used. Concurrent callers share the attempt. */
  ready(connectTimeoutMs: number, answerMs: number): Promise<void> {
    if (this.isReady) return Promise.resolve();
    this.#verifying ??= this.#verify(connectTimeoutMs, answerMs).finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  async #verify(connectTimeoutMs: number, answerMs: number): Promise<void> {
    // Only the user may reopen a client of their own that has ended.
    if (!this.own && this.client.status === 'end') {
      throw new ConnectionError(explained(`${endedMessage(this.client)} Pass an open client.`, this.client));
    }
    await connect(this.client, connectTimeoutMs, this.#abort.signal);
    const facts = await checkServer(this.client, answerMs);
    const isFirst = this.facts === undefined;
    this.facts = facts;
    const warning = isFirst ? evictionWarning(facts.evictionPolicy, this.client) : undefined;
    if (!warning) return;
    this.#warning = warning;
    this.#notify((observer) => observer.warning?.(warning), warning);
  }

  /** Reports to all users that the server has lost data. Without a listener it becomes a process warning. */
  warn(error: DataLostError): void {
    const isHeard = [...this.#observers].map((observer) => observer.warning?.(error));
    if (!isHeard.includes(true)) process.emitWarning(error);
  }

  /** Notifies all users. If none of them has a listener, it becomes one process warning. */
  #notify(notify: (observer: ConnectionObserver) => boolean | undefined, error: Error): void {
    const observers = [...this.#observers];
    const isHeard = observers.map(notify);
    if (observers.length > 0 && !isHeard.includes(true)) process.emitWarning(error);
  }

  /**
   * Reconnects: a socket that answers nothing may be dead, also during its handshake. Calls that failed with the same
   * socket cause one reconnect.
   */
  reconnect(): void {
    const { client } = this;
    if (!this.own || isCluster(client) || (client.status !== 'ready' && client.status !== 'connect')) return;
    const now = performance.now();
    if (now - this.#reconnectedAt < RECONNECT_PAUSE_MS) return;
    this.#reconnectedAt = now;
    client.disconnect(true);
  }

  /** The last user to release closes the connection, unless it is the user's own client. */
  release(observer: ConnectionObserver | undefined): void {
    if (observer) this.#observers.delete(observer);
    this.#users -= 1;
    if (this.#users > 0) return;
    if (typeof this.#connection === 'object') entries.delete(this.#connection);
    this.#abort.abort();
    this.#watch.stop();
    this.#forgetErrors();
    if (this.own) discard(this.client);
  }
}
