import type { BoardOptions, ExternalJobUrl, QueueJobJson } from '@bull-board/api/typings/app';
import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';

/** What `new ChasquiAdapter(queue, options)` takes: the options of Bull Board's own adapters. */
export interface ChasquiAdapterOptions {
  /** Its name on the board. Default: the name of the queue. */
  name?: string;
  /** The server refuses every change of this queue. Default false. */
  readOnlyMode?: boolean;
  /** Dead letters can be replayed. Default true. */
  allowRetries?: boolean;
  /** Completed jobs that are kept can run again. Default true. */
  allowCompletedRetries?: boolean;
  /** Text in front of the queue's name, which tells queues of one name apart. Default: none. */
  prefix?: string;
  /** Splits the names of queues into groups, such as `.`. Default: no groups. */
  delimiter?: string;
  /** Text below the name. Default: none. */
  description?: string;
  /** Default: the name. */
  displayName?: string;
  /** A link on each job, for example to its customer. Default: none. */
  externalJobUrl?: (job: QueueJobJson) => ExternalJobUrl;
  /** A JSON schema of the data, for the form that adds a job. Default: none. */
  jobDataSchema?: Record<string, unknown>;
}

/** A queue of the board, and how the board shows it. */
export interface BoardQueueOptions extends ChasquiAdapterOptions {
  /** As `forFeature` registers it. */
  name: string;
}

/** What the factory of `ChasquiBoardModule.forRootAsync` returns. */
export interface ChasquiBoardOptions {
  /**
   * Decides who may use the board: a guard class, which Nest resolves with its dependencies, or an instance. It runs before
   * every request, those for scripts and styles included. Without a guard, the application does not start in production
   * (`NODE_ENV=production`). `false`: the board is open, because something else protects it, such as an `APP_GUARD`. Default: none.
   */
  guard?: Type<CanActivate> | CanActivate | false;
  /** The queues, by name or with options. Default: all queues of this process, also those that are registered later. */
  queues?: readonly (string | BoardQueueOptions)[];
  /** The server refuses every change. `readOnlyMode` of a queue does the same for one queue. Default false. */
  readOnly?: boolean;
  /** How the board looks: title, logo, links, theme, polling. See Bull Board's documentation of `uiConfig`. Default: its own, with the title `Chasqui`. */
  uiConfig?: NonNullable<BoardOptions['uiConfig']>;
}

/** The options that Nest needs before it creates any provider. */
export interface ChasquiBoardExtras {
  /** Where the board is, below the global prefix. Default `queues`. */
  path?: string;
  /** Modules whose providers the guard needs, if no other module provides the guard. Default: none. */
  imports?: NonNullable<ModuleMetadata['imports']>;
  /** Decorators of the controller, such as `@Public()` or `@Roles('admin')`, for guards that read metadata. Default: none. */
  decorators?: readonly ClassDecorator[];
}
