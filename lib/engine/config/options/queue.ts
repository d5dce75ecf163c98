import type { Telemetry } from '../../base/telemetry.js';
import { nested } from '../check-options.js';
import type { Schema } from '../check-options.js';
import { anything, boolean, limitMs, ms, seconds, whole } from '../checks.js';
import type { Check } from '../checks.js';
import { connectionOption } from '../read-connection.js';
import type { Connection } from './connection.js';
import { jobSchema } from './job.js';
import { trackJobs } from './keep.js';
import type { TrackJobsOptions } from './keep.js';
import type { JobsOptions } from './job.js';
import { telemetry } from './telemetry.js';

export interface QueueOptions {
  /** Where Redis is: a URL, options, or an ioredis client of your own. */
  connection: Connection;
  /** Accepted and ignored: keys always begin with `{chasqui:<queue>}`. Default: none. */
  prefix?: string;
  /**
   * Options of every job that this queue adds. Options of the add itself override them. `jobId`, `repeat` and `repeatJobKey`
   * are refused, because they belong to one job. Default: none.
   */
  defaultJobOptions?: Partial<JobsOptions>;
  /**
   * Keep what happens to each job that this queue adds: its attempts with their errors, its progress, its log and its result,
   * and the job itself after it has completed. `true` keeps all completed jobs; an object says how many, and for how long.
   * The jobs carry this, so workers need no option. See docs/tracking.md. Default false.
   */
  trackJobs?: boolean | TrackJobsOptions;
  /**
   * Capacity of the work stream. An add that would exceed it is refused as a whole (CMQ-006). 0 = no bound. Default
   * 1,000,000.
   */
  maxStreamLen?: number;
  /** Largest accepted delay, in seconds. Default 2,592,000 (30 days). */
  maxDelaySecs?: number;
  /** Largest payload in bytes of MessagePack. Default 1,048,576. */
  maxPayloadBytes?: number;
  /** Announce `waiting` and `delayed` on the events stream. Default true. */
  eventsEnabled?: boolean;
  /** About how many events are kept. Default 100,000. */
  eventsMaxStreamLen?: number;
  /** See {@link ConsumerConfig.eventsBatched}. Default true. */
  eventsBatched?: boolean;
  /**
   * Wait (Redis's WAIT) until replicas have confirmed an add. If they do not confirm it in time, the add rejects with
   * DurabilityError (CMQ-008), and the job exists all the same. Not on a cluster. Default: do not wait.
   */
  durability?: DurabilityOptions;
  /**
   * Traces and metrics: `new ChasquiTelemetry()` of `nestjs-chasqui/opentelemetry`. The jobs carry the trace in which they are
   * added. Default: none.
   */
  telemetry?: Telemetry;
  /** How long a call may take before it fails with CMQ-001, in ms. `Infinity`: no limit. Default 10,000. */
  commandTimeoutMs?: number;
  /** How long the first connection may take, in ms. `Infinity`: no limit. Default 10,000. */
  connectTimeoutMs?: number;
}

/** How many replicas must have an add before it counts, and how long to wait for them. */
export interface DurabilityOptions {
  /** How many replicas must have an add. */
  replicas: number;
  /** Longest time to wait, in ms. Other calls on the shared command connection wait too. */
  timeoutMs: number;
}

/** Options of a `Producer`. */
export interface ProducerConfig extends Omit<
  QueueOptions,
  'connection' | 'prefix' | 'defaultJobOptions' | 'trackJobs'
> {
  /** Default `default`. */
  queueName?: string;
  /** Accepted and ignored: one pipelined connection serves all calls. Default 8. */
  poolSize?: number;
}

const notADefault: Check = () => 'cannot be a default, because it belongs to one job; give it to add()';
const defaultJobSchema: Schema<JobsOptions> = {
  ...jobSchema,
  jobId: notADefault,
  repeat: notADefault,
  repeatJobKey: notADefault,
};

const durabilitySchema: Schema<DurabilityOptions> = {
  replicas: whole(1),
  timeoutMs: ms(1),
};

/** The options that `Queue` and `Producer` share. */
const sharedSchema = {
  maxStreamLen: whole(0),
  maxDelaySecs: seconds(0),
  maxPayloadBytes: whole(1),
  eventsEnabled: boolean,
  eventsMaxStreamLen: whole(1),
  eventsBatched: boolean,
  durability: nested('durability', durabilitySchema, ['replicas', 'timeoutMs']),
  telemetry,
  commandTimeoutMs: limitMs(1),
  connectTimeoutMs: limitMs(1),
};

export const queueSchema: Schema<QueueOptions> = {
  connection: connectionOption,
  prefix: anything,
  defaultJobOptions: nested<JobsOptions>('defaultJobOptions', defaultJobSchema),
  trackJobs,
  ...sharedSchema,
};

export const producerSchema: Schema<ProducerConfig & Pick<QueueOptions, 'connection'>> = {
  connection: connectionOption,
  // checkQueueName checks it.
  queueName: anything,
  poolSize: whole(1),
  ...sharedSchema,
};
