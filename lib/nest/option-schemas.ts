import { checkOptions, nested, type Schema } from '../engine/config/check-options.js';
import { boolean, oneOf, record, secret, text, type Check } from '../engine/config/checks.js';
import { queueEventsSchema } from '../engine/config/options/events.js';
import { queueSchema } from '../engine/config/options/queue.js';
import { workerSchema } from '../engine/config/options/worker.js';
import type {
  ChasquiFeatureOptions,
  ChasquiModuleOptions,
  ChasquiQueueOptions,
  GlobalEnhancerSettings,
  QueueEventsSettings,
  ScheduleSettings,
  WorkerSettings,
} from './module-options.js';
import { checkScheduleSettings } from './runtime/schedule-settings.js';
import { moduleThreads } from './threads/thread-options.js';

/** A text from the environment is not a list: the letters of `'false'` would count as names of queues. */
const roles: Check = (value) =>
  typeof value === 'boolean' || (Array.isArray(value) && value.every((name) => text(name) === undefined))
    ? undefined
    : 'must be true, false or an array of queue names (split a text from the environment)';

export const token: Check = (value) =>
  typeof value === 'function' || typeof value === 'symbol' || text(value) === undefined
    ? undefined
    : 'must be an injection token: a class, a string or a symbol';

/** The check of an option that Nest needs before it calls the factory, among the options that the factory returns. */
const beside: Check = secret(() => 'must stand next to the factory: the factory cannot return it');

/** Each method of a queue has batches of its own, or none. */
const ofMethods: Check = () => "is an option of a method: @OnJob('name', { batches: { size } })";

const { connection: _c, accepts: _a, limitsOf: _l, batchesOf: _b, ...workerSettings } = workerSchema;
export const workerSettingsSchema: Schema<WorkerSettings> = {
  ...workerSettings,
  ...{ batches: ofMethods },
  useWorkerThreads: moduleThreads,
  unknownJobs: oneOf('dead-letter', 'release'),
};

const { connection: _ec, autorun: _ea, ...eventsSettings } = queueEventsSchema;
export const queueEventsSettingsSchema: Schema<QueueEventsSettings> = eventsSettings;

const enhancerSchema = { guards: boolean, pipes: boolean, interceptors: boolean, filters: boolean };

function globalEnhancers(owner: string): Check {
  const kinds = nested(`${owner}, option "globalEnhancers"`, enhancerSchema);
  return Object.assign(
    (value: unknown) =>
      boolean(value) && record(value) && 'must be true, false, or an object such as { pipes: true }',
    {
      read: (value: unknown) =>
        (typeof value === 'boolean' ? value : kinds.read?.(value)) as GlobalEnhancerSettings,
    },
  );
}

/** The options of `forRoot` and `forFeature` that `forRootAsync` and `forFeatureAsync` take from the factory. */
export const FACTORY_OPTIONS: ReadonlySet<string> = new Set([
  ...Object.keys(queueSchema),
  'staleSchedules',
  'globalEnhancers',
  'workerOptions',
  'workers',
  'schedules',
  'trackCurrentJob',
  'eventEmitter',
  'queueName',
]);

/** The options that `forRoot` and `forFeature` share. Messages name the owner, also for options within options. */
function sharedSchema(owner: string) {
  return {
    ...queueSchema,
    staleSchedules: oneOf('keep', 'remove'),
    globalEnhancers: globalEnhancers(owner),
    workerOptions: nested(`${owner}, option "workerOptions"`, workerSettingsSchema),
    name: beside,
    isGlobal: beside,
  };
}

/**
 * @param connection the name of the connection
 * @throws ConfigError (CMQ-004)
 */
export function checkRootOptions(connection: string, options: ChasquiModuleOptions): ChasquiModuleOptions {
  const owner = `ChasquiModule.forRoot (connection "${connection}")`;
  const schema: Schema<ChasquiModuleOptions> = {
    ...sharedSchema(owner),
    workers: roles,
    schedules: Object.assign((value: unknown) => record(value), {
      read: (value: unknown) => checkScheduleSettings(owner, value as ScheduleSettings),
    }),
    trackCurrentJob: boolean,
    eventEmitter: token,
  };
  return checkOptions(owner, schema, options, ['connection']);
}

/**
 * @param queue the name of the queue
 * @throws ConfigError (CMQ-004)
 */
export function checkFeatureOptions(queue: string, options: ChasquiFeatureOptions): ChasquiFeatureOptions {
  const owner = `ChasquiModule.forFeature (queue "${queue}")`;
  const schema = { ...featureSchema(owner), connectionName: beside };
  return checkOptions(owner, schema as Schema<ChasquiFeatureOptions>, options);
}

/** @throws ConfigError (CMQ-004) */
export function checkRegisterOptions(
  owner: string,
  options: Omit<ChasquiQueueOptions, 'isGlobal'>,
): Omit<ChasquiQueueOptions, 'isGlobal'> {
  const { isGlobal: _g, ...schema } = { ...featureSchema(owner), name: text, connectionName: text };
  return checkOptions<Omit<ChasquiQueueOptions, 'isGlobal'>>(owner, schema, options, ['name']);
}

function featureSchema(owner: string) {
  return { ...sharedSchema(owner), queueName: text, workers: boolean };
}
