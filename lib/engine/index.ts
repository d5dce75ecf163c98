import { nameErrors } from './base/error-names.js';
import * as errors from './base/errors.js';
import * as threadErrors from './base/thread-errors.js';

export { BackoffSpec } from './job/backoff.js';
export type { GroupInfo, GroupStatus } from '../redis/scripts/list-groups.js';
export type { ListedStatus } from './api/queue/queue-groups.js';
export type { Backlog } from '../redis/scripts/read-backlog.js';
export { systemClock } from './base/clock.js';
export type { Clock } from './base/clock.js';
export type { CancelOutcome } from './admin/cancel.js';
export type { ConnectionInfo } from './connection/command-link.js';
export type { ReadingHealth, WorkerHealth } from './worker/health.js';
export type { DeadLettered, DlqEvicted, PausedBy } from './worker/hooks.js';
export { Consumer } from './api/consumer.js';
export type { ConsumerJob } from './api/consumer.js';
export type { DlqEntry } from './admin/dlq.js';
export type { DlqHistogram } from './admin/look/dlq-histogram.js';
export type { FindJobsOptions, JobQuery } from './admin/look/job-query.js';
export type { JobCounts } from './admin/look/job-types.js';
export type { Metrics } from './admin/look/metrics.js';
export type { DlqPage } from './admin/look/dlq-pages.js';
export type { WorkerInfo } from './admin/workers.js';
export * from './base/errors.js';
export * from './base/thread-errors.js';
export { Job } from './job/job.js';
export type { JobLogs } from './admin/job-logs.js';
export type { AttemptRecord, JobProgress } from './job/attempts.js';
export type { JobState, JobType } from './job/job.js';
export { noopSink } from './base/metrics.js';
export type {
  DlqReason,
  DlqRouted,
  JobOutcome,
  LockOutcome,
  MetricsSink,
  PromoterTick,
  ReaderBatch,
  RetryScheduled,
} from './base/metrics.js';
export type * from './base/telemetry.js';
export type * from './config/options.js';
export { decodePayload, encodePayload } from './codec/payload.js';
export { Producer } from './api/producer.js';
export type { NamedPayload, RunAt } from './api/producer.js';
export { Queue } from './api/queue.js';
export { exportPrometheusMetrics } from './api/export-prometheus-metrics.js';
export { QueueEvents } from './api/queue-events.js';
export type * from './api/queue-event-types.js';
export { RepeatPattern } from './timers/repeat/pattern.js';
export type { RepeatableMeta, RepeatableSpec } from './timers/repeat/stored-schedule.js';
export { Promoter, Scheduler } from './api/standalone.js';
export { engineVersion } from './base/version.js';
export { Worker } from './api/worker.js';
export type { BatchProcessor, BatchResults, MixedProcessor, Processor } from './api/processor-types.js';
export type { WorkerEventsMap } from './api/worker-event-types.js';

nameErrors(errors);
nameErrors(threadErrors);
