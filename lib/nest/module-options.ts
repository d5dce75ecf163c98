import type { InjectionToken } from '@nestjs/common';
import type { EnhancerKind } from './job-context/global-enhancers.js';
import type {
  Connection,
  QueueEventsOptions,
  QueueOptions,
  ThreadOptions,
  WorkerOptions,
} from '../engine/index.js';

/** The options of a worker, without its connection: the worker uses the connection of its queue. */
export interface WorkerSettings extends Omit<
  WorkerOptions,
  'connection' | 'accepts' | 'limitsOf' | 'batches' | 'batchesOf' | 'useWorkerThreads'
> {
  /**
   * Runs the handlers in threads: the file of the module that each thread boots, or that file with options. The module needs
   * the processors and what they inject. `false` runs the handlers in the thread of the application, for example in tests.
   * Default false.
   *
   * @example `useWorkerThreads: { module: join(__dirname, 'images.module'), maxThreads: 2 }`
   */
  useWorkerThreads?: false | string | URL | ModuleThreads;
  /**
   * What happens to a job if no handler of this process matches its name. `dead-letter`: the job becomes a dead letter at
   * once. `release`: the job returns to the queue for another worker and uses no attempt. It waits from 500 ms up to 30 s,
   * longer each time. After half a minute, the worker logs it with `CMQ-013`. Use `release` if old and new versions of the
   * code run side by side. Default `dead-letter`.
   */
  unknownJobs?: 'dead-letter' | 'release';
}

/** `useWorkerThreads` of a queue: the module that each thread boots, and the options of the threads. */
export interface ModuleThreads extends ThreadOptions {
  /**
   * The file that exports the module: an absolute path, such as `join(__dirname, 'images.module')`, or a file URL, such as
   * `new URL('./images.module.js', import.meta.url)`. Its extension may be missing.
   */
  module: string | URL;
  /** The name of the export. Default: the default export, or the only module that the file exports. */
  export?: string;
}

/** The options of a queue, without its connection. */
export type QueueSettings = Omit<QueueOptions, 'connection'>;

/** The options of a subscription to queue events, without its connection. */
export type QueueEventsSettings = Omit<QueueEventsOptions, 'connection' | 'autorun'>;

/**
 * Which global enhancers of the application (`APP_GUARD`, `app.useGlobalPipes`, …) also run on jobs: all (`true`), none
 * (`false`, the default), or some kinds. Enhancers of a class or a method always run.
 */
export type GlobalEnhancerSettings = boolean | Readonly<Partial<Record<EnhancerKind, boolean>>>;

/** Which application declares the schedules, and what happens to schedules that it no longer declares. */
export interface ScheduleSettings {
  /**
   * Name of the application, at most 256 bytes. Each schedule that the application declares stores this name. Schedules of
   * other owners are not changed.
   */
  owner: string;
  /**
   * A whole number that grows with each deployment: the number of the deployment, or its time. A rollback to older code is
   * a deployment too. If a process of an older deployment starts later, it declares and removes nothing, so the versions
   * do not undo each other's changes. Default: none.
   */
  generation?: number;
  /** Whether to remove the schedules of this owner that the code no longer declares. Needs `generation`. Default false. */
  removeUndeclared?: boolean;
}

/**
 * What `ChasquiModule.forRoot` takes: a connection, and the defaults of the queues that use it. Every field of
 * {@link QueueSettings} is a default for these queues. `forFeature` overrides it.
 */
export interface ChasquiModuleOptions extends QueueSettings {
  /**
   * Where Redis is. All queues and workers of this connection share one command connection. If you pass your own ioredis
   * client, it is used as it is and never closed.
   */
  connection: Connection;
  /**
   * Which queues this process works on: `true` = all, `false` = none (it only adds jobs), or a list of names. The boot
   * checks the processors of the other queues and gives them no worker. Default true.
   */
  workers?: boolean | readonly string[];
  /**
   * Defaults for all workers of this connection. `@Processor` and `forFeature` override them. Default: those of
   * `Worker`.
   */
  workerOptions?: WorkerSettings;
  /**
   * What happens to a schedule whose `@Repeat` is no longer in the code. `keep`: it keeps running, and the log has a
   * warning. `remove`: it is removed. Use `remove` only if one version of the code runs at a time: a process of an older
   * version that starts during a deployment removes the new schedules. Default `keep`.
   */
  staleSchedules?: 'keep' | 'remove';
  /** Which application declares the schedules. With it, schedules that left the code can be removed safely. Default: none. */
  schedules?: ScheduleSettings;
  /**
   * Which global enhancers of the application also run on jobs. Default `false`: they are written for requests, and a
   * guard that reads headers would refuse every job.
   *
   * @example `globalEnhancers: { pipes: true, interceptors: true }`
   */
  globalEnhancers?: GlobalEnhancerSettings;
  /** Whether `currentJob()` returns the running job. Default false: on Node 20 it costs throughput. */
  trackCurrentJob?: boolean;
  /**
   * Token of an event emitter (`EventEmitter2` of `@nestjs/event-emitter`) that gets a copy of all worker and queue
   * events of this connection, named `chasqui.<queue>.worker.<event>` and `chasqui.<queue>.queue.<event>`. Default:
   * none.
   */
  eventEmitter?: InjectionToken;
}

/** The options of `forRoot` and `forRootAsync` that Nest needs before it creates any provider. */
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
  /** A connection for this queue only. Default: the connection that `connectionName` names. */
  connection?: Connection;
  /** Whether this process works on this queue. Default: as `workers` of the connection says. */
  workers?: boolean;
  /**
   * What happens to a schedule whose `@Repeat` is no longer in the code. Default: as `staleSchedules` of the connection
   * says.
   */
  staleSchedules?: 'keep' | 'remove';
  /** Which global enhancers run on the jobs of this queue. Default: as `globalEnhancers` of the connection says. */
  globalEnhancers?: GlobalEnhancerSettings;
  /** Options of the queue's worker. They override those of `@Processor`. Default: none. */
  workerOptions?: WorkerSettings;
}

/** The options of a queue that Nest needs before it creates any provider. */
export interface ChasquiFeatureExtras {
  /** The name that `@InjectQueue` and `@Processor` use for the queue. */
  name: string;
  /** Name of the connection, as `forRoot({ name })` registers it. Default `default`. */
  connectionName?: string;
  /** Whether all modules can inject the queue, not only those that import this registration. Default false. */
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
