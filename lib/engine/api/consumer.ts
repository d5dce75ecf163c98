import { checkConnection } from '../config/read-connection.js';
import type { Job } from '../job/job.js';
import type { Connection, StandaloneConsumerConfig, WorkerOptions } from '../config/options.js';
import { standaloneConsumerSchema } from '../config/options/worker.js';
import { checkProcessor, checkQueueName, checkRun } from '../config/check-arguments.js';
import { checkOptions } from '../config/check-options.js';
import { Worker } from './worker.js';

/** What a consumer's handler receives: the job, with its data under the engine's own word too. */
export type ConsumerJob<T> = Job<T> & { readonly payload: T };

/** The consuming side as one call: runs until its signal is aborted. */
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
   * Hands each job to `handler`; what it returns is stored where `storeResults` says so, `undefined` and an empty Buffer
   * are not. Resolves when `signal` is aborted and everything under way has ended, or `shutdownDeadlineSecs` are over.
   * @param onError what goes wrong with Redis meanwhile; without it, process warnings
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
