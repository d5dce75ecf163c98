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
import { reconnectOptions, safeDelay } from './reconnecting.js';

export type Purpose = 'commands' | 'blocking';

/** How long to wait for a server that does not answer our FIN. ioredis also waits this long for a socket that is closed. */
const DISCONNECT_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;

/** The types of ioredis do not allow an undefined `replyMapping`; its code does. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/**
 * Creates a client. It does not connect yet.
 * @param name its name in CLIENT LIST, if the user gives it none (`connectionName`). A user that may not set it has none.
 */
export function createClient(connection: Connection, purpose: Purpose, name?: string): Client {
  const client = construct(connection, purpose, name);
  keepLastError(client);
  if (!isCluster(client)) failOnSelectError(client);
  return client;
}

/** Whether commands can use a client of the user's own. Otherwise they use a duplicate of it. */
export function servesCommands(client: Client): boolean {
  const options = (client as { options?: Partial<RedisOptions & ClusterOptions> }).options ?? {};
  const ofNodes: Partial<RedisOptions> = isCluster(client) ? (options.redisOptions ?? {}) : options;
  return !ofNodes.stringNumbers && (options.scaleReads === undefined || options.scaleReads === 'master');
}

function construct(connection: Connection, purpose: Purpose, name: string | undefined): Client {
  const read = readConnection(connection);
  const named = (
    options: { connectionName?: string | null | undefined } = {},
  ): { connectionName?: string } =>
    name === undefined ? {} : { connectionName: options.connectionName ?? name };
  if (read.kind === 'single') {
    const { options } = read;
    return new Redis({
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      maxRetriesPerRequest: null,
      ...boundTimes(options),
      ...reconnectOptions(options),
      ...named(options),
      ...overrides(REDIS_RULES, purpose),
    } as Options);
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
        ...named(redisOptions),
        ...overrides(REDIS_RULES, purpose),
      } as never,
    });
  }
  const { client } = read;
  return isCluster(client)
    ? client.duplicate([], {
        ...boundTimes<object>(client.options),
        ...overrides(CLUSTER_RULES, purpose),
        redisOptions: { ...named(client.options.redisOptions), ...overrides(REDIS_RULES, purpose) } as never,
      })
    : client.duplicate({
        ...boundTimes<object>(client.options),
        ...named(client.options),
        ...overrides(REDIS_RULES, purpose),
      });
}

function overrides(rules: Readonly<Record<string, Rule>>, purpose: Purpose): object {
  const values: Record<string, unknown> = {};
  for (const [key, rule] of Object.entries(rules)) {
    if (rule.kind === 'overridden' && (rule.on === 'all' || purpose === 'blocking')) values[key] = rule.value;
  }
  return values;
}

/**
 * When a server refuses SELECT, ioredis emits an error and continues in database 0. A listener that throws ends the
 * handshake instead: waiting calls are rejected, and the client reconnects.
 */
function failOnSelectError(client: Redis): void {
  const thrown = new WeakSet<Error>();
  client.on('error', (error: Error) => {
    // ioredis emits an error that a listener threw once more.
    if (!isSelectError(error) || thrown.has(error)) return;
    thrown.add(error);
    throw error;
  });
}
