import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { settlesWithin } from '../../redis/deadline.js';
import { Timer } from '../../redis/timer.js';
import { ShutdownError } from '../base/errors.js';
import { messageOf } from '../base/thrown.js';
import { ThreadBootError } from '../base/thread-errors.js';
import type { NodeThreadOptions, ThreadOptions } from '../config/options.js';
import type { Job } from '../job/job.js';
import type { ProcessorFile } from './processor-file.js';
import { Thread } from './thread.js';
import type { Spawn, ThreadObserver, ThreadSettings } from './thread.js';

/** After a thread could not start, until the next try; twice as long each time, up to the longest. */
const AGAIN_MS = 1_000;
const LONGEST_AGAIN_MS = 30_000;
/** What `onThreadStop` of the threads may take. */
const CLOSING_MS = 2_000;

export interface ThreadPoolSettings {
  readonly queue: string;
  readonly processor: ProcessorFile;
  readonly concurrency: number;
  readonly options: ThreadOptions;
  readonly node: NodeThreadOptions;
  /** See {@link ThreadPool.capacity}. */
  readonly capacityChanged: () => void;
  readonly onError: (error: unknown) => void;
}

interface Waiter {
  readonly resolve: (thread: Thread) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The threads of a worker. Piscina starts and terminates them, bounds their memory, and says how they end; this class
 * decides which thread runs a job. Each thread is one task of Piscina that ends with the thread, so whatever happens in a
 * thread is the end of that task, also between two jobs.
 */
export class ThreadPool implements ThreadObserver {
  readonly maxThreads: number;
  readonly #settings: ThreadPoolSettings;
  readonly #thread: ThreadSettings;
  readonly #idleTimeoutMs: number;
  readonly #threads = new Set<Thread>();
  readonly #idle = new Map<Thread, Timer>();
  #waiting: Waiter[] = [];
  #piscina: Piscina | undefined;
  #capacity: number;
  #bootFailures = 0;
  #again: Timer | undefined;
  #isStarted = false;
  /** No thread starts: it has not been started, or has failed to. */
  #isClosed = false;
  /** For good. */
  #isStopped = false;

  constructor(settings: ThreadPoolSettings) {
    const { queue, processor, concurrency, options } = settings;
    this.#settings = settings;
    this.maxThreads = options.maxThreads ?? Math.min(concurrency, availableParallelism());
    this.#capacity = this.maxThreads;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? Infinity;
    const { terminateAfterMs = 1_000, bootTimeoutMs = 60_000 } = options;
    this.#thread = { queue, processor, terminateAfterMs, bootTimeoutMs };
  }

  /**
   * Resolves when the threads can run jobs.
   * @throws ThreadBootError (CMQ-027)
   */
  async start(): Promise<void> {
    if (this.#isStarted) return;
    if (this.#isStopped) throw new ShutdownError('The worker is closed.');
    this.#isClosed = false;
    this.#piscina = this.#load();
    try {
      const first = this.#keepsAll ? this.maxThreads : 1;
      await Promise.all(Array.from({ length: first }, () => this.#open().booted));
      this.#isStarted = true;
      if (this.#keepsAll) this.#fill();
      this.#measure();
    } catch (error) {
      await this.#end(CLOSING_MS);
      throw error;
    }
  }

  /** Runs the handler of a job in a thread. */
  async run(job: Job): Promise<unknown> {
    try {
      const thread = await this.#take(job.signal);
      return await thread.run(job);
    } catch (error) {
      // The job has not run, so this is no attempt of it.
      if (error instanceof ThreadBootError) await job.moveToDelayed(Date.now() + this.#againMs);
      throw error;
    }
  }

  /** Ends all threads: those that are busy when their job has ended, or after two seconds. */
  async close(): Promise<void> {
    this.#isStopped = true;
    await this.#end(CLOSING_MS);
  }

  async #end(ms: number): Promise<void> {
    this.#isClosed = true;
    this.#isStarted = false;
    this.#again?.clear();
    for (const { reject } of this.#waiting.splice(0)) reject(new ShutdownError('The worker is closed.'));
    const threads = [...this.#threads];
    const gone = Promise.all(threads.map((thread) => thread.gone));
    for (const thread of threads) thread.close();
    await settlesWithin(gone, ms);
    for (const thread of this.#threads) thread.terminate();
    // Native code in a thread ends when it returns; Node waits for it then.
    await settlesWithin(Promise.all([gone, this.#piscina?.destroy()]), CLOSING_MS);
  }

  changed(): void {
    if (this.#isClosed) return;
    for (const thread of this.#threads) {
      if (thread.state !== 'free') this.#awake(thread);
      else this.#offer(thread);
    }
    this.#measure();
  }

  ended(thread: Thread, error: Error | undefined): void {
    this.#threads.delete(thread);
    this.#awake(thread);
    if (this.#isClosed) return;
    if (error && this.#isStarted) this.#settings.onError(error);
    if (error instanceof ThreadBootError) this.#bootFailed(error);
    else if (this.#isStarted && this.#keepsAll) this.#fill();
    this.#measure();
  }

  onError(error: unknown): void {
    this.#settings.onError(error);
  }

  /** How many jobs may run now. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Whether all threads stay, so that no job waits for the start of one. */
  get #keepsAll(): boolean {
    return this.#idleTimeoutMs === Infinity;
  }

  get #againMs(): number {
    return Math.min(AGAIN_MS * 2 ** Math.max(0, this.#bootFailures - 1), LONGEST_AGAIN_MS);
  }

  #take(signal: AbortSignal): Promise<Thread> {
    for (const thread of this.#threads) if (thread.state === 'free') return Promise.resolve(thread.claim());
    if (this.#threads.size < this.maxThreads && !this.#again) this.#open();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject };
      this.#waiting.push(waiter);
      signal.addEventListener(
        'abort',
        () => {
          this.#waiting = this.#waiting.filter((other) => other !== waiter);
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  }

  #offer(thread: Thread): void {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(thread.claim());
    else if (!this.#keepsAll && !this.#idle.has(thread)) {
      const timer = new Timer(this.#idleTimeoutMs, () => {
        if (thread.state === 'free') thread.close();
      });
      this.#idle.set(thread, timer.unref());
    }
  }

  #awake(thread: Thread): void {
    this.#idle.get(thread)?.clear();
    this.#idle.delete(thread);
  }

  #open(): Thread {
    const thread = new Thread(this.#thread, this.#spawn, this);
    this.#threads.add(thread);
    thread.booted.then(
      () => {
        this.#bootFailures = 0;
      },
      () => undefined,
    );
    return thread;
  }

  #fill(): void {
    while (!this.#isClosed && this.#threads.size < this.maxThreads) this.#open();
  }

  #bootFailed(error: ThreadBootError): void {
    this.#bootFailures += 1;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    if (!this.#isStarted) return;
    this.#again ??= new Timer(this.#againMs, () => {
      this.#again = undefined;
      if (this.#keepsAll) this.#fill();
    }).unref();
  }

  /** A thread that ends is no room for a job until another one has started in its place. */
  #measure(): void {
    if (!this.#isStarted) return;
    const states = [...this.#threads].map(({ state }) => state);
    const capacity = this.#keepsAll
      ? states.filter((state) => state === 'free' || state === 'busy').length
      : this.maxThreads - states.filter((state) => state === 'doomed').length;
    if (capacity === this.#capacity) return;
    this.#capacity = capacity;
    this.#settings.capacityChanged();
  }

  readonly #spawn: Spawn = async (message, transferList, signal) => {
    const piscina = this.#piscina as Piscina;
    return (await piscina.run(message, { transferList: transferList as never, signal })) as never;
  };

  #load(): Piscina {
    const { queue, node } = this.#settings;
    try {
      const program = join(__dirname, 'thread-main.js');
      if (!existsSync(program)) {
        throw new Error(
          `there is no file ${program}. A bundler must leave nestjs-chasqui and piscina external`,
        );
      }
      // Not an import: most workers have no threads, and a bundle cannot have them in its one file.
      const { Piscina } = createRequire(__filename)('piscina') as typeof import('piscina');
      probe(node);
      const piscina = new Piscina({
        filename: program,
        minThreads: 0,
        // Threads that are being terminated count, too.
        maxThreads: 4 * this.maxThreads,
        idleTimeout: Infinity,
        // The event loop of a free thread goes on: connections of its handlers need it.
        atomics: 'disabled',
        ...node,
      });
      // A thread that ends before it has its task, for example because of its execArgv.
      piscina.on('error', (error) => {
        const failed = new ThreadBootError(`A thread of queue "${queue}" cannot start: ${messageOf(error)}`, {
          cause: error,
        });
        for (const thread of this.#threads) if (thread.state === 'booting') thread.terminate(failed);
      });
      return piscina;
    } catch (error) {
      throw new ThreadBootError(`The threads of queue "${queue}" cannot start: ${messageOf(error)}.`, {
        cause: error,
      });
    }
  }
}

/** Piscina does not clean up after an error in the constructor of `Worker`. These options may cause one. */
function probe({ execArgv, env }: NodeThreadOptions): void {
  if (execArgv === undefined && env === undefined) return;
  void new Worker('', { eval: true, ...(execArgv && { execArgv }), ...(env && { env }) })
    // A fault of the files that they name comes again with the first thread.
    .on('error', () => undefined)
    .terminate();
}
