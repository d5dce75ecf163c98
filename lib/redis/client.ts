import { Cluster, Redis } from 'ioredis';
import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';

export type Client = Redis | Cluster;

export interface ClientOptions extends RedisOptions {
  url?: string;
  cluster?: ClusterNode[];
  clusterOptions?: ClusterOptions;
}

/** What a client may be made from; a client of the user's own is duplicated. */
export type ClientSource = string | ClientOptions | Client;

export function isClient(source: unknown): source is Client {
  if (source instanceof Redis || source instanceof Cluster) return true;
  // An ioredis client from another copy of the package.
  return (
    typeof source === 'object' &&
    source !== null &&
    typeof (source as { sendCommand?: unknown }).sendCommand === 'function' &&
    typeof (source as { duplicate?: unknown }).duplicate === 'function'
  );
}

export function isCluster(client: Client): client is Cluster {
  return client instanceof Cluster || (client as { isCluster?: unknown }).isCluster === true;
}

/** Fast at first, then once a second, for ever: what waits has a deadline of its own. */
const reconnectDelay = (times: number): number => Math.min(25 * 2 ** Math.min(times, 6), 1000);

/** A demoted master answers READONLY and did nothing: connect anew, and send the command again. */
const reconnectOnError = (error: Error): false | 2 => (error.message.startsWith('READONLY') ? 2 : false);

/** How long a server that hangs may leave our FIN unanswered. ioredis waits as long for a socket long closed. */
const DISCONNECT_TIMEOUT_MS = 100;

/** ioredis's types tell an absent `replyMapping` from an undefined one; its code does not. */
type GivenOptions = Omit<RedisOptions, 'replyMapping'>;

function withDefaults(options: GivenOptions): GivenOptions {
  return {
    retryStrategy: reconnectDelay,
    reconnectOnError,
    maxRetriesPerRequest: null,
    connectTimeout: 10_000,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    ...options,
    lazyConnect: true,
  };
}

/** A new connection, not yet connecting. */
export function createClient(source: ClientSource): Client {
  if (isClient(source)) {
    return isCluster(source)
      ? source.duplicate([], { lazyConnect: true })
      : source.duplicate({ lazyConnect: true, maxRetriesPerRequest: null });
  }
  if (typeof source === 'string') return new Redis(source, withDefaults({}));
  const { url, cluster, clusterOptions, ...options } = source;
  if (cluster) {
    return new Cluster(cluster, {
      clusterRetryStrategy: reconnectDelay,
      ...clusterOptions,
      lazyConnect: true,
      // The cast is for the same quarrel over an absent `replyMapping`.
      redisOptions: {
        connectTimeout: 10_000,
        disconnectTimeout: DISCONNECT_TIMEOUT_MS,
        ...options,
        ...clusterOptions?.redisOptions,
      } as never,
    });
  }
  return url === undefined ? new Redis(withDefaults(options)) : new Redis(url, withDefaults(options));
}

/** Host and port for messages; never a user name or a password. */
export function addressOf(client: Client): string {
  if (isCluster(client)) {
    const nodes = client.nodes().map((node) => addressOf(node));
    return nodes.length > 0 ? `cluster ${nodes.join(', ')}` : 'the cluster';
  }
  const { path, sentinels, name, host, port } = client.options;
  if (path) return path;
  if (sentinels && sentinels.length > 0) {
    const list = sentinels.map(
      (sentinel) => `${sentinel.host ?? '127.0.0.1'}:${String(sentinel.port ?? 26379)}`,
    );
    return `master "${name ?? ''}" by sentinels ${list.join(', ')}`;
  }
  return `${host ?? '127.0.0.1'}:${String(port ?? 6379)}`;
}

/**
 * Throws a connection away whatever state it is in. `disconnect()` alone would leave a client that is waiting to
 * reconnect without an event, and what is queued in it unsettled for ever.
 */
export function discard(client: Client): void {
  client.on('error', ignore);
  const pausing = client.status === 'reconnecting';
  client.disconnect();
  // Between two attempts ioredis cancels the next one without a word.
  if (pausing) client.emit('end');
}

function ignore(): void {
  // The connection has been given up: what still goes wrong on it concerns nobody.
}
