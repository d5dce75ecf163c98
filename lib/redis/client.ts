import { Cluster, Command, Redis } from 'ioredis';

export type Client = Redis | Cluster;

export function isClient(source: unknown): source is Client {
  if (source instanceof Redis || source instanceof Cluster) return true;
  // A client from another copy of ioredis.
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
 * Sends a command without what ioredis adds to its own methods: pipelines per tick, a key prefix, and a stack for errors. A
 * client that the user passes in may have any of these.
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
    const known = startupNodes.filter(hasHost).map((node) => `${node.host}:${String(node.port ?? 6379)}`);
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

/** The host or the path may be a whole URL, with a password. */
function withoutUser(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

function hasHost(node: unknown): node is { host: string; port?: number } {
  return typeof (node as { host?: unknown } | undefined)?.host === 'string';
}

/**
 * Closes a client in any state. `disconnect()` alone would leave a client that waits to reconnect without an `end` event,
 * and would never settle its queued commands.
 */
export function discard(client: Client): void {
  client.on('error', ignore);
  const pausing = client.status === 'reconnecting';
  client.disconnect();
  // While it waits to reconnect, ioredis only cancels the next attempt.
  if (pausing) client.emit('end');
}

function ignore(): void {
  // The client was discarded, so its errors do not matter.
}
