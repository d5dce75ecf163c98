import type { RepeatMetadata } from '../decorators/repeat.decorator.js';
import type { QueueEventsSettings, WorkerSettings } from '../module-options.js';
import type { Host } from './host.js';

/** What the decorators of an application say, as found and not yet checked. */
export interface Declarations {
  readonly processors: readonly ProcessorDeclaration[];
  readonly listeners: readonly QueueEventsDeclaration[];
  /** Method decorators in classes without the class decorator that they need. */
  readonly misplaced: readonly Misplaced[];
}

export interface ProcessorDeclaration {
  readonly host: Host;
  readonly queue: string;
  readonly options: WorkerSettings;
  readonly handlers: readonly HandlerDeclaration[];
  readonly listeners: readonly ListenerDeclaration[];
}

/** One method with `@OnJob`, once or more. */
export interface HandlerDeclaration {
  readonly host: Host;
  readonly methodName: string;
  readonly names: readonly (string | RegExp)[];
  /** Takes whatever no other handler of the queue takes. */
  readonly catchAll: boolean;
  /** It was given a list with nothing in it: a catch-all by mistake. */
  readonly namesNothing: boolean;
  /** Each `@Repeat` of it. */
  readonly schedules: readonly RepeatMetadata[];
}

/** One `@OnWorkerEvent` or `@OnQueueEvent`. */
export interface ListenerDeclaration {
  readonly host: Host;
  readonly methodName: string;
  readonly event: string;
}

export interface QueueEventsDeclaration {
  readonly host: Host;
  readonly queue: string;
  readonly options: QueueEventsSettings;
  readonly listeners: readonly ListenerDeclaration[];
}

export interface Misplaced {
  readonly host: Host;
  readonly methodName: string;
  readonly decorator: string;
  readonly classDecorator: string;
}
