export { InjectQueue } from './inject-queue.decorator.js';
export { JobAttempt, JobData, JobId, JobRef, JobSignal } from './job-params.decorator.js';
export { OnJob, type JobNames, type OnJobOptions } from './on-job.decorator.js';
export { OnQueueEvent } from './on-queue-event.decorator.js';
export { OnWorkerEvent } from './on-worker-event.decorator.js';
export { Processor } from './processor.decorator.js';
export { QueueEventsListener } from './queue-events-listener.decorator.js';
export { Repeat, type RepeatSettings } from './repeat.decorator.js';
