import { types } from 'node:util';
import { messageOf } from '../../engine/index.js';
import { checkJobName } from '../../engine/config/check-arguments.js';
import { checkOptions, type Schema } from '../../engine/config/check-options.js';
import { nearestKey } from '../../engine/config/nearest-key.js';
import { QUEUE_EVENTS, WORKER_EVENTS } from '../constants.js';
import { InvalidDecoratorError, MisplacedDecoratorError, QueueNotRegisteredError } from '../errors.js';
import type { QueueEventsSettings, WorkerSettings } from '../module-options.js';
import { queueEventsSettingsSchema, workerSettingsSchema } from '../option-schemas.js';
import { describeLocation } from '../source-location.js';
import type {
  Declarations,
  HandlerDeclaration,
  ListenerDeclaration,
  ProcessorDeclaration,
  QueueEventsDeclaration,
} from './declarations.js';
import { assertEnhancersBound } from './enhancers.js';
import { groupBy } from './group-by.js';
import { optionsOfHandler } from './handler-options.js';
import { problemOfSignature } from './handler-signature.js';
import { locationOf, type Host } from './host.js';
import { mergeOptions } from './merge-options.js';
import { planRoutes, type RoutePlan } from './routes.js';
import { planSchedules, type SchedulePlan } from './schedules.js';

/** The checked plan of the application: at most one worker and one subscription per queue. */
export interface Wiring {
  readonly workers: readonly WorkerPlan[];
  readonly subscriptions: readonly SubscriptionPlan[];
}

export interface WorkerPlan {
  readonly queue: string;
  readonly processors: readonly ProcessorDeclaration[];
  readonly options: WorkerSettings;
  readonly routes: RoutePlan;
  readonly schedules: readonly SchedulePlan[];
  readonly listeners: readonly ListenerDeclaration[];
}

export interface SubscriptionPlan {
  readonly queue: string;
  readonly options: QueueEventsSettings;
  readonly listeners: readonly ListenerDeclaration[];
}

/**
 * Checks everything that needs no Redis.
 * @throws WiringError that names the class, the method and the queue
 */
export function planWiring(declarations: Declarations, queues: readonly string[]): Wiring {
  const { processors, listeners, misplaced } = declarations;
  for (const { decorator, host, methodName, classDecorator } of misplaced) {
    throw new MisplacedDecoratorError(decorator, locationOf(host, methodName), classDecorator);
  }
  checkQueues('@Processor', processors, queues, workerSettingsSchema);
  checkQueues('@QueueEventsListener', listeners, queues, queueEventsSettingsSchema);
  for (const handler of processors.flatMap((processor) => processor.handlers)) checkHandler(handler);
  checkEvents('@OnWorkerEvent', processors, WORKER_EVENTS);
  checkEvents('@OnQueueEvent', listeners, QUEUE_EVENTS);
  return {
    workers: [...groupBy(processors, ({ queue }) => queue)].map(([queue, group]) => planWorker(queue, group)),
    subscriptions: [...groupBy(listeners, ({ queue }) => queue)].map(([queue, group]) =>
      planSubscription(queue, group),
    ),
  };
}

function planWorker(queue: string, processors: readonly ProcessorDeclaration[]): WorkerPlan {
  const handlers = processors.flatMap((processor) => processor.handlers);
  return {
    queue,
    processors,
    routes: planRoutes(
      queue,
      handlers,
      processors.map(({ host }) => locationOf(host)),
    ),
    schedules: planSchedules(handlers),
    options: mergeOptions('@Processor', queue, processors),
    listeners: processors.flatMap((processor) => processor.listeners),
  };
}

function planSubscription(queue: string, declarations: readonly QueueEventsDeclaration[]): SubscriptionPlan {
  return {
    queue,
    options: mergeOptions('@QueueEventsListener', queue, withTheirStart(declarations)),
    listeners: declarations.flatMap((declaration) => declaration.listeners),
  };
}

/** A class that does not say where it starts wants new events only, even where another class reads old ones. */
function withTheirStart(declarations: readonly QueueEventsDeclaration[]): readonly QueueEventsDeclaration[] {
  return declarations.map((declaration) => ({
    ...declaration,
    options: { ...declaration.options, lastEventId: declaration.options.lastEventId ?? '$' },
  }));
}

function checkQueues<Options extends object>(
  decorator: string,
  declarations: readonly { readonly host: Host; readonly queue: string; readonly options: Options }[],
  queues: readonly string[],
  schema: Schema<Options>,
): void {
  const named = new Map<Host, Set<string>>();
  for (const { host, queue, options } of declarations) {
    checkQueue(decorator, host, queue, queues);
    checkOptions(`${decorator} on ${describeLocation(locationOf(host))}`, schema, options);
    const before = named.get(host) ?? new Set();
    if (before.has(queue)) {
      throw new InvalidDecoratorError(decorator, locationOf(host), `it names the queue "${queue}" twice.`);
    }
    named.set(host, before.add(queue));
  }
}

function checkQueue(decorator: string, host: Host, queue: unknown, queues: readonly string[]): void {
  const location = locationOf(host);
  if (typeof queue !== 'string' || queue.trim() === '') {
    throw new InvalidDecoratorError(
      decorator,
      location,
      'pass the name of a queue, as in forFeature({ name }).',
    );
  }
  if (queues.includes(queue)) return;
  throw new QueueNotRegisteredError(
    queue,
    `${decorator}('${queue}') on ${describeLocation(location)}`,
    nearestKey(queue, queues),
  );
}

function checkHandler({ host, methodName, names, options }: HandlerDeclaration): void {
  const invalid = (problem: string): InvalidDecoratorError =>
    new InvalidDecoratorError('@OnJob', locationOf(host, methodName), problem);
  for (const name of names as readonly unknown[]) {
    if (types.isRegExp(name)) continue;
    if (typeof name !== 'string')
      throw invalid('a job name must be a string or a RegExp. Options come last.');
    if (name === '') {
      throw invalid(
        'the name is empty. A catch-all is @OnJob() without an argument. For jobs whose name is empty, use @OnJob(/^$/).',
      );
    }
    try {
      checkJobName(name);
    } catch (error) {
      throw invalid(`no job can have this name. ${messageOf(error)}`);
    }
  }
  let isBatched: boolean;
  try {
    isBatched = optionsOfHandler(options).batches !== undefined;
  } catch (error) {
    throw invalid(messageOf(error));
  }
  const problem = problemOfSignature(host, methodName, isBatched);
  if (problem !== undefined) throw invalid(problem);
  checkRuns('@OnJob', host, methodName);
  assertEnhancersBound(host, methodName);
}

/** The body of a generator runs only when a caller reads its values. The module does not read them. */
function checkRuns(decorator: string, host: Host, methodName: string): void {
  const method: unknown = (host.classRef.prototype as Record<string, unknown>)[methodName];
  if (!types.isGeneratorFunction(method)) return;
  throw new InvalidDecoratorError(
    decorator,
    locationOf(host, methodName),
    'the method is a generator (*). Its body would never run. Make it an async method.',
  );
}

function checkEvents(
  decorator: string,
  declarations: readonly { readonly listeners: readonly ListenerDeclaration[] }[],
  events: readonly string[],
): void {
  for (const { host, methodName, event } of declarations.flatMap(({ listeners }) => listeners)) {
    checkRuns(decorator, host, methodName);
    if (events.includes(event)) continue;
    const nearest = nearestKey(event, events);
    throw new InvalidDecoratorError(
      decorator,
      locationOf(host, methodName),
      `there is no event "${event}". ${nearest === undefined ? `Events are ${events.join(', ')}.` : `Did you mean "${nearest}"?`}`,
    );
  }
}
