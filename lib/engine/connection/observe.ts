import type { EventEmitter } from 'node:events';
import { emitTo, warn } from '../base/emit.js';
import type { ConfigError } from '../base/errors.js';
import type { OutageEnd } from './outage.js';
import type { ConnectionObserver } from './shared.js';

/** Events of queues, workers and subscriptions about their connection. */
export interface ConnectionEventsMap {
  /**
   * The connection is back after an outage. The outage began with an `error` event: a ConnectionError whose `outage` is
   * true, once for each outage, within a second of the first attempt that failed.
   */
  reconnected: [end: OutageEnd];
  /** The server may lose jobs: it has an eviction policy. Without a listener it becomes one process warning. */
  warning: [warning: ConfigError];
}

/** Emits the reports of a connection as events. */
export function emittingObserver(emitter: EventEmitter): ConnectionObserver {
  const emit = (event: string, value: unknown): boolean => {
    if (emitter.listenerCount(event) === 0) return false;
    emitTo(emitter, event, [value], warn);
    return true;
  };
  return {
    outage: (error) => emit('error', error),
    reconnected: (end) => {
      emit('reconnected', end);
    },
    warning: (warning) => emit('warning', warning),
  };
}

/** The same observer; `reconnected` hears of the end of an outage first. */
export function alsoTelling(
  reconnected: (end: OutageEnd) => void,
  observer: ConnectionObserver,
): ConnectionObserver {
  return {
    ...observer,
    reconnected: (end) => {
      reconnected(end);
      observer.reconnected?.(end);
    },
  };
}

/** Passes the reports of a connection to a callback. Without one they become process warnings. */
export function callbackObserver(onError: ((error: Error) => void) | undefined): ConnectionObserver {
  const report = (error: Error): boolean => {
    onError?.(error);
    return onError !== undefined;
  };
  return { outage: report, warning: report };
}
