import type { QueueEventsMap, WorkerEventsMap } from '../engine/index.js';

/**
 * Arguments of `@OnWorkerEvent` methods, by event. A listener declares the type of the job data with the type of its
 * parameter, as a processor does. Only `any` allows that.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type WorkerEventMap = WorkerEventsMap<any, any, any>;

/** Arguments of `@OnQueueEvent` methods, by event. The last argument is the id of the event in the stream. */
export type QueueEventMap = QueueEventsMap;

/** A method decorator that checks the parameters of the method against the arguments of the event. */
export type ListenerDecorator<Arguments extends unknown[]> = <
  Listener extends (...args: Arguments) => unknown,
>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Listener>,
) => void;
