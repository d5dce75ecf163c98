import { ON_WORKER_EVENT_METADATA } from '../constants.js';
import type { ListenerDecorator, WorkerEventMap } from '../listener-types.js';
import { appendToMethod } from './metadata.js';

/**
 * Calls the method of a `@Processor` class on an event of the queue's worker in this process. If it throws, the error is
 * logged, and the job is not affected.
 */
export function OnWorkerEvent<Event extends keyof WorkerEventMap>(
  event: Event,
): ListenerDecorator<WorkerEventMap[Event]> {
  return appendToMethod('@OnWorkerEvent', ON_WORKER_EVENT_METADATA, event);
}
