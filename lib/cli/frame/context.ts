import type { Connection, Queue } from '../../engine/index.js';
import type { Servers } from '../../engine/admin/servers.js';
import { Output } from '../output/output.js';
import { usageError } from './errors.js';
import type { FirstConnection } from './first-connection.js';
import type { GlobalOptions } from './globals.js';
import { interruptSignal } from './interrupt.js';

/** What a running command works with. It loads the engine only when the command needs Redis. */
export class Context {
  readonly globals: GlobalOptions;
  readonly out: Output;
  /** Aborted by Ctrl-C. Long operations end with its reason. */
  readonly signal: AbortSignal;
  readonly #stopSignals: () => void;
  readonly #queues = new Map<string, Queue>();
  #connection: Promise<Connection> | undefined;
  #servers: Servers | undefined;
  #first: FirstConnection | undefined;

  constructor(globals: GlobalOptions) {
    this.globals = globals;
    this.out = new Output(globals);
    const { signal, stop } = interruptSignal();
    this.signal = signal;
    this.#stopSignals = stop;
  }

  /** The connection options. All parts of the command share one connection. */
  connection(): Promise<Connection> {
    this.#connection ??= this.#readConnection();
    return this.#connection;
  }

  /** The servers themselves: their masters, and the names of all queues. */
  async servers(): Promise<Servers> {
    const { Servers } = await import('../../engine/admin/servers.js');
    const connection = await this.connection();
    if (!this.#servers) {
      this.#servers = new Servers(connection, this.#timeouts());
      this.#first?.follow(this.#servers.link);
    }
    return this.#servers;
  }

  /**
   * The queue of this name.
   * @param options.create true: the queue need not exist yet
   * @throws QueueNotFoundError (CMQ-110) that names the nearest queues
   */
  async queue(name: string, options: { create?: boolean } = {}): Promise<Queue> {
    const known = this.#queues.get(name);
    if (known) return known;
    const { Queue } = await import('../../engine/index.js');
    const servers = await this.servers();
    const queue = new Queue(name, { connection: await this.connection(), ...this.#timeouts() });
    this.#queues.set(name, queue);
    // Calls fail with the same errors, and those are reported.
    queue.on('error', () => undefined);
    queue.on('warning', () => undefined);
    if (!options.create) await servers.requireQueue(name, this.signal);
    return queue;
  }

  /** The queues that the command has used so far. */
  get usedQueues(): readonly string[] {
    return [...this.#queues.keys()];
  }

  /** The names of all queues, in order. */
  async queueNames(): Promise<string[]> {
    return (await this.servers()).queueNames({ signal: this.signal });
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    this.#stopSignals();
    this.out.end();
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
    this.#servers?.close();
  }

  #timeouts(): { connectTimeoutMs: number; commandTimeoutMs: number } {
    const ms = this.globals.timeout;
    if (ms === 0) throw usageError('--timeout must be longer than 0.');
    return { connectTimeoutMs: ms, commandTimeoutMs: ms };
  }

  async #readConnection(): Promise<Connection> {
    const { connectionOf } = await import('./connection.js');
    const { FirstConnection } = await import('./first-connection.js');
    const { askPassword } = await import('./prompt.js');
    const password = this.globals.askPassword ? await askPassword(this.out, this.signal) : undefined;
    this.#first = new FirstConnection();
    return this.#first.withStrategies(connectionOf(this.globals, process.env, password));
  }
}
