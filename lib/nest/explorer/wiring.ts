import { QUEUE_EVENTS, WORKER_EVENTS } from '../constants.js';
import { nearestKey } from '../../engine/validate.js';
import { InvalidDecoratorError, MisplacedDecoratorError, QueueNotRegisteredError } from '../errors.js';
import type { QueueEventsSettings, WorkerSettings } from '../module-options.js';
import { describePlace } from '../place.js';
import type {
  Declarations,
  HandlerDeclaration,
  ListenerDeclaration,
  ProcessorDeclaration,
  QueueEventsDeclaration,
} from './declarations.js';
import { assertEnhancersBound } from './enhancers.js';
import { groupBy } from './group-by.js';
import { placeOf, type Host } from './host.js';
import { mergeOptions } from './merge-options.js';
import { planRoutes, type RoutePlan } from './routes.js';
import { planSchedules, type SchedulePlan } from './schedules.js';

/** What the application asks for, checked: at most one worker and one subscription per queue. */
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
 * Checks everything that can be known without Redis.
 * @throws WiringError that names class, method and queue
 */
export function planWiring(declarations: Declarations, queues: readonly string[]): Wiring {
  const { processors, listeners, strays } = declarations;
  for (const { decorator, host, methodName, classDecorator } of strays) {
    throw new MisplacedDecoratorError(decorator, placeOf(host, methodName), classDecorator);
  }
  for (const { host, queue } of processors) checkQueue('@Processor', host, queue, queues);
  for (const { host, queue } of listeners) checkQueue('@QueueEventsListener', host, queue, queues);
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
      processors.map(({ host }) => placeOf(host)),
    ),
    schedules: planSchedules(handlers),
    options: mergeOptions('@Processor', queue, processors),
    listeners: processors.flatMap((processor) => processor.listeners),
  };
}

function planSubscription(queue: string, declarations: readonly QueueEventsDeclaration[]): SubscriptionPlan {
  return {
    queue,
    options: mergeOptions('@QueueEventsListener', queue, declarations),
    listeners: declarations.flatMap((declaration) => declaration.listeners),
  };
}

function checkQueue(decorator: string, host: Host, queue: unknown, queues: readonly string[]): void {
  const place = placeOf(host);
  if (typeof queue !== 'string' || queue.trim() === '') {
    throw new InvalidDecoratorError(
      decorator,
      place,
      'give the name of a queue, as in forFeature({ name }).',
    );
  }
  if (queues.includes(queue)) return;
  throw new QueueNotRegisteredError(
    queue,
    `${decorator}('${queue}') on ${describePlace(place)}`,
    nearestKey(queue, queues),
  );
}

function checkHandler({ host, methodName, names }: HandlerDeclaration): void {
  for (const name of names as readonly unknown[]) {
    if (typeof name === 'string' || name instanceof RegExp) continue;
    throw new InvalidDecoratorError(
      '@OnJob',
      placeOf(host, methodName),
      'a job name must be a string or a RegExp.',
    );
  }
  assertEnhancersBound(host, methodName);
}

function checkEvents(
  decorator: string,
  declarations: readonly { readonly listeners: readonly ListenerDeclaration[] }[],
  events: readonly string[],
): void {
  for (const { host, methodName, event } of declarations.flatMap(({ listeners }) => listeners)) {
    if (events.includes(event)) continue;
    const nearest = nearestKey(event, events);
    throw new InvalidDecoratorError(
      decorator,
      placeOf(host, methodName),
      `there is no event "${event}". ${nearest === undefined ? `Events are ${events.join(', ')}.` : `Did you mean "${nearest}"?`}`,
    );
  }
}
