import { Cluster, Redis } from 'ioredis';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import { isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { boundTimes } from '../../redis/timer.js';
import type { Connection } from '../config/options.js';
import { CLUSTER_RULES, REDIS_RULES } from '../config/client-options.js';
import type { Rule } from '../config/client-options.js';
import { readConnection } from '../config/read-connection.js';
import { keepLastError } from './last-error.js';
import { isSelectError } from './explain.js';
import { reconnecting, safeDelay } from './reconnecting.js';

export type Purpose = 'commands' | 'blocking';

/** How long a server that hangs may leave our FIN unanswered. ioredis waits as long for a socket long closed. */
const DISCONNECT_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;

/** ioredis's types tell an absent `replyMapping` from an undefined one; its code does not. */
type Given = Omit<RedisOptions, 'replyMapping'>;

/** A new connection, not yet connecting. */
export function createClient(connection: Connection, purpose: Purpose): Client {
  const client = make(connection, purpose);
  keepLastError(client);
  if (!isCluster(client)) neverInAnotherDatabase(client);
  return client;
}

/** Whether commands can be sent on a client of the user's own; else it is duplicated for them too. */
export function servesCommands(client: Client): boolean {
  const options = (client as { options?: Partial<RedisOptions & ClusterOptions> }).options ?? {};
  const ofNodes: Partial<RedisOptions> = isCluster(client) ? (options.redisOptions ?? {}) : options;
  return !ofNodes.stringNumbers && (options.scaleReads === undefined || options.scaleReads === 'master');
}

function make(connection: Connection, purpose: Purpose): Client {
  const read = readConnection(connection);
  if (read.kind === 'single') {
    const { options } = read;
    return new Redis({
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      maxRetriesPerRequest: null,
      ...boundTimes(options),
      ...reconnecting(options),
      ...overrides(REDIS_RULES, purpose),
    } as Given);
  }
  if (read.kind === 'cluster') {
    const { redisOptions, clusterRetryStrategy, ...options } = read.options;
    return new Cluster(read.nodes, {
      ...boundTimes(options),
      ...overrides(CLUSTER_RULES, purpose),
      clusterRetryStrategy: safeDelay(clusterRetryStrategy),
      redisOptions: {
        connectTimeout: CONNECT_TIMEOUT_MS,
        disconnectTimeout: DISCONNECT_TIMEOUT_MS,
        ...boundTimes(redisOptions ?? {}),
        ...overrides(REDIS_RULES, purpose),
      } as never,
    });
  }
  const { client } = read;
  return isCluster(client)
    ? client.duplicate([], {
        ...boundTimes<object>(client.options),
        ...overrides(CLUSTER_RULES, purpose),
        redisOptions: overrides(REDIS_RULES, purpose) as never,
      })
    : client.duplicate({ ...boundTimes<object>(client.options), ...overrides(REDIS_RULES, purpose) });
}

function overrides(rules: Readonly<Record<string, Rule>>, purpose: Purpose): object {
  const values: Record<string, unknown> = {};
  for (const [key, rule] of Object.entries(rules)) {
    if (rule.kind === 'overridden' && (rule.on === 'all' || purpose === 'blocking')) values[key] = rule.value;
  }
  return values;
}

/**
 * ioredis reports a SELECT that was refused and goes on in database 0. What a listener throws ends the handshake: what
 * waits is rejected, and the connection is made anew.
 */
function neverInAnotherDatabase(client: Redis): void {
  const thrown = new WeakSet<Error>();
  client.on('error', (error: Error) => {
    // It is emitted once more because it was thrown.
    if (!isSelectError(error) || thrown.has(error)) return;
    thrown.add(error);
    throw error;
  });
}
