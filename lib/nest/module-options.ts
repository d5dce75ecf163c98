import type { InjectionToken } from '@nestjs/common';
import type { EnhancerKind } from './job-context/global-enhancers.js';
import type { Connection, QueueEventsOptions, QueueOptions, WorkerOptions } from '../engine/index.js';

/** Everything a worker can be told, but not its connection, which comes from the queue. */
export interface WorkerSettings extends Omit<WorkerOptions, 'connection' | 'accepts'> {
  /**
   * What happens to a job whose name no handler of this process takes. `dead-letter`: it becomes a dead letter at once.
   * `release`: it goes back to the queue for another worker, which an older version of the code should do while a newer
   * version that adds such jobs is rolled out. It uses no attempt and waits from 500 ms up to 30 s, longer each time;
   * then it is logged, with `CMQ-013`. Default `dead-letter`.
   */
  unknownJobs?: 'dead-letter' | 'release';
}

/** Everything a queue can be told, but not its connection. */
export type QueueSettings = Omit<QueueOptions, 'connection'>;

/** Everything an events subscription can be told, but not its connection. */
export type QueueEventsSettings = Omit<QueueEventsOptions, 'connection' | 'autorun'>;

/**
 * Which global enhancers of the application (`APP_GUARD`, `app.useGlobalPipes`, …) run on jobs, too: all of them
 * (`true`), none (`false`, the default), or those of some kinds. Those of classes and methods always run.
 */
export type GlobalEnhancerSettings = boolean | Readonly<Partial<Record<EnhancerKind, boolean>>>;

/** Who declares the schedules of an application, and what becomes of those that it does not declare any more. */
export interface ScheduleSettings {
  /**
   * Name of the application. It is kept with each schedule that it declares; those of other owners are left alone. At most
   * 256 bytes.
   */
  owner: string;
  /**
   * A whole number that grows with each deployment, also with one that goes back to older code: the number of the
   * deployment, or its time. Processes of an older deployment that start later declare and remove nothing, so the two
   * do not undo each other's work. Default: none.
   */
  generation?: number;
  /** Whether schedules of this owner that the code does not declare any more are removed. Needs `generation`. Default false. */
  removeUndeclared?: boolean;
}

/**
 * What `ChasquiModule.forRoot` takes: a connection, and the defaults of the queues that use it. Every field of
 * {@link QueueSettings} is a default for them all; `forFeature` wins over it.
 */
export interface ChasquiModuleOptions extends QueueSettings {
  /**
   * Where Redis is. One command connection is opened for all queues and workers of it. An ioredis client of your own is
   * used as it is and never closed.
   */
  connection: Connection;
  /**
   * Which queues this process works on: `true` = all, `false` = none (it only adds jobs), or a list of names.
   * Processors of the other queues are checked at boot and get no worker. Default true.
   */
  workers?: boolean | readonly string[];
  /**
   * Defaults for all workers of this connection. `@Processor` and `forFeature` override them. Default: those of
   * `Worker`.
   */
  workerOptions?: WorkerSettings;
  /**
   * What happens to a schedule that `@Repeat` declared once and that is no longer in the code: `keep` = it goes on,
   * with a warning in the log; `remove` = it is removed. Use `remove` only if all replicas of a queue are replaced at
   * once: a replica of an older version that starts in between removes what is new. Default `keep`.
   */
  staleSchedules?: 'keep' | 'remove';
  /** Who declares the schedules, so that those that are gone from the code can be removed safely. Default: nobody says. */
  schedules?: ScheduleSettings;
  /**
   * Which global enhancers of the application run on jobs, too. Default `false`: they are written for requests, and a
   * guard that reads headers would refuse every job.
   *
   * @example `globalEnhancers: { pipes: true, interceptors: true }`
   */
  globalEnhancers?: GlobalEnhancerSettings;
  /** Whether `currentJob()` knows the job that is being run. Default false: on Node 20 it costs throughput. */
  trackCurrentJob?: boolean;
  /**
   * Token of an event emitter (`EventEmitter2` of `@nestjs/event-emitter`) that gets a copy of all worker and queue
   * events of this connection, named `chasqui.<queue>.worker.<event>` and `chasqui.<queue>.queue.<event>`. Default:
   * none.
   */
  eventEmitter?: InjectionToken;
}

/** What else `forRoot` and `forRootAsync` take; it must be known before any provider is made. */
export interface ChasquiModuleExtras {
  /** Name of the connection, for `connectionName` of a queue. Default `default`. */
  name?: string;
  /** Whether queues in all modules can use the connection. Default true. */
  isGlobal?: boolean;
}

/** What the factory of `forFeatureAsync` returns. */
export interface ChasquiFeatureOptions extends QueueSettings {
  /** The queue's name in Redis, if it differs from the `name` that the code uses. Default: `name`. */
  queueName?: string;
  /** A connection of the queue's own. Default: the connection that `connectionName` names. */
  connection?: Connection;
  /** `false`: no worker for this queue in this process. Default: as `workers` of the connection says. */
  workers?: boolean;
  /**
   * What becomes of a schedule that `@Repeat` declared once and that is not in the code any more. Default: as
   * `staleSchedules` of the connection says.
   */
  staleSchedules?: 'keep' | 'remove';
  /** Which global enhancers run on the jobs of this queue. Default: as `globalEnhancers` of the connection says. */
  globalEnhancers?: GlobalEnhancerSettings;
  /** Options of the queue's worker. They override those of `@Processor`. Default: none. */
  workerOptions?: WorkerSettings;
}

/** What is known of a queue before any provider is made. */
export interface ChasquiFeatureExtras {
  /** The name by which `@InjectQueue` and `@Processor` know the queue. */
  name: string;
  /** Default `default`. */
  connectionName?: string;
  /** Whether the queue can be injected everywhere, and not only where this is imported. Default false. */
  isGlobal?: boolean;
}

/** What `ChasquiModule.forFeature` takes. */
export interface ChasquiQueueOptions extends ChasquiFeatureOptions, ChasquiFeatureExtras {}

/** For `useClass` and `useExisting` of `forRootAsync`. */
export interface ChasquiOptionsFactory {
  createChasquiOptions(): ChasquiModuleOptions | Promise<ChasquiModuleOptions>;
}

/** For `useClass` and `useExisting` of `forFeatureAsync`. */
export interface ChasquiQueueOptionsFactory {
  createQueueOptions(): ChasquiFeatureOptions | Promise<ChasquiFeatureOptions>;
}
