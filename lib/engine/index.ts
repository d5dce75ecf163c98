import { nameErrors } from './error-names.js';
import * as errors from './errors.js';

export { BackoffSpec } from './backoff.js';
export type { Backlog } from './backlog.js';
export { systemClock } from './clock.js';
export type { Clock } from './clock.js';
export type { CancelOutcome } from './cancel.js';
export type { ConnectionInfo } from './connections.js';
export type { DlqEvicted } from './consumer/consumer-core.js';
export type { ReadingHealth, WorkerHealth } from './consumer/health.js';
export { Consumer } from './consumer.js';
export type { ConsumerJob } from './consumer.js';
export type { DlqEntry, DlqSelection } from './dlq.js';
export * from './errors.js';
export { Job } from './job.js';
export type { JobProgress, JobState, JobType } from './job.js';
export { noopSink } from './metrics.js';
export type {
  DlqReason,
  DlqRouted,
  JobOutcome,
  LockOutcome,
  MetricsSink,
  PromoterTick,
  ReaderBatch,
  RetryScheduled,
} from './metrics.js';
export type * from './options.js';
export { decodePayload, encodePayload } from './payload.js';
export { Producer } from './producer.js';
export type { NamedPayload, RunAt } from './producer.js';
export { Queue } from './queue.js';
export { QueueEvents } from './queue-events.js';
export type * from './queue-events.js';
export { RepeatPattern } from './repeat/pattern.js';
export type { RepeatableMeta, RepeatableSpec } from './repeat/spec.js';
export { Promoter, Scheduler } from './standalone.js';
export { engineVersion } from './version.js';
export { Worker } from './worker.js';
export type { Processor, WorkerEventsMap } from './worker.js';

nameErrors(errors);
