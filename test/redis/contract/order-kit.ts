import type { Job, JobsOptions, Worker, WorkerOptions } from '../../../lib/engine/index.js';
import { take } from './kit.js';
import type { Kit } from './kit.js';

export interface Runs {
  worker: Worker;
  /** The data of the jobs whose handlers were called, in order. */
  started: unknown[];
}

/** What tests of the order of jobs do. */
export interface OrderKit {
  add(data: unknown, opts?: JobsOptions): Promise<Job>;
  /** A worker that notes what it runs, one job at a time. */
  noting(options?: Partial<WorkerOptions>): Runs;
  /** Runs a worker of concurrency 1 until it has completed so many jobs. Returns their data in the order of their starts. */
  runAll(count: number, options?: Partial<WorkerOptions>): Promise<unknown[]>;
}

export function orderKit(redis: Kit): OrderKit {
  const kit: OrderKit = {
    add: (data, opts = {}) => redis.queue().add('job', data, opts),

    noting(options = {}) {
      const started: unknown[] = [];
      const worker = redis.worker((job) => void started.push(job.data), {
        concurrency: 1,
        autorun: false,
        ...options,
      });
      return { worker, started };
    },

    async runAll(count, options) {
      const { worker, started } = kit.noting(options);
      const done = take(worker, 'completed', count);
      void worker.run();
      await done;
      return started;
    },
  };
  return kit;
}
