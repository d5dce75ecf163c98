import { PROCESSOR_METADATA } from '../constants.js';
import type { WorkerSettings } from '../module-options.js';
import { appendToClass } from './metadata.js';

export interface ProcessorMetadata {
  readonly queue: string;
  readonly options: WorkerSettings;
}

/**
 * A class whose `@OnJob` methods handle the jobs of a queue. Several classes, in several modules, may serve one queue:
 * they share one worker, and its options are those of all of them together. Used twice, with two queues, the class serves
 * both, with a worker each. A subclass serves the queues of its base class, unless it has a `@Processor` of its own.
 *
 * @param queue the name that the queue is registered by with `ChasquiModule.forFeature`
 * @param options options of the queue's worker; `workerOptions` of `forFeature` win over them
 */
export function Processor(queue: string, options: WorkerSettings = {}): ClassDecorator {
  return appendToClass(PROCESSOR_METADATA, { queue, options } satisfies ProcessorMetadata);
}
