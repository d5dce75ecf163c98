import { Cluster, Command, Redis } from 'ioredis';

export type Client = Redis | Cluster;

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

/**
 * Sends a command, past what ioredis puts in front of it for its own methods: pipelines of a tick, a prefix for keys,
 * and a stack for errors. A client of the user's own may have them all.
 */
export function send(
  client: Client,
  command: string,
  args: readonly (string | number | Buffer)[],
  replyEncoding: 'utf8' | null = 'utf8',
): Promise<unknown> {
  return client.sendCommand(new Command(command, [...args], { replyEncoding })) as Promise<unknown>;
}

/** Host and port for messages; never a user name or a password. */
export function addressOf(client: Client): string {
  if (isCluster(client)) {
    const nodes = client.nodes().map((node) => addressOf(node));
    if (nodes.length > 0) return `cluster ${nodes.join(', ')}`;
    const { startupNodes = [] } = client as unknown as { startupNodes?: readonly unknown[] };
    const known = startupNodes.filter(isPlaced).map((node) => `${node.host}:${String(node.port ?? 6379)}`);
    return known.length > 0 ? `cluster ${known.join(', ')}` : 'the cluster';
  }
  const { path, sentinels, name, host, port } = client.options;
  if (path) return withoutUser(path);
  if (sentinels && sentinels.length > 0) {
    const list = sentinels.map(
      (sentinel) => `${sentinel.host ?? '127.0.0.1'}:${String(sentinel.port ?? 26379)}`,
    );
    return `master "${name ?? ''}" by sentinels ${list.join(', ')}`;
  }
  const at = withoutUser(host ?? '127.0.0.1');
  return `${at.includes(':') ? `[${at}]` : at}:${String(port ?? 6379)}`;
}

/** Where a whole URL was given as a host or a path. */
function withoutUser(place: string): string {
  return place.slice(place.lastIndexOf('@') + 1);
}

function isPlaced(node: unknown): node is { host: string; port?: number } {
  return typeof (node as { host?: unknown } | undefined)?.host === 'string';
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
