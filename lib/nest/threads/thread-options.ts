import { join } from 'node:path';
import type { ThreadOptions } from '../../engine/index.js';
import { checkOptions, type Schema } from '../../engine/config/check-options.js';
import { text, type Check } from '../../engine/config/checks.js';
import { threadSchema } from '../../engine/config/options/threads.js';
import { ProcessorFile, resolveFile } from '../../engine/threads/processor-file.js';
import type { ModuleThreads, WorkerSettings } from '../module-options.js';
import type { QueueRegistration } from '../runtime/queue.registration.js';
import type { RegisteredConnection } from '../runtime/registered-connection.js';
import { crossing, type ThreadRole } from './thread-role.js';

const file: Check = (value) =>
  value instanceof URL || text(value) === undefined
    ? undefined
    : "must be an absolute path, such as path.join(__dirname, 'images.module'), or a file URL, such as new URL('./images.module.js', import.meta.url)";

const schema: Schema<ModuleThreads> = { ...threadSchema, module: file, export: text };

/** The check of `useWorkerThreads` in Nest: `false`, a file, or an object that names one. */
export const moduleThreads: Check = Object.assign(
  (value: unknown) => {
    if (value === false || value instanceof URL) return undefined;
    if (value === true)
      return "must name the file of the module whose handlers run in the threads: { module: path.join(__dirname, 'images.module') }";
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : file(value);
  },
  {
    read: (value: unknown) =>
      typeof value === 'object' && !(value instanceof URL)
        ? checkOptions('useWorkerThreads', schema, value as ModuleThreads, ['module'])
        : value,
  },
);

/** What a worker runs in threads, and the options of these threads. */
export interface PlannedThreads {
  readonly processor: ProcessorFile;
  readonly options: ThreadOptions;
}

/**
 * @param given the option of the worker of a queue
 * @returns undefined if its handlers run in the thread of the application
 * @throws ConfigError (CMQ-004) if there is no such file
 */
export function planThreads(
  given: WorkerSettings['useWorkerThreads'],
  { name, globalEnhancers }: QueueRegistration,
  connections: readonly RegisteredConnection[],
): PlannedThreads | undefined {
  if (given === undefined || given === false) return undefined;
  const {
    module,
    export: exported,
    ...options
  } = typeof given === 'string' || given instanceof URL ? { module: given, export: undefined } : given;
  const role: ThreadRole = {
    file: resolveFile(`Queue "${name}": useWorkerThreads.module`, module),
    export: exported,
    queue: name,
    globalEnhancers,
    trackCurrentJob: connections.some(({ trackCurrentJob }) => trackCurrentJob),
    connections: crossing(connections),
  };
  return { processor: new ProcessorFile(join(__dirname, 'thread-program.js'), role), options };
}
