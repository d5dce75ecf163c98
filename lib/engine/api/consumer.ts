import { checkConnection } from '../config/read-connection.js';
import type { Job } from '../job/job.js';
import type { Connection, StandaloneConsumerConfig, WorkerOptions } from '../config/options.js';
import { standaloneConsumerSchema } from '../config/options/worker.js';
import { checkProcessor, checkQueueName, checkRun } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';
import { Worker } from './worker.js';

/** The job that a consumer's handler receives. `payload` is the same as `data`. */
export type ConsumerJob<T> = Job<T> & { readonly payload: T };

/** A worker as one call, which runs until its signal is aborted. */
export class Consumer<T = unknown> {
  readonly #queueName: string;
  readonly #options: WorkerOptions;

  /** @throws ConfigError (CMQ-004) */
  constructor(connection: Connection, config: StandaloneConsumerConfig = {}) {
    const { queueName = 'default', ...options } = checkOptions('Consumer', standaloneConsumerSchema, config);
    checkQueueName(queueName);
    checkConnection(`Consumer "${queueName}"`, connection);
    this.#queueName = queueName;
    this.#options = { ...options, connection, autorun: false };
  }

  /**
   * Calls `handler` for each job. With `storeResults`, its return value is stored, except `undefined` and an empty Buffer.
   * Resolves when `signal` is aborted and all handlers have ended, or `shutdownDeadlineSecs` are over.
   * @param onError called for each error of Redis; without it, errors become process warnings
   * @throws ConnectionError (CMQ-001), ConfigError (CMQ-004)
   */
  async run(
    handler: (job: ConsumerJob<T>) => unknown,
    signal?: AbortSignal,
    onError?: (error: Error) => void,
  ): Promise<void> {
    checkProcessor(`Consumer "${this.#queueName}": the handler`, handler);
    checkRun(`Consumer "${this.#queueName}".run`, signal, onError);
    if (signal?.aborted) return;
    const worker = new Worker<T>(
      this.#queueName,
      async (job) => {
        const result = await handler(
          Object.defineProperty(job, 'payload', { value: job.data }) as ConsumerJob<T>,
        );
        return Buffer.isBuffer(result) && result.length === 0 ? undefined : result;
      },
      this.#options,
    );
    if (onError) worker.on('error', onError);
    const stop = (): void => {
      void worker.close();
    };
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await worker.run();
    } finally {
      signal?.removeEventListener('abort', stop);
      await worker.close();
    }
  }
}
