import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { JobsOptions, QueueOptions, WorkerOptions } from '../../../lib/engine/index.js';
import { dieWithUs } from '../../../lib/testing/server/die-with-us.js';
import type { Task } from './handlers.mjs';
import type { LedgerRecord } from './ledger.mjs';

export interface ChildOptions {
  readonly name: string;
  /** URL of the engine's compiled index.js. */
  readonly engine: string;
  readonly connection: object;
  /** Where it begins. Default: nowhere, until `move`. */
  readonly place?: Place | undefined;
  readonly worker?: Omit<WorkerOptions, 'connection'> | undefined;
  readonly queue?: Omit<QueueOptions, 'connection'> | undefined;
  readonly nodeArgs?: readonly string[] | undefined;
}

/** The queue of a process, and the ledger of what it does there. */
export interface Place {
  readonly queueName: string;
  readonly ledgerPath: string;
}

export interface JobOrder {
  readonly id: string;
  readonly task: Task;
  readonly options?: JobsOptions;
}

/** What an add with a deduplication id returned. */
export interface AddedOnce {
  readonly id: string;
  readonly duplicate: boolean;
  readonly deduplicationId: string;
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Message {
  readonly up?: true;
  readonly record?: LedgerRecord;
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** A Node.js process with a queue and, when told so, a worker; it ends with this process at the latest. */
export class Child {
  readonly name: string;
  /** What the process has sent of its ledger; after `kill -9`, the file may know more. */
  readonly exited: Promise<Exit>;
  #orders = 0;
  readonly #open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #stderr = '';
  #onRecord: (record: LedgerRecord) => void;

  private constructor(
    name: string,
    private readonly process: ChildProcess,
    onRecord: (record: LedgerRecord) => void,
  ) {
    this.name = name;
    this.#onRecord = onRecord;
    const release = dieWithUs(process.pid ?? 0);
    process.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-4_000);
    });
    this.exited = new Promise((resolve) =>
      process.once('exit', (code, signal) => {
        release();
        for (const { reject } of this.#open.values()) reject(new Error(`${name} has ended: ${this.#stderr}`));
        this.#open.clear();
        resolve({ code, signal });
      }),
    );
    process.on('message', ({ record, id, value, error }: Message) => {
      if (record) this.#onRecord(record);
      const order = id === undefined ? undefined : this.#open.get(id);
      if (id === undefined || !order) return;
      this.#open.delete(id);
      if (error === undefined) order.resolve(value);
      else order.reject(new Error(`${name}: ${error}`));
    });
  }

  static async start(
    options: ChildOptions,
    onRecord: (record: LedgerRecord) => void = () => undefined,
  ): Promise<Child> {
    const { nodeArgs = [], ...config } = options;
    const path = fileURLToPath(new URL('process.mjs', import.meta.url));
    const process = fork(path, [JSON.stringify(config)], {
      detached: true,
      execArgv: [...nodeArgs],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const child = new Child(options.name, process, onRecord);
    const up = once(process, 'message').then(() => undefined);
    const exit = await Promise.race([up, child.exited]);
    if (exit) throw new Error(`${options.name} ended at its start: ${child.#stderr}`);
    return child;
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Gives a process that is nowhere a queue and a ledger. */
  async move(to: Place, onRecord: (record: LedgerRecord) => void): Promise<void> {
    this.#onRecord = onRecord;
    await this.order('move', { to });
  }

  /** Starts the worker; resolves when it reads, or, with `ready` false, at once. */
  async work(ready = true): Promise<void> {
    await this.order('work', { ready });
  }

  /** Adds jobs in one tick, and writes each one's fate into the ledger. */
  async add(jobs: readonly JobOrder[]): Promise<void> {
    await this.order('add', { jobs });
  }

  /** Adds jobs with deduplication ids, in one tick; rejects when one fails. */
  async addOnce(jobs: readonly Omit<JobOrder, 'id'>[]): Promise<AddedOnce[]> {
    return (await this.order('add-once', { jobs })) as AddedOnce[];
  }

  /** Adds jobs without an id of their own, in one tick; rejects when one fails. */
  async addPlain(count: number): Promise<void> {
    await this.order('add-plain', { count });
  }

  /** Lets the handlers go that hold. */
  async release(): Promise<void> {
    await this.order('release');
  }

  async replay(limit: number): Promise<number> {
    return (await this.order('replay', { limit })) as number;
  }

  /** Closes worker and queue; resolves with the ms that took. After it, the process is nowhere. */
  async close(): Promise<number> {
    return (await this.order('close')) as number;
  }

  /** After `close`: the process must end by itself. */
  async leave(): Promise<Exit> {
    void this.order('leave').catch(() => undefined);
    return this.exited;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  private order(order: string, args: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.running) {
        reject(new Error(`${this.name} has ended: ${this.#stderr}`));
        return;
      }
      this.#orders += 1;
      this.#open.set(this.#orders, { resolve, reject });
      this.process.send({ id: this.#orders, order, ...args }, (error) => {
        if (error) reject(error);
      });
    });
  }
}
