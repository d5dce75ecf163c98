/** The option types of the public API, each in the file of the class that takes it. */
export type { BatchesOptions, BatchingOptions } from './options/batches.js';
export type { Connection, ConnectionOptions } from './options/connection.js';
export type { QueueEventsOptions } from './options/events.js';
export type {
  DlqFilter,
  DlqHistogramOptions,
  DlqPageOptions,
  DlqSelection,
  DropDlqOptions,
  ReplayDlqOptions,
} from './options/dlq.js';
export type {
  CleanType,
  ObliterateOptions,
  OperationOptions,
  OperationProgress,
  PromoteJobsOptions,
  RetryJobsOptions,
} from './options/operation.js';
export type {
  AddOptions,
  BackoffOptions,
  BulkJobOptions,
  ExpiredAction,
  JobRetryOverride,
  JobsOptions,
  TimeLimits,
} from './options/job.js';
export type { DeduplicationOptions } from './options/deduplication.js';
export type { GroupLimits, JobGroup } from './options/group.js';
export type { RateLimit } from './options/limits.js';
export type { PriorityOptions } from './options/priority.js';
export type { KeepJobs, RemoveOn, TrackJobsOptions, TrackedBound } from './options/keep.js';
export type { DurabilityOptions, ProducerConfig, QueueOptions } from './options/queue.js';
export type {
  JobSchedulerJson,
  JobSchedulerTemplate,
  JobSchedulerTemplateOptions,
} from './options/job-scheduler.js';
export type { MissedFiresOption, RepeatOptions, RepeatableJobMeta } from './options/repeat.js';
export type { WaitForResultOptions } from './options/results.js';
export type { PromoterConfig, SchedulerConfig, StandaloneSchedulerConfig } from './options/timers.js';
export type {
  BackoffStrategy,
  ConsumerConfig,
  MetricsOptions,
  RetryConfig,
  StandaloneConsumerConfig,
  WorkerOptions,
} from './options/worker.js';
export type { NodeThreadOptions, ResourceLimits, ThreadOptions } from './options/threads.js';
