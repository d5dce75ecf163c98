import { ShutdownError, Worker, type WorkerOptions } from '../../engine/index.js';
import type { JobHandler } from '../job-context/job-context.factory.js';

/**
 * The worker of one queue in this process, which can be stopped and started again. A worker of the engine ends for good,
 * so each start after a stop makes a new one; the listeners are on it before it runs.
 */
export class WorkerHost {
  #worker: Worker | undefined;
  #last: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(
    /** The name by which the code knows the queue. */
    readonly queue: string,
    private readonly queueName: string,
    private readonly handler: JobHandler,
    private readonly options: WorkerOptions,
    private readonly listen: (worker: Worker) => void,
  ) {}

  /** Whether it is to begin when the application does. */
  get startsByItself(): boolean {
    return this.options.autorun !== false;
  }

  get worker(): Worker | undefined {
    return this.#worker;
  }

  get isRunning(): boolean {
    return this.#worker?.isRunning() ?? false;
  }

  /** Connects and checks the server; nothing is read yet. */
  check(): Promise<void> {
    return this.next(() => this.open().waitUntilReady());
  }

  /** @throws ShutdownError (CMQ-005) once the application ends */
  start(): Promise<void> {
    return this.next(async () => {
      if (this.#ended)
        throw new ShutdownError(`The worker of queue "${this.queue}" ends with the application.`);
      const worker = this.open();
      // Closed by a stop that was asked for after this start: its turn comes next.
      if (worker.isRunning() || worker.isClosed) return;
      // It settles when the worker has stopped; what keeps it from starting, `waitUntilReady` tells as well.
      worker.run().catch(() => undefined);
      await worker.waitUntilReady();
    });
  }

  /** Waits for running handlers, up to the deadline of the options; gives back what was not started. */
  stop(force = false): Promise<void> {
    // At once, and not after what is under way: a start that waits for Redis must not hold up the end.
    this.#worker?.close(force).catch(() => undefined);
    return this.next(async () => {
      const worker = this.#worker;
      this.#worker = undefined;
      await worker?.close(force);
    });
  }

  /** Stops for good. */
  end(): Promise<void> {
    this.#ended = true;
    return this.stop();
  }

  private open(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(this.queueName, this.handler, { ...this.options, autorun: false });
    this.listen(worker);
    this.#worker = worker;
    return worker;
  }

  /** One thing after the other, whatever became of the one before. */
  private next(step: () => Promise<void>): Promise<void> {
    const result = this.#last.then(step, step);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
