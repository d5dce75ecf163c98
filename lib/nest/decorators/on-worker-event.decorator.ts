import { ON_WORKER_EVENT_METADATA } from '../constants.js';
import type { ListenerDecorator, WorkerEventMap } from '../listener-types.js';
import { appendToMethod } from './metadata.js';

/**
 * Calls the method, in a `@Processor` class, on an event of the queue's worker in this process. It runs beside the
 * job: what it throws is logged and harms nothing.
 */
export function OnWorkerEvent<Event extends keyof WorkerEventMap>(
  event: Event,
): ListenerDecorator<WorkerEventMap[Event]> {
  return appendToMethod('@OnWorkerEvent', ON_WORKER_EVENT_METADATA, event);
}
