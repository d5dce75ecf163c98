import type { QueueEventsMap, WorkerEventsMap } from '../engine/index.js';

/**
 * Arguments of `@OnWorkerEvent` methods, by event. What the data of its jobs is, a listener says by the type of its
 * parameter, as a processor does; only `any` lets it.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type WorkerEventMap = WorkerEventsMap<any, any, any>;

/** Arguments of `@OnQueueEvent` methods, by event; the last is the event's id in the stream. */
export type QueueEventMap = QueueEventsMap;

/** A method decorator that checks the method's parameters against what the event brings. */
export type ListenerDecorator<Arguments extends unknown[]> = <
  Listener extends (...args: Arguments) => unknown,
>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Listener>,
) => void;
