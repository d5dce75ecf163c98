import { ShutdownError, Worker, type WorkerOptions } from '../../engine/index.js';
import type { ProcessorFile } from '../../engine/threads/processor-file.js';
import type { JobHandler } from '../job-context/job-context.factory.js';

/**
 * The worker of one queue in this process. You can stop it and start it again. A worker of the engine cannot start again
 * after `close`, so each start creates a new one and adds the listeners before it runs.
 */
export class WorkerHost {
  #worker: Worker | undefined;
  /** The worker that a previous `stop` is closing. */
  #closing: Worker | undefined;
  #last: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(
    /** The name that the code uses for the queue. */
    readonly queue: string,
    private readonly queueName: string,
    private readonly handler: JobHandler | ProcessorFile,
    private readonly options: WorkerOptions,
    private readonly listen: (worker: Worker) => void,
  ) {}

  /** Whether it starts with the application. */
  get startsByItself(): boolean {
    return this.options.autorun !== false;
  }

  get worker(): Worker | undefined {
    return this.#worker;
  }

  get isRunning(): boolean {
    return this.#worker?.isRunning() ?? false;
  }

  /** Connects and checks the server. It does not read yet. */
  check(): Promise<void> {
    return this.next(() => this.open().waitUntilReady());
  }

  /** @throws ShutdownError (CMQ-005) after the application has begun to stop */
  start(): Promise<void> {
    return this.next(async () => {
      if (this.#ended)
        throw new ShutdownError(
          `The worker of queue "${this.queue}" cannot start: the application is stopping.`,
        );
      const worker = this.open();
      // A later `stop` has closed it already, and runs next.
      if (worker.isRunning() || worker.isClosed) return;
      // `run` settles when the worker has stopped. `waitUntilReady` reports an error at the start.
      worker.run().catch(() => undefined);
      await worker.waitUntilReady();
    });
  }

  /**
   * Waits for running handlers up to `shutdownDeadlineSecs`, and releases the jobs that have not started. With `force`, it
   * does not wait.
   */
  stop(force = false): Promise<void> {
    // Close at once, and not after a pending step: a start that waits for Redis must not delay the stop.
    // With `force`, this also ends a `stop` that waits for running handlers.
    for (const worker of [this.#worker, this.#closing]) worker?.close(force).catch(() => undefined);
    return this.next(async () => {
      const worker = this.#worker;
      this.#worker = undefined;
      this.#closing = worker;
      await worker?.close(force);
      this.#closing = undefined;
    });
  }

  /** Stops for good. */
  end(): Promise<void> {
    this.#ended = true;
    return this.stop();
  }

  private open(): Worker {
    if (this.#worker) return this.#worker;
    // A file with data is not part of the public type.
    const worker = new Worker(this.queueName, this.handler as JobHandler, {
      ...this.options,
      autorun: false,
    });
    this.listen(worker);
    this.#worker = worker;
    return worker;
  }

  /** Runs the steps one after the other, even if the previous one failed. */
  private next(step: () => Promise<void>): Promise<void> {
    const result = this.#last.then(step, step);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
