import type { InjectionToken } from '@nestjs/common';
import type { Connection, QueueEventsOptions, QueueOptions, WorkerOptions } from '../../engine/index.js';
import type { EnhancerKind } from '../job-context/global-enhancers.js';
import type {
  ChasquiFeatureOptions,
  QueueEventsSettings,
  ScheduleSettings,
  WorkerSettings,
} from '../module-options.js';
import { withDefaults } from './defaults.js';
import { enhancerKinds } from './enhancer-kinds.js';
import { ownConnection, type RegisteredConnection } from './registered-connection.js';

/** Options that a queue and its worker have in common. If they are set for the queue, they apply to both. */
const SHARED = [
  'maxPayloadBytes',
  'eventsEnabled',
  'eventsMaxStreamLen',
  'eventsBatched',
  'telemetry',
  'commandTimeoutMs',
  'connectTimeoutMs',
] as const satisfies readonly (keyof QueueOptions & keyof WorkerOptions)[];

/** One queue of one application: the options of `forRoot` and `forFeature`, merged. */
export class QueueRegistration {
  /** The name in Redis. */
  readonly queueName: string;
  /** Whether this process works on it. */
  readonly works: boolean;
  readonly eventEmitter: InjectionToken | undefined;
  /** What happens to schedules that the code no longer declares. */
  readonly staleSchedules: 'keep' | 'remove';
  readonly schedules: ScheduleSettings | undefined;
  /** The kinds of global enhancers that run on the jobs. */
  readonly globalEnhancers: readonly EnhancerKind[];
  readonly queueOptions: QueueOptions;
  readonly #connection: Connection;
  readonly #workerDefaults: WorkerSettings;
  readonly #workerOptions: WorkerSettings;

  /**
   * @param name the name that the code uses
   * @param given the checked options of `forFeature`
   * @param root undefined if the queue has its own connection
   */
  constructor(
    readonly name: string,
    readonly connectionName: string,
    readonly given: ChasquiFeatureOptions,
    root: RegisteredConnection | undefined,
  ) {
    const { queueName, connection, workers, workerOptions, staleSchedules, globalEnhancers, ...own } = given;
    const defaults = root?.queueDefaults ?? {};
    this.#connection =
      connection === undefined ? (root as RegisteredConnection).connection : ownConnection(connection);
    this.queueName = queueName ?? name;
    this.works = workers ?? root?.worksOn(name) ?? true;
    this.eventEmitter = root?.eventEmitter;
    this.schedules = root?.schedules;
    this.staleSchedules = staleSchedules ?? root?.staleSchedules ?? 'keep';
    this.globalEnhancers = enhancerKinds(globalEnhancers ?? root?.globalEnhancers);
    this.queueOptions = withDefaults<QueueOptions>(defaults, own, {
      connection: this.#connection,
      ...mergedJobOptions(defaults.defaultJobOptions, own.defaultJobOptions),
    });
    this.#workerDefaults = withDefaults<WorkerSettings>(
      pick(this.queueOptions, SHARED),
      root?.workerDefaults,
    );
    this.#workerOptions = workerOptions ?? {};
  }

  /** Options of the worker. `forFeature` (the deployment) overrides `@Processor` (the code), which overrides `forRoot`. */
  workerOptionsWith(processor: WorkerSettings): WorkerSettings & Pick<WorkerOptions, 'connection'> {
    return withDefaults<WorkerSettings & Pick<WorkerOptions, 'connection'>>(
      this.#workerDefaults,
      processor,
      this.#workerOptions,
      { connection: this.#connection },
    );
  }

  subscriptionOptionsWith(listener: QueueEventsSettings): QueueEventsOptions {
    return withDefaults<QueueEventsOptions>(pick(this.queueOptions, ['connectTimeoutMs']), listener, {
      connection: this.#connection,
      autorun: false,
    });
  }
}

function mergedJobOptions(
  ...layers: readonly QueueOptions['defaultJobOptions'][]
): Pick<QueueOptions, 'defaultJobOptions'> {
  if (layers.every((layer) => layer === undefined)) return {};
  return { defaultJobOptions: withDefaults<NonNullable<QueueOptions['defaultJobOptions']>>(...layers) };
}

function pick<Options extends object, Key extends keyof Options>(
  options: Options,
  keys: readonly Key[],
): Partial<Pick<Options, Key>> {
  return Object.fromEntries(keys.map((key) => [key, options[key]])) as Partial<Pick<Options, Key>>;
}
