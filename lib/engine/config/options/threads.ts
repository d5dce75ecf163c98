import { nested } from '../check-options.js';
import type { Schema } from '../check-options.js';
import { anything, boolean, limitMs, ms, number, record, whole } from '../checks.js';
import type { Check } from '../checks.js';

/** The threads of a worker whose processor is a file. */
export interface ThreadOptions {
  /**
   * Most threads. Each runs one job at a time, so the worker never runs more jobs at once. Default: the smaller of
   * `concurrency` and the number of cores.
   */
  maxThreads?: number;
  /**
   * How long a thread may be idle before it is closed, in ms. With a limit, threads start when jobs need them, and a run
   * then includes the start. Default `Infinity`: all threads start with the worker, and one that ends is replaced.
   */
  idleTimeoutMs?: number;
  /**
   * How long a handler may go on after its signal was aborted, in ms. Then its thread is terminated, and
   * another one takes its place. Default 1,000.
   */
  terminateAfterMs?: number;
  /** How long a thread may take to start, in ms. Default 60,000. */
  bootTimeoutMs?: number;
}

/** Options of Node's `new Worker` for each thread. */
export interface NodeThreadOptions {
  /** The environment variables. Default: a copy of those of the process. */
  env?: Record<string, string>;
  /** What `process.argv` of the thread has after its first two values. Default: none. */
  argv?: string[];
  /** Options of the `node` command, such as `['--import', 'tsx']`. Default: those of the process. */
  execArgv?: string[];
  /** Bounds of the heap and the stack of a thread. A job that exceeds one fails with CMQ-026. Default: those of Node. */
  resourceLimits?: ResourceLimits;
  /** A copy of it is `workerData` of `node:worker_threads` in the thread. Default: undefined. */
  workerData?: unknown;
}

/** All in MB. */
export interface ResourceLimits {
  /** The heap, apart from new objects. Default: as Node has it. */
  maxOldGenerationSizeMb?: number;
  /** The part of the heap for new objects. Default: as Node has it. */
  maxYoungGenerationSizeMb?: number;
  /** Compiled code. Default: as Node has it. */
  codeRangeSizeMb?: number;
  /** The stack. Default 4. */
  stackSizeMb?: number;
}

const texts: Check = (value) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
    ? undefined
    : 'must be an array of strings';

const variables: Check = (value) =>
  record(value) ??
  (Object.values(value as object).every((item) => typeof item === 'string')
    ? undefined
    : 'must map names to strings');

const limitsSchema: Schema<ResourceLimits> = {
  maxOldGenerationSizeMb: number(1),
  maxYoungGenerationSizeMb: number(1),
  codeRangeSizeMb: number(0),
  stackSizeMb: number(0.1),
};

export const threadSchema: Schema<ThreadOptions> = {
  maxThreads: whole(1, 1_024),
  idleTimeoutMs: limitMs(1),
  terminateAfterMs: ms(0),
  bootTimeoutMs: limitMs(1),
};

/** `true`, `false`, or options. */
export const useWorkerThreads: Check = Object.assign(
  (value: unknown) =>
    boolean(value) && record(value) && 'must be true, false, or an object such as { maxThreads: 2 }',
  {
    read: (value: unknown) =>
      typeof value === 'boolean' ? value : nested('useWorkerThreads', threadSchema).read?.(value),
  },
);

export const workerThreadsOptions: Check = nested<NodeThreadOptions>('workerThreadsOptions', {
  env: variables,
  argv: texts,
  execArgv: texts,
  resourceLimits: nested('workerThreadsOptions.resourceLimits', limitsSchema),
  workerData: anything,
});
