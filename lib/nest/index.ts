import { nameErrors } from '../engine/base/error-names.js';
import * as errors from './errors.js';

export { ChasquiModule, type ChasquiQueueAsyncOptions } from './chasqui.module.js';
export * from './decorators/index.js';
export * from './errors.js';
export { JOB_REF } from './job-ref.js';
export { JobExecutionContext, type ChasquiContextType } from './job-context/job-execution-context.js';
export { currentJob, type JobScope } from './job-context/job-scope.js';
export type { QueueEventMap, WorkerEventMap } from './listener-types.js';
export type * from './module-options.js';
export { ChasquiQueues } from './runtime/chasqui.queues.js';
export { ChasquiWorkers } from './runtime/chasqui.workers.js';
export { getConnectionToken, getQueueToken } from './tokens.js';

nameErrors(errors);
