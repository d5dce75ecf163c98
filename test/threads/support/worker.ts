import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type * as Engine from '../../../lib/engine/index.js';

/** The compiled package: a thread loads its file by itself, and Node cannot load the source. */
export const engine = createRequire(import.meta.url)('../../../dist/engine/index.js') as typeof Engine;

export const fixture = (file: string): URL => new URL(`../fixtures/engine/${file}`, import.meta.url);
export const fixturePath = (file: string): string => fileURLToPath(fixture(file));

/** How a job has ended in this process. */
export interface End {
  readonly value?: unknown;
  /** What `failed` had. */
  readonly error?: Error & Record<string, unknown>;
  readonly deadLetterReason?: string | undefined;
  readonly job: Engine.Job;
}

export interface Bench {
  readonly queue: Engine.Queue;
  readonly worker: Engine.Worker;
  /** What the worker has emitted as `error`. */
  readonly errors: (Error & { code?: string })[];
  /** Adds a job and resolves with how its next run ends. */
  run(name: string, data?: unknown, options?: Engine.JobsOptions): Promise<End>;
  /** Resolves with how the next run of a job ends. */
  ended(id: string): Promise<End>;
}

/** A queue, and a worker of the file. */
export async function startWorker(
  connection: Engine.Connection,
  options: Partial<Engine.WorkerOptions> = {},
  file: string | URL = fixture('processor.mjs'),
): Promise<Bench> {
  const queue = new engine.Queue('threads', { connection });
  const worker = new engine.Worker('threads', file, {
    connection,
    autorun: false,
    maxAttempts: 1,
    useWorkerThreads: { maxThreads: 2, terminateAfterMs: 200 },
    ...options,
  });
  const errors: Error[] = [];
  worker.on('error', (error) => errors.push(error));
  const ends = new Map<string, (end: End) => void>();
  const early = new Map<string, End>();
  const end = (id: string, how: End): void => {
    const hears = ends.get(id);
    ends.delete(id);
    if (hears) hears(how);
    else early.set(id, how);
  };
  worker.on('completed', (job, value) => {
    end(job.id, { job, value });
  });
  worker.on('failed', (job, error) => {
    if (!job) return;
    end(job.id, { job, error: error as never, deadLetterReason: job.deadLetterReason });
  });
  const ended = (id: string): Promise<End> => {
    const known = early.get(id);
    early.delete(id);
    return known ? Promise.resolve(known) : new Promise((resolve) => ends.set(id, resolve));
  };
  void worker.run().catch(() => undefined);
  await worker.waitUntilReady();
  return {
    queue,
    worker,
    errors,
    ended,
    run: async (name, data = {}, jobOptions = {}) => ended((await queue.add(name, data, jobOptions)).id),
  };
}
