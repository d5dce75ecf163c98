import { discard, isClient, isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ConfigError, ConnectionError } from '../base/errors.js';
import type { DataLostError } from '../base/errors.js';
import type { Connection } from '../config/options.js';
import { connect } from './connect.js';
import { createClient, servesCommands } from './create-client.js';
import { evictionWarning } from './eviction.js';
import { ended, explained } from './explain.js';
import { keepLastError } from './last-error.js';
import { OutageWatch } from './outage.js';
import type { OutageEnd } from './outage.js';
import { checkServer } from './server.js';
import type { ServerFacts } from './server.js';

/** Who uses a connection, and is told of it. Each says whether somebody heard. */
export interface ConnectionObserver {
  /** The connection is down. */
  outage?(error: ConnectionError): boolean;
  /** It is back. */
  reconnected?(end: OutageEnd): void;
  /** Something about the server that may lose jobs, or has lost something. */
  warning?(warning: ConfigError | DataLostError): boolean;
}

/** One command connection per options object; an entry lives for as long as somebody uses it. */
const entries = new WeakMap<object, SharedConnection>();

/** A command connection, and what is known of it by all who use it. */
export class SharedConnection {
  readonly client: Client;
  /** False for a client of the user's own: it is never closed by us. */
  readonly own: boolean;
  /** What the server said; undefined until it was checked. */
  facts: ServerFacts | undefined;
  pinging: Promise<number> | undefined;
  /** How many outages there have been. */
  outages = 0;
  /** Errors of calls that an outage met: that it happened has been told. */
  readonly told = new WeakSet();
  readonly #connection: Connection;
  readonly #observers = new Set<ConnectionObserver>();
  readonly #abort = new AbortController();
  readonly #watch: OutageWatch;
  readonly #forgetErrors: () => void;
  #users = 0;
  #verifying: Promise<void> | undefined;
  #warning: ConfigError | undefined;
  /** Monotonic ms. */
  #recycledAt = -Infinity;

  /** The connection that an options object stands for. It must be released. */
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
        this.#tell((observer) => observer.outage?.(error), error);
      },
      ended: (end) => {
        for (const observer of this.#observers) observer.reconnected?.(end);
      },
    });
  }

  /** What began the outage that lasts; undefined where there is none. */
  get outage(): ConnectionError | undefined {
    return this.#watch.outage;
  }

  get downMs(): number {
    return this.#watch.downMs;
  }

  /** The server was reached and checked, and the connection has not been given up since. */
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

  /** Resolves when the server answers and can be used; callers share the attempt. */
  ready(connectTimeoutMs: number, answerMs: number): Promise<void> {
    if (this.isReady) return Promise.resolve();
    this.#verifying ??= this.#verify(connectTimeoutMs, answerMs).finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  async #verify(connectTimeoutMs: number, answerMs: number): Promise<void> {
    // It is the user's to connect again what they have closed, or let end.
    if (!this.own && this.client.status === 'end') {
      throw new ConnectionError(
        explained(`${ended(this.client)} Pass in a client that is open.`, this.client),
      );
    }
    await connect(this.client, connectTimeoutMs, this.#abort.signal);
    const facts = await checkServer(this.client, answerMs);
    const isFirst = this.facts === undefined;
    this.facts = facts;
    const warning = isFirst ? evictionWarning(facts.evictionPolicy, this.client) : undefined;
    if (!warning) return;
    this.#warning = warning;
    this.#tell((observer) => observer.warning?.(warning), warning);
  }

  /** The server has lost something: heard by all who use the connection; where nobody listens, it is a process warning. */
  warn(error: DataLostError): void {
    const heard = [...this.#observers].map((observer) => observer.warning?.(error));
    if (!heard.includes(true)) process.emitWarning(error);
  }

  /** Tells all who use the connection; where none of them has a listener, it is a process warning, once. */
  #tell(tell: (observer: ConnectionObserver) => boolean | undefined, error: Error): void {
    const observers = [...this.#observers];
    const heard = observers.map(tell);
    if (observers.length > 0 && !heard.includes(true)) process.emitWarning(error);
  }

  /**
   * A socket that swallows commands may be dead without knowing, also one that is still shaking hands: connect anew. But
   * not for each of the calls that failed with it.
   */
  recycle(pauseMs: number): void {
    const { client } = this;
    if (!this.own || isCluster(client) || (client.status !== 'ready' && client.status !== 'connect')) return;
    const now = performance.now();
    if (now - this.#recycledAt < pauseMs) return;
    this.#recycledAt = now;
    client.disconnect(true);
  }

  /** The last to release closes the connection, unless it is the user's own. */
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
