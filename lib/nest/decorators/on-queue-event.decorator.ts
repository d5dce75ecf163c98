import { ON_QUEUE_EVENT_METADATA } from '../constants.js';
import type { ListenerDecorator, QueueEventMap } from '../listener-types.js';
import { appendToMethod } from './metadata.js';

/** Calls the method of a `@QueueEventsListener` class on an event of the queue. If it throws, the error is logged. */
export function OnQueueEvent<Event extends keyof QueueEventMap>(
  event: Event,
): ListenerDecorator<QueueEventMap[Event]> {
  return appendToMethod('@OnQueueEvent', ON_QUEUE_EVENT_METADATA, event);
}
