import { PROCESSOR_METADATA } from '../constants.js';
import type { WorkerSettings } from '../module-options.js';

export interface ProcessorMetadata {
  readonly queue: string;
  readonly options: WorkerSettings;
}

/**
 * A class whose `@OnJob` methods handle the jobs of a queue. Several classes, in several modules, may serve one queue:
 * they share one worker, and its options are those of all of them together.
 *
 * @param queue the name that the queue is registered by with `ChasquiModule.forFeature`
 * @param options options of the queue's worker; `workerOptions` of `forFeature` win over them
 */
export function Processor(queue: string, options: WorkerSettings = {}): ClassDecorator {
  return (target) => {
    Reflect.defineMetadata(PROCESSOR_METADATA, { queue, options } satisfies ProcessorMetadata, target);
  };
}
