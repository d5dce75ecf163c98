import type { OnJobOptions } from '../decorators/on-job.decorator.js';
import type { RepeatMetadata } from '../decorators/repeat.decorator.js';
import type { QueueEventsSettings, WorkerSettings } from '../module-options.js';
import type { Host } from './host.js';

/** The decorators of an application, not yet checked. */
export interface Declarations {
  readonly processors: readonly ProcessorDeclaration[];
  readonly listeners: readonly QueueEventsDeclaration[];
  /** Method decorators on classes without the matching class decorator. */
  readonly misplaced: readonly Misplaced[];
}

export interface ProcessorDeclaration {
  readonly host: Host;
  readonly queue: string;
  readonly options: WorkerSettings;
  readonly handlers: readonly HandlerDeclaration[];
  readonly listeners: readonly ListenerDeclaration[];
}

/** One method with one or more `@OnJob`. */
export interface HandlerDeclaration {
  readonly host: Host;
  readonly methodName: string;
  readonly names: readonly (string | RegExp)[];
  /** True if it handles every job that no other handler of the queue matches. */
  readonly catchAll: boolean;
  /** True if its list of names is empty: a catch-all by mistake. */
  readonly namesNothing: boolean;
  /** The options of each `@OnJob` that has some. */
  readonly options: readonly OnJobOptions[];
  /** One for each `@Repeat`. */
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
