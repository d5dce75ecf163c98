import { QUEUE_EVENTS_LISTENER_METADATA } from '../constants.js';
import type { QueueEventsSettings } from '../module-options.js';

export interface QueueEventsListenerMetadata {
  readonly queue: string;
  readonly options: QueueEventsSettings;
}

/**
 * A class whose `@OnQueueEvent` methods hear what happens in a queue, whichever process it happens in. The listeners of
 * one queue share one connection.
 */
export function QueueEventsListener(queue: string, options: QueueEventsSettings = {}): ClassDecorator {
  return (target) => {
    const metadata: QueueEventsListenerMetadata = { queue, options };
    Reflect.defineMetadata(QUEUE_EVENTS_LISTENER_METADATA, metadata, target);
  };
}
