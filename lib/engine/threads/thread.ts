import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort, Transferable } from 'node:worker_threads';
import { Timer } from '../../redis/timer.js';
import { EncodeError, JobStateError, ShutdownError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import { messageOf } from '../base/thrown.js';
import { ThreadBootError, ThreadExitError } from '../base/thread-errors.js';
import { EXTRAS } from '../codec/extras.js';
import { encodePayload } from '../codec/payload.js';
import type { Job } from '../job/job.js';
import type { FromThread, JobMessage, JobMethod, ServeMessage, ToThread } from './messages.js';
import type { ProcessorFile } from './processor-file.js';
import { fromThrownMessage, toThrownMessage } from './thrown-message.js';
import type { ThrownMessage } from './thrown-message.js';

/** Starts the program of a thread. Rejects when the thread has ended; an abort of the signal terminates it. */
export type Spawn = (message: ServeMessage, transfer: Transferable[], signal: AbortSignal) => Promise<never>;

export interface ThreadSettings {
  /** Name of the queue, for messages. */
  readonly queue: string;
  readonly processor: ProcessorFile;
  readonly terminateAfterMs: number;
  readonly bootTimeoutMs: number;
}

/** What a thread tells its pool. */
export interface ThreadObserver {
  /** The thread has become free, or is no longer free. */
  changed(): void;
  ended(thread: Thread, error: Error | undefined): void;
  onError(error: unknown): void;
}

/**
 * - `booting`: it loads its file.
 * - `free`, `busy`: it can take a job, or runs one.
 * - `doomed`: the signal of its job is aborted; it is terminated unless the handler ends soon.
 * - `closing`: it runs `onThreadStop`.
 * - `ended`
 */
export type ThreadState = 'booting' | 'free' | 'busy' | 'doomed' | 'closing' | 'ended';

interface Run {
  readonly number: number;
  readonly job: Job;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly aborted: () => void;
}

/** One thread, as the process sees it. It runs one job at a time. */
export class Thread {
  /** Rejects with a ThreadBootError. */
  readonly booted: Promise<void>;
  /** Resolves when the thread has ended. */
  readonly gone: Promise<void>;
  readonly #settings: ThreadSettings;
  readonly #observer: ThreadObserver;
  readonly #port: MessagePort;
  readonly #termination = new AbortController();
  #state: ThreadState = 'booting';
  /** It has ended by itself. */
  #isDead = false;
  #run: Run | undefined;
  #runs = 0;
  #timer: Timer | undefined;
  #bootEnded!: { resolve: () => void; reject: (error: Error) => void };

  constructor(settings: ThreadSettings, spawn: Spawn, observer: ThreadObserver) {
    this.#settings = settings;
    this.#observer = observer;
    this.booted = new Promise((resolve, reject) => {
      this.#bootEnded = { resolve, reject };
    });
    this.booted.catch(() => undefined);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', this.#heard);
    // It closes with the thread.
    this.gone = new Promise((resolve) => {
      port1.once('close', resolve);
    });
    // The connections of the worker keep the process alive.
    port1.unref();
    const { file, data } = settings.processor;
    const { bootTimeoutMs } = settings;
    this.#timer = new Timer(bootTimeoutMs, () => {
      this.#bootFailed(`it has not started within ${String(bootTimeoutMs)} ms (bootTimeoutMs)`);
    }).unref();
    spawn({ file, data, port: port2 }, [port2], this.#termination.signal).catch((error: unknown) => {
      this.#died(error);
      // It has not reached the thread, or has closed with it.
      port2.close();
    });
  }

  get state(): ThreadState {
    return this.#state;
  }

  /** Keeps a free thread for one `run`, which must follow. */
  claim(): this {
    this.#move('busy');
    return this;
  }

  /** Settles as the handler does in the thread. */
  run(job: Job): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal } = job;
      const number = ++this.#runs;
      const aborted = (): void => {
        this.#doom(number, signal.reason);
      };
      this.#run = { number, job, resolve, reject, aborted };
      signal.addEventListener('abort', aborted, { once: true });
      try {
        // Or the thread has ended since it was claimed.
        if (this.#state === 'ended') throw toExitError(undefined, job, this.#settings.queue);
        signal.throwIfAborted();
        this.#say({ kind: 'job', run: number, job: toMessage(job) });
      } catch (error) {
        this.#settle()?.reject(error);
      }
    });
  }

  /** Runs `onThreadStop` as soon as the job of the thread has ended, and ends the thread. */
  close(): void {
    if (this.#state === 'booting') {
      this.terminate();
    } else if (this.#state !== 'ended' && this.#state !== 'closing') {
      this.#move('closing');
      this.#say({ kind: 'close' });
    }
  }

  /** Ends the thread at once. Its job fails with the reason of its signal, or with a ThreadExitError. */
  terminate(reason?: Error): void {
    this.#end(reason);
  }

  readonly #heard = (message: FromThread): void => {
    if (this.#state === 'ended') return;
    switch (message.kind) {
      case 'ready':
        if (this.#state !== 'booting') return;
        this.#timer?.clear();
        this.#move('free');
        this.#bootEnded.resolve();
        break;
      case 'failed': {
        const cause = fromThrownMessage(message.error);
        this.#bootFailed(messageOf(cause), cause);
        break;
      }
      case 'call':
        void this.#answer(message);
        break;
      case 'done':
        this.#done(message);
        break;
      case 'thrown':
        if (message.run === this.#run?.number) this.#settle()?.reject(fromThrownMessage(message.error));
        break;
      case 'closed':
        if (message.error) this.#observer.onError(fromThrownMessage(message.error));
        this.#end();
    }
  };

  #done({ run, value, lost }: Extract<FromThread, { kind: 'done' }>): void {
    if (run !== this.#run?.number) return;
    const { job } = this.#run;
    // The work is done; running it again would not make its result leave the thread.
    if (lost !== undefined) {
      const message = `The result of job ${printable(job.id)} ("${printable(job.name)}") cannot leave its thread: ${lost.replace(/\.$/, '')}. The job counts as completed, without a result. Return data that structuredClone() accepts.`;
      this.#observer.onError(new EncodeError(message));
    }
    this.#settle()?.resolve(value);
  }

  /** The run is over: the thread is free again. */
  #settle(): Run | undefined {
    const run = this.#run;
    this.#run = undefined;
    run?.job.signal.removeEventListener('abort', run.aborted);
    if (this.#state === 'busy' || this.#state === 'doomed') {
      this.#timer?.clear();
      this.#move('free');
    }
    return run;
  }

  async #answer({ run, id, call, method, args }: Extract<FromThread, { kind: 'call' }>): Promise<void> {
    const current = this.#run;
    let answer: ToThread;
    try {
      if (current?.number !== run) {
        throw new JobStateError(
          id,
          this.#settings.queue,
          'unknown',
          method,
          'Call it before the handler returns.',
        );
      }
      const given = method === 'fail' ? [fromThrownMessage(args[0] as ThrownMessage)] : args;
      const job = current.job as unknown as Record<JobMethod, (...given: readonly unknown[]) => unknown>;
      answer = { kind: 'returned', call, value: await job[method](...given) };
    } catch (error) {
      answer = { kind: 'refused', call, error: toThrownMessage(error) };
    }
    this.#say(answer);
  }

  #doom(number: number, reason: unknown): void {
    if (this.#run?.number !== number || this.#state === 'ended') return;
    this.#say({ kind: 'abort', run: number, reason: toThrownMessage(reason) });
    if (this.#state === 'busy') this.#move('doomed');
    this.#timer = new Timer(this.#settings.terminateAfterMs, () => {
      if (this.#run?.number === number) this.#end();
    }).unref();
  }

  #bootFailed(problem: string, cause?: unknown): void {
    if (this.#state !== 'booting') return;
    const { queue, processor } = this.#settings;
    this.#end(
      new ThreadBootError(
        `A thread of queue "${queue}" cannot start with ${processor.file}: ${problem}`,
        cause === undefined ? undefined : { cause },
      ),
    );
  }

  /** The thread has ended, and not because of `terminate`. */
  readonly #died = (error: unknown): void => {
    if (this.#state === 'ended') return;
    this.#isDead = true;
    // What it said before.
    for (let last = receiveMessageOnPort(this.#port); last; last = receiveMessageOnPort(this.#port)) {
      this.#heard(last.message as FromThread);
    }
    if (this.#state === 'booting') this.#bootFailed(`the thread has ended: ${messageOf(error)}`, error);
    else this.#end(toExitError(error, this.#run?.job, this.#settings.queue));
  };

  #end(error?: Error): void {
    if (this.#state === 'ended') return;
    const wasBooting = this.#state === 'booting';
    this.#state = 'ended';
    this.#timer?.clear();
    if (!this.#isDead) this.#termination.abort();
    const run = this.#run;
    this.#run = undefined;
    if (run) {
      const { signal } = run.job;
      signal.removeEventListener('abort', run.aborted);
      run.reject(signal.aborted ? signal.reason : (error ?? new ShutdownError('The worker is closed.')));
    }
    if (wasBooting) this.#bootEnded.reject(error ?? new ThreadBootError('The worker is closing.'));
    // An error of a run is the run's own.
    this.#observer.ended(this, run ? undefined : error);
  }

  #move(state: ThreadState): void {
    this.#state = state;
    this.#observer.changed();
  }

  #say(message: ToThread): void {
    this.#port.postMessage(message);
  }
}

function toMessage(job: Job): JobMessage {
  const { queueName, id, name, opts, attemptsMade, timestamp, processedOn } = job;
  return {
    queue: queueName,
    id,
    name,
    payload: encodePayload(job.data),
    opts,
    attemptsMade,
    timestamp,
    processedOn,
    extras: job[EXTRAS],
  };
}

/** @param error as the pool reports it */
function toExitError(error: unknown, job: Job | undefined, queue: string): ThreadExitError {
  const whose = job
    ? `The thread that ran job ${job.id} of queue "${queue}"`
    : `A free thread of queue "${queue}"`;
  const code = (error as { code?: unknown } | undefined)?.code;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const advice = 'Use less memory, or raise workerThreadsOptions.resourceLimits.';
    return new ThreadExitError(`${whose} has exhausted its heap. ${advice}`, 'heap', undefined, {
      cause: error,
    });
  }
  const exit = /^worker exited with code: (-?\d+)$/i.exec(messageOf(error))?.[1];
  if (exit !== undefined || error === undefined) {
    const exitCode = exit === undefined ? undefined : Number(exit);
    return new ThreadExitError(
      `${whose} has ended with exit code ${exit ?? 'unknown'}: it called process.exit().`,
      'exit',
      exitCode,
    );
  }
  const what = 'has ended by an error that nothing has caught, thrown outside of the promise of the handler';
  return new ThreadExitError(`${whose} ${what}: ${messageOf(error)}`, 'uncaught', undefined, {
    cause: error,
  });
}
