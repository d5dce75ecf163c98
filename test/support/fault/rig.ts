import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { Queue, Worker } from '../../../lib/engine/index.js';
import type { Job, JobsOptions, QueueOptions, WorkerOptions } from '../../../lib/engine/index.js';
import { queueKeys } from '../../../lib/redis/keys.js';
import type { QueueKeys } from '../../../lib/redis/keys.js';
import { waitUntil } from '../../../lib/testing/server/wait-until.js';
import { compare, readLedger, readStored } from './checker.js';
import type { Findings } from './checker.js';
import { Child } from './child.js';
import type { Place } from './child.js';
import { createProcessor, recordEvents } from './handlers.mjs';
import type { Gate, Task } from './handlers.mjs';
import { hashOf, openLedger } from './ledger.mjs';
import { untilStopped } from './load.js';
import type { Load } from './load.js';
import type { Ledger, LedgerRecord } from './ledger.mjs';
import { optionsOf } from './gated.js';
import type { QueueKind } from './gated.js';

/** The compiled engine that children run. */
export const ENGINE = new URL('../../../dist/engine/index.js', import.meta.url).href;

export interface RigOptions {
  /** How the code under test reaches Redis: through a proxy, say. */
  readonly connection: QueueOptions['connection'];
  /** URL of the engine that children run. Default: the compiled package. */
  readonly engine?: string;
  /** What is special about the queue. Default: nothing. */
  readonly kind?: QueueKind;
}

export type WorkerSettings = Omit<WorkerOptions, 'connection'>;

let queues = 0;

/** A queue with its producers and workers, in this process and in others, and a ledger for each of them. */
export class Rig implements AsyncDisposable {
  readonly queueName = `fault-${(queues += 1)}`;
  readonly keys: QueueKeys = queueKeys(this.queueName);
  /** Live: what has been written so far, of all ledgers. */
  readonly records: LedgerRecord[] = [];
  readonly #connection: QueueOptions['connection'];
  readonly #engine: string;
  readonly #kind: QueueKind;
  readonly #dir = mkdtempSync(join(tmpdir(), 'chasqui-fault-'));
  readonly #paths: string[] = [];
  readonly #ledgers: Ledger[] = [];
  readonly #closing: (() => Promise<unknown>)[] = [];

  constructor(options: RigOptions) {
    this.#connection = options.connection;
    this.#engine = options.engine ?? ENGINE;
    this.#kind = options.kind ?? 'plain';
  }

  /** A process of its own with a worker that reads already. */
  async spawn(name: string, worker: WorkerSettings, nodeArgs?: readonly string[]): Promise<Child> {
    const child = await this.fork(name, worker, nodeArgs);
    await child.work();
    return child;
  }

  /** A process of its own whose worker, if it is to have one, does not run yet. */
  async fork(name: string, worker?: WorkerSettings, nodeArgs?: readonly string[]): Promise<Child> {
    const child = await Child.start(
      {
        name,
        engine: this.#engine,
        connection: this.#connection as object,
        place: this.#place(name),
        worker,
        nodeArgs,
      },
      (record) => this.records.push(record),
    );
    this.#closing.push(async () => {
      child.signal('SIGCONT');
      await child.kill();
    });
    return child;
  }

  /** A process that is nowhere works here until the rig closes: it outlives the rig. */
  async borrow(child: Child): Promise<void> {
    await child.move(this.#place(child.name), (record) => this.records.push(record));
    this.#closing.push(() => child.close());
  }

  /** A worker in this process, reading already unless `autorun` is false. */
  async worker(
    name: string,
    settings: WorkerSettings,
    connection = this.#connection,
  ): Promise<{ worker: Worker; gate: Gate }> {
    const ledger = this.#ledger(name);
    const { processor, gate } = createProcessor(ledger);
    const worker = new Worker(this.queueName, processor, {
      shutdownDeadlineSecs: 1,
      ...settings,
      connection,
    });
    recordEvents(worker, ledger);
    this.#closing.push(async () => {
      gate.release();
      await worker.close();
    });
    if (settings.autorun !== false) await reads(worker);
    return { worker, gate };
  }

  producer(
    name = 'producer',
    options: Omit<QueueOptions, 'connection'> = {},
    connection = this.#connection,
  ): Producer {
    const queue = new Queue<Task>(this.queueName, { ...options, connection });
    this.#closing.push(() => queue.close());
    return new Producer(queue, this.#ledger(name), this.#kind);
  }

  /** `count` loops that call `add` again as soon as it has ended, until the load or the rig is stopped. */
  load(count: number, add: () => Promise<unknown>): Load {
    const load = untilStopped(count, add);
    this.#closing.push(() => load.stop(false));
    return load;
  }

  /** The distinct jobs with a record of a kind. */
  ids(kind: LedgerRecord['kind'], by?: string): Set<string> {
    return new Set(this.of(kind, by).map(({ id }) => id));
  }

  of(kind: LedgerRecord['kind'], by?: string): LedgerRecord[] {
    return this.records.filter((record) => record.kind === kind && (by === undefined || record.by === by));
  }

  /** Resolves when so many jobs have a record of that kind. */
  async until(kind: LedgerRecord['kind'], count: number, ms: number, by?: string): Promise<void> {
    await waitUntil(`${kind} of ${count} jobs${by === undefined ? '' : ` by ${by}`}`, ms, async () => {
      const { size } = this.ids(kind, by);
      return size >= count ? undefined : `${size} so far`;
    });
  }

  /** Resolves when nothing waits, runs or is delayed, and stays so for `quietMs`. A queue that does not get there stalls. */
  async drained(client: Redis, ms: number, quietMs = 0): Promise<void> {
    let since = performance.now();
    await waitUntil('An empty queue', ms, async () => {
      // In one step: between two commands, a job may move from the set that is read last to the stream that was read first.
      const lengths =
        "return { redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3]), redis.call('ZCARD', KEYS[2]) }";
      const read = client.eval(lengths, 3, this.keys.stream, this.keys.delayed, this.keys.room);
      const [waiting, delayed] = (await read) as [number, number];
      if (waiting + delayed > 0) {
        since = performance.now();
        return `${waiting} in the stream and the room, ${delayed} delayed`;
      }
      return performance.now() - since >= quietMs ? undefined : 'empty for too short a time';
    });
  }

  /** Resolves when the work stream has so many entries. */
  async stored(client: Redis, count: number): Promise<void> {
    await waitUntil(`${count} entries`, 5_000, async () => {
      const length = await client.xlen(this.keys.stream);
      return length >= count ? undefined : `${length}`;
    });
  }

  /** Reads every ledger from its file. */
  ledgers(): LedgerRecord[] {
    return this.#paths.flatMap(readLedger);
  }

  /** Compares the ledgers with Redis. */
  async check(client: Redis, removed?: readonly string[]): Promise<Findings> {
    return compare(this.ledgers(), await readStored(client, this.keys), removed);
  }

  /** Closes and kills everything that was started here. */
  async close(): Promise<void> {
    await Promise.all(this.#closing.splice(0).map((close) => close()));
    for (const ledger of this.#ledgers.splice(0)) ledger.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #place(name: string): Place {
    return { queueName: this.queueName, ledgerPath: this.#path(name) };
  }

  #path(name: string): string {
    const path = join(this.#dir, `${this.#paths.length}-${name}.jsonl`);
    this.#paths.push(path);
    return path;
  }

  #ledger(name: string): Ledger {
    const ledger = openLedger(this.#path(name), name, (record) => this.records.push(record));
    this.#ledgers.push(ledger);
    return ledger;
  }
}

function reads(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.once('ready', resolve);
  });
}

/** Adds jobs and writes each one's fate down. */
export class Producer {
  /** Of jobs in groups: their groups, by id. */
  readonly groups = new Map<string, string>();
  #next = 0;

  constructor(
    readonly queue: Queue<Task>,
    private readonly ledger: Ledger,
    private readonly kind: QueueKind,
  ) {}

  /** One job; resolves with it, or with undefined where the add did not succeed. */
  async add(task: Task, options: JobsOptions = {}): Promise<Job<Task> | undefined> {
    const nth = (this.#next += 1);
    const id = options.jobId ?? `${this.ledger.by}-${nth}`;
    const all = { ...optionsOf(this.kind, nth), ...options, jobId: id };
    if (all.group) this.groups.set(id, all.group.id);
    this.ledger.write('ATTEMPT', id, { hash: hashOf(task) });
    try {
      const job = await this.queue.add('task', task, all);
      this.ledger.write('ACK', id, job.duplicate ? { detail: 'duplicate' } : {});
      return job;
    } catch (error) {
      const unknown = (error as { unknownOutcome?: boolean }).unknownOutcome === true;
      this.ledger.write(unknown ? 'UNKNOWN' : 'REJECT', id, { detail: String(error) });
      return undefined;
    }
  }

  async addMany(count: number, task: Task, options: JobsOptions = {}): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.add(task, options)));
  }
}
