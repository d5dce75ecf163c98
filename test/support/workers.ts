import { afterEach } from 'vitest';
import { Worker, type Connection, type Processor, type WorkerOptions } from '../../lib/engine/index.js';

export interface TestWorkers {
  /** A worker of `name` (default `mail`) that also ends with a test that fails. */
  start(processor: Processor, options?: Omit<WorkerOptions, 'connection'>, name?: string): Worker;
}

/** Workers beside an application. After the test, those that still run are closed, and do not wait for their handlers. */
export function useWorkers(redis: { readonly connection: Connection }): TestWorkers {
  const workers: Worker[] = [];

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.close(true)));
  });

  return {
    start(processor, options = {}, name = 'mail') {
      const worker = new Worker(name, processor, { ...options, connection: redis.connection });
      workers.push(worker);
      return worker;
    },
  };
}
