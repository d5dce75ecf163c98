import type { Connection, ConnectionOptions } from '../../engine/index.js';
import type { ChasquiModuleOptions } from '../module-options.js';

/** A connection of one application, as `forRoot` registers it. */
export class RegisteredConnection {
  /** The object whose identity makes queues and workers share a connection. */
  readonly connection: Connection;

  constructor(
    readonly name: string,
    readonly options: ChasquiModuleOptions,
  ) {
    this.connection = ownConnection(options.connection);
  }

  /** Whether this process works on a queue that does not say so itself. */
  worksOn(queue: string): boolean {
    const { workers = true } = this.options;
    return typeof workers === 'boolean' ? workers : workers.includes(queue);
  }
}

/**
 * The engine shares a connection among those that hold the same object. Another application in this process may have
 * been given the object of the user, so each has a copy; a client of the user's own is meant to be shared.
 */
export function ownConnection(connection: Connection): Connection {
  if (typeof connection === 'string') return { url: connection };
  const prototype: unknown = Object.getPrototypeOf(connection);
  const isPlain = prototype === Object.prototype || prototype === null;
  return isPlain ? { ...(connection as ConnectionOptions) } : connection;
}
