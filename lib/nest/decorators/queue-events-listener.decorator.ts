import { QUEUE_EVENTS_LISTENER_METADATA } from '../constants.js';
import type { QueueEventsSettings } from '../module-options.js';
import { appendToClass } from './metadata.js';

export interface QueueEventsListenerMetadata {
  readonly queue: string;
  readonly options: QueueEventsSettings;
}

/**
 * A class whose `@OnQueueEvent` methods hear what happens in a queue, whichever process it happens in. The listeners of
 * one queue share one connection. Used twice, with two queues, the class hears both.
 */
export function QueueEventsListener(queue: string, options: QueueEventsSettings = {}): ClassDecorator {
  return appendToClass(QUEUE_EVENTS_LISTENER_METADATA, {
    queue,
    options,
  } satisfies QueueEventsListenerMetadata);
}
