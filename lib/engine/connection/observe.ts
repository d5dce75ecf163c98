import type { EventEmitter } from 'node:events';
import { emitTo, warn } from '../base/emit.js';
import type { ConfigError } from '../base/errors.js';
import type { OutageEnd } from './outage.js';
import type { ConnectionObserver } from './shared.js';

/** What queues, workers and subscriptions emit about their connection. */
export interface ConnectionEventsMap {
  /**
   * The connection is back, after an outage that an `error` event told of: a ConnectionError whose `outage` is true, once
   * for each outage, within a second of the first attempt that failed.
   */
  reconnected: [end: OutageEnd];
  /** The server may lose jobs: it has an eviction policy. Without a listener it is a process warning, once. */
  warning: [warning: ConfigError];
}

/** Emits what becomes of the connection. */
export function observerOf(emitter: EventEmitter): ConnectionObserver {
  const tell = (event: string, value: unknown): boolean => {
    if (emitter.listenerCount(event) === 0) return false;
    emitTo(emitter, event, [value], warn);
    return true;
  };
  return {
    outage: (error) => tell('error', error),
    reconnected: (end) => {
      tell('reconnected', end);
    },
    warning: (warning) => tell('warning', warning),
  };
}

/** For those that emit nothing: without an `onError` it becomes process warnings. */
export function observerBy(onError: ((error: Error) => void) | undefined): ConnectionObserver {
  const tell = (error: Error): boolean => {
    onError?.(error);
    return onError !== undefined;
  };
  return { outage: tell, warning: tell };
}
