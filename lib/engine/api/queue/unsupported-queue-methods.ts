import { EventEmitter } from 'node:events';
import { NotSupportedError } from '../../base/errors.js';
import type { ConnectionEventsMap } from '../../connection/observe.js';
import type { Job } from '../../job/job.js';

/** Listener arguments by event name. */
export interface QueueListenersMap extends ConnectionEventsMap {
  /** After `pause()` of this object. `QueueEvents` hears of the calls in all processes. */
  paused: [];
  /** After `resume()` of this object. */
  resumed: [];
  /** The connection is down. Emitted once for each outage; without a listener, it becomes a process warning. */
  error: [error: Error];
}

/** Methods of BullMQ's `Queue` that are refused, so that code of a migrating team compiles and says what to use instead. */
export abstract class UnsupportedQueueMethods<
  Data,
  Result,
  Name extends string,
> extends EventEmitter<QueueListenersMap> {
  /** @deprecated Refuses with CMQ-100. Follow jobs with QueueEvents; peekDlq() returns failed ones. */
  getJob(_jobId: string): Promise<Job<Data, Result, Name> | undefined> {
    return unsupported('getJob', 'Follow jobs with QueueEvents; peekDlq() returns failed ones.');
  }
}

function unsupported(method: string, instead: string): Promise<never> {
  return Promise.reject(new NotSupportedError(`Queue.${method} is not supported. ${instead}`));
}
