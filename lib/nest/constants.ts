import type { QueueEventsMap, WorkerEventsMap } from '../engine/index.js';

/** `ExecutionContext.getType()` inside the guards, pipes, interceptors and filters of a job handler. */
export const CHASQUI_CONTEXT_TYPE = 'chasqui';

/** Default name of the connection that `forRoot` registers and `forFeature` uses. */
export const DEFAULT_CONNECTION = 'default';

export const PROCESSOR_METADATA = 'chasqui:processor';
export const ON_JOB_METADATA = 'chasqui:on-job';
export const REPEAT_METADATA = 'chasqui:repeat';
export const ON_WORKER_EVENT_METADATA = 'chasqui:on-worker-event';
export const QUEUE_EVENTS_LISTENER_METADATA = 'chasqui:queue-events-listener';
export const ON_QUEUE_EVENT_METADATA = 'chasqui:on-queue-event';

/**
 * The metadata key under which Nest keeps the decorated parameters of a method. `createParamDecorator` writes to this key,
 * so the parameter decorators of an application work on job handlers. Nest also scans it for pipes that are classes.
 */
export const PARAMETERS_METADATA = '__routeArguments__';

/** The metadata keys under which Nest keeps the enhancers of a class or a method, by kind. */
export const ENHANCER_METADATA = {
  guard: '__guards__',
  pipe: '__pipes__',
  interceptor: '__interceptors__',
  'exception filter': '__exceptionFilters__',
} as const;

/** All events. The argument of a decorator is checked against these lists, and the types keep them complete. */
export const WORKER_EVENTS = Object.keys({
  ready: true,
  paused: true,
  resumed: true,
  stalled: true,
  active: true,
  progress: true,
  completed: true,
  failed: true,
  deadLettered: true,
  dlqEvicted: true,
  error: true,
  closing: true,
  closed: true,
  reconnected: true,
  warning: true,
} satisfies Record<keyof WorkerEventsMap, true>);

export const QUEUE_EVENTS = Object.keys({
  waiting: true,
  delayed: true,
  active: true,
  completed: true,
  failed: true,
  'retry-scheduled': true,
  dlq: true,
  'retries-exhausted': true,
  drained: true,
  removed: true,
  cleaned: true,
  paused: true,
  resumed: true,
  stalled: true,
  deduplicated: true,
  progress: true,
  log: true,
  unknown: true,
  error: true,
  reconnected: true,
  warning: true,
} satisfies Record<keyof QueueEventsMap, true>);
