import { PROCESSOR_METADATA } from '../constants.js';
import type { WorkerSettings } from '../module-options.js';
import { appendToClass } from './metadata.js';

export interface ProcessorMetadata {
  readonly queue: string;
  readonly options: WorkerSettings;
}

/**
 * Marks a class whose `@OnJob` methods handle the jobs of a queue. Several classes, in several modules, can handle one
 * queue: they share one worker, which gets the options of all of them. A class with two `@Processor` decorators handles
 * two queues, each with its own worker. A subclass handles the queues of its base class, unless it has its own
 * `@Processor`.
 *
 * @param queue the name under which `ChasquiModule.forFeature` registers the queue
 * @param options options of the queue's worker; `workerOptions` of `forFeature` override them
 */
export function Processor(queue: string, options: WorkerSettings = {}): ClassDecorator {
  return appendToClass(PROCESSOR_METADATA, { queue, options } satisfies ProcessorMetadata);
}
