import type { InjectionToken } from '@nestjs/common';
import type { Connection, ConnectionOptions } from '../../engine/index.js';
import type {
  ChasquiModuleOptions,
  GlobalEnhancerSettings,
  QueueSettings,
  ScheduleSettings,
  WorkerSettings,
} from '../module-options.js';

/** A connection of one application, as `forRoot` registers it. */
export class RegisteredConnection {
  /** The object whose identity makes queues and workers share a connection. */
  readonly connection: Connection;
  readonly workers: boolean | readonly string[];
  readonly eventEmitter: InjectionToken | undefined;
  readonly staleSchedules: 'keep' | 'remove';
  readonly globalEnhancers: GlobalEnhancerSettings;
  readonly schedules: ScheduleSettings | undefined;
  readonly trackCurrentJob: boolean;
  readonly workerDefaults: WorkerSettings;
  readonly queueDefaults: QueueSettings;

  /** @param options checked options */
  constructor(
    readonly name: string,
    options: ChasquiModuleOptions,
  ) {
    const {
      connection,
      workers = true,
      eventEmitter,
      staleSchedules = 'keep',
      schedules,
      globalEnhancers = false,
      trackCurrentJob = false,
      workerOptions = {},
      ...queueDefaults
    } = options;
    this.connection = ownConnection(connection);
    this.workers = workers;
    this.eventEmitter = eventEmitter;
    this.staleSchedules = staleSchedules;
    this.globalEnhancers = globalEnhancers;
    this.schedules = schedules;
    this.trackCurrentJob = trackCurrentJob;
    this.workerDefaults = workerOptions;
    this.queueDefaults = queueDefaults;
  }

  /** Whether this process works on a queue that does not set `workers` itself. */
  worksOn(queue: string): boolean {
    return typeof this.workers === 'boolean' ? this.workers : this.workers.includes(queue);
  }
}

/**
 * The engine shares one connection among all users of the same options object. Another application in this process may get
 * the same object, so each application uses a copy. A client that the user passes in is meant to be shared.
 */
export function ownConnection(connection: Connection): Connection {
  if (typeof connection === 'string') return { url: connection };
  const prototype: unknown = Object.getPrototypeOf(connection);
  const isPlain = prototype === Object.prototype || prototype === null;
  return isPlain ? { ...(connection as ConnectionOptions) } : connection;
}
