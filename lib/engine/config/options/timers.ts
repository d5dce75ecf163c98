import type { MetricsSink } from '../../base/metrics.js';
import type { Schema } from '../check-options.js';
import { MOST_MS, anything, boolean, ms, record, seconds, text, whole } from '../checks.js';

export interface SchedulerConfig {
  /** Shortest time between two polls of the schedules, in ms. Default 1,000. */
  tickIntervalMs?: number;
  /** Most schedules that one poll handles. Default 256. */
  batch?: number;
  /** Accepted and ignored: a fire is never refused, and the work stream is never trimmed. Default 1,000,000. */
  maxStreamLen?: number;
  /** Leader lease in seconds. Default 5. */
  lockTtlSecs?: number;
  /** Default `s-<uuid>`. */
  holderId?: string;
}

/** Options of a `Scheduler` in a process of its own. */
export interface StandaloneSchedulerConfig extends SchedulerConfig {
  /** Default `default`. */
  queueName?: string;
  /** Consumer group whose wake entries the scheduler reads. Default `default`. */
  group?: string;
  /** Announce `waiting`. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /** Where the scheduler reports what it does. Default: nowhere. */
  metrics?: MetricsSink;
}

/** Options of a `Promoter` in a process of its own. */
export interface PromoterConfig {
  /** Default `default`. */
  queueName?: string;
  /** Consumer group whose wake entries the promoter reads. Default `default`. */
  group?: string;
  /** Longest time between two polls, in ms; see {@link ConsumerConfig.delayedPollIntervalMs}. Default 1,000. */
  pollIntervalMs?: number;
  /** Most jobs that one call promotes. Default 256. */
  promoteBatch?: number;
  /** Accepted and ignored: a promotion is never refused. Default 1,000,000. */
  maxStreamLen?: number;
  /** Leader lease, in seconds. Default 5. */
  lockTtlSecs?: number;
  /** Default `p-<uuid>`. */
  holderId?: string;
  /** Announce `waiting`. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /** See {@link ConsumerConfig.eventsBatched}. Default true. */
  eventsBatched?: boolean;
  /** Where the promoter reports what it does. Default: nowhere. */
  metrics?: MetricsSink;
}

export const schedulerSchema: Schema<SchedulerConfig> = {
  tickIntervalMs: ms(1),
  batch: whole(1, 10_000),
  maxStreamLen: whole(0),
  lockTtlSecs: whole(1, Math.floor(MOST_MS / 1000)),
  holderId: text,
};

export const standaloneSchedulerSchema: Schema<StandaloneSchedulerConfig> = {
  ...schedulerSchema,
  // checkQueueName checks it.
  queueName: anything,
  group: text,
  eventsEnabled: boolean,
  eventsMaxStreamLen: whole(1),
  metrics: record,
};

export const promoterSchema: Schema<PromoterConfig> = {
  // checkQueueName checks it.
  queueName: anything,
  group: text,
  pollIntervalMs: ms(1),
  promoteBatch: whole(1, 5_000),
  maxStreamLen: whole(0),
  lockTtlSecs: seconds(0.05),
  holderId: text,
  eventsEnabled: boolean,
  eventsMaxStreamLen: whole(1),
  eventsBatched: boolean,
  metrics: record,
};
