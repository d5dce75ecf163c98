import type { Connection } from '../../engine/index.js';
import type { EnhancerKind } from '../job-context/global-enhancers.js';
import type { QueueSettings } from '../module-options.js';
import type { RegisteredConnection } from '../runtime/registered-connection.js';

/** A connection of the application that the module of a thread may use without a `forRoot` of its own. */
export interface ThreadConnection extends QueueSettings {
  readonly connection: Connection;
}

/** What a thread gets of its application. It crosses by structured clone. */
export interface ThreadRole {
  /** The file that exports the module. */
  readonly file: string;
  /** The name of the export; undefined: the default export, or the only module. */
  readonly export: string | undefined;
  /** The name that the code uses for the queue. */
  readonly queue: string;
  readonly globalEnhancers: readonly EnhancerKind[];
  readonly trackCurrentJob: boolean;
  /** By name. Without those that cannot cross, such as a client of ioredis. */
  readonly connections: Readonly<Record<string, ThreadConnection>>;
}

/** Token of the {@link ThreadRole}. Only an application in a thread has it: such an application only provides handlers. */
export const THREAD_ROLE = Symbol('ChasquiThreadRole');

/** The connections that cross, with those of their defaults that do. */
export function crossing(registered: readonly RegisteredConnection[]): ThreadRole['connections'] {
  const connections: Record<string, ThreadConnection> = {};
  for (const { name, connection, queueDefaults } of registered) {
    if (!crosses(connection)) continue;
    const defaults = Object.entries(queueDefaults).filter(([, value]) => crosses(value));
    connections[name] = { ...(Object.fromEntries(defaults) as QueueSettings), connection };
  }
  return connections;
}

function crosses(value: unknown): boolean {
  // A client of ioredis: structured clone would copy some of its fields.
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return false;
  }
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
