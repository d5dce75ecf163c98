import { ConfigError } from '../base/errors.js';
import { checkProcessor } from '../config/check-arguments.js';
import type { WorkerOptions } from '../config/options.js';
import { signalOf } from '../job/batch-signal.js';
import type { Job } from '../job/job.js';
import type { Handler } from '../worker/run/runner.js';
import type { WorkerSettings } from '../worker/settings.js';
import { ProcessorFile, resolveFile } from './processor-file.js';
import { ThreadPool } from './thread-pool.js';

type ProcessorFunction = (input: Job | Job[], signal: AbortSignal) => unknown;
/** What a worker runs, checked. */
export type CheckedProcessor = ProcessorFunction | ProcessorFile;

/**
 * @param worker for messages
 * @throws ConfigError (CMQ-004)
 */
export function checkedProcessor(worker: string, processor: unknown): CheckedProcessor {
  if (processor instanceof ProcessorFile) return processor;
  const what = `${worker}: the processor`;
  if (typeof processor === 'string' || processor instanceof URL) {
    return new ProcessorFile(resolveFile(what, processor), undefined);
  }
  checkProcessor(what, processor);
  return processor as ProcessorFunction;
}

/**
 * The threads for a processor; undefined for a function, which runs in this thread.
 * @param settings its `concurrency` becomes at most the number of threads
 * @throws ConfigError (CMQ-004)
 */
export function threadsOf(
  queue: string,
  processor: CheckedProcessor,
  { useWorkerThreads, workerThreadsOptions: node, batches, batchesOf }: WorkerOptions,
  settings: Pick<WorkerSettings, 'concurrency'>,
  capacityChanged: () => void,
  onError: (error: unknown) => void,
): ThreadPool | undefined {
  const worker = `Worker "${queue}"`;
  if (processor instanceof ProcessorFile) {
    if (batches ?? batchesOf) {
      throw new ConfigError(
        `${worker}: batches cannot run in threads, because a thread runs one job at a time. Remove "batches", or run the handler without threads.`,
      );
    }
    const options = typeof useWorkerThreads === 'object' ? useWorkerThreads : {};
    const { concurrency } = settings;
    const pool = { queue, processor, concurrency, options, node: node ?? {}, capacityChanged, onError };
    const threads = new ThreadPool(pool);
    settings.concurrency = Math.min(concurrency, threads.maxThreads);
    return threads;
  }
  if ((useWorkerThreads ?? false) === false && node === undefined) return undefined;
  throw new ConfigError(
    `${worker}: a function cannot run in a thread. Put it into a file of its own, as the default export, and pass the path of the file as the processor.`,
  );
}

/** What calls the handler, with a job or the jobs of a batch. */
export function handlerOf(processor: CheckedProcessor, threads: ThreadPool | undefined): Handler {
  // A worker with threads has no batches.
  if (threads) return (input) => threads.run(input as Job);
  const run = processor as ProcessorFunction;
  // A signal costs time to create, so only a processor with a second parameter gets one.
  return run.length > 1 ? (input) => run(input, signalOf(input)) : (input) => (run as Handler)(input);
}
