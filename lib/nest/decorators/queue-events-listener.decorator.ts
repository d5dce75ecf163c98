import { QUEUE_EVENTS_LISTENER_METADATA } from '../constants.js';
import type { QueueEventsSettings } from '../module-options.js';
import { appendToClass } from './metadata.js';

export interface QueueEventsListenerMetadata {
  readonly queue: string;
  readonly options: QueueEventsSettings;
}

/**
 * Marks a class whose `@OnQueueEvent` methods listen to the events of a queue, from all processes. The listeners of one
 * queue share one connection. A class with two decorators listens to two queues.
 */
export function QueueEventsListener(queue: string, options: QueueEventsSettings = {}): ClassDecorator {
  return appendToClass(QUEUE_EVENTS_LISTENER_METADATA, {
    queue,
    options,
  } satisfies QueueEventsListenerMetadata);
}
