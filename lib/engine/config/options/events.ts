import type { Schema } from '../check-options.js';
import { anything, boolean, limitMs } from '../checks.js';
import { connectionOption } from '../read-connection.js';
import type { Connection } from './connection.js';

export interface QueueEventsOptions {
  /** Where Redis is: a URL, options, or an ioredis client of your own. */
  connection: Connection;
  /** Accepted and ignored: keys always begin with `{chasqui:<queue>}`. Default: none. */
  prefix?: string;
  /** Start by itself, in the next microtask. Default true. */
  autorun?: boolean;
  /**
   * Where to start: `$` = only new events, `0` = all events that are kept, or the id of an event to start after.
   * Default `$`.
   */
  lastEventId?: string;
  /** How long a read waits, in ms. Default 10,000. */
  blockingTimeout?: number;
  /** How long the first connection may take, in ms. Default 10,000. */
  connectTimeoutMs?: number;
}

export const queueEventsSchema: Schema<QueueEventsOptions> = {
  connection: connectionOption,
  prefix: anything,
  autorun: boolean,
  lastEventId: (value) =>
    typeof value === 'string' && /^(\$|\d+(-\d+(:\d+)?)?)$/.test(value)
      ? undefined
      : 'must be "$", "0" or an event id',
  blockingTimeout: limitMs(1),
  connectTimeoutMs: limitMs(1),
};
