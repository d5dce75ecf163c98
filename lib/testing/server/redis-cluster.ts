import type { Redis } from 'ioredis';
import { parseInfo, withAdmin } from './admin.js';
import { RedisServer, type RedisServerOptions } from './redis-server.js';
import { waitUntil } from './wait-until.js';

const SLOTS = 16_384;
const MASTERS = 3;
const FORM_TIMEOUT_MS = 30_000;

/** The options of each node. A cluster always chooses its own ports and folders. */
export type RedisClusterOptions = Omit<RedisServerOptions, 'port' | 'dir'>;

/** A private cluster of three masters on loopback, without replicas. */
export class RedisCluster implements AsyncDisposable {
  private constructor(
    /** The masters, in the order of their slots. Each one owns a third. */
    readonly nodes: readonly RedisServer[],
    private readonly password: string | undefined,
  ) {}

  /**
   * Starts the nodes and resolves when `ready` does, after some seconds.
   *
   * @throws Error if a node does not start, or the nodes do not agree within 30 s
   */
  static async start(options: RedisClusterOptions = {}): Promise<RedisCluster> {
    const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...(options.args ?? [])];
    const starts = await Promise.allSettled(
      Array.from({ length: MASTERS }, () => RedisServer.start({ ...options, args })),
    );
    const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const cluster = new RedisCluster(nodes, options.password);
    try {
      for (const start of starts) if (start.status === 'rejected') throw start.reason;
      await form(nodes, options.password);
      await cluster.ready();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get ports(): readonly number[] {
    return this.nodes.map(({ port }) => port);
  }

  /** Start nodes for a cluster client. */
  get startNodes(): readonly { readonly host: string; readonly port: number }[] {
    return this.nodes.map(({ host, port }) => ({ host, port }));
  }

  /**
   * Resolves when every node reports `cluster_state:ok` and all nodes agree on the owners of the slots. Call it after you
   * restart a node.
   *
   * @throws Error if they do not agree within 30 s
   */
  async ready(): Promise<void> {
    for (const node of this.nodes) {
      await waitUntil(`Cluster node ${node.port}`, FORM_TIMEOUT_MS, () =>
        withAdmin({ port: node.port, password: this.password }, (client) => missingOn(client, this.nodes)),
      );
    }
  }

  /** Stops every node. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function form(nodes: readonly RedisServer[], password: string | undefined): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    await withAdmin({ port: node.port, password }, async (client) => {
      // Different epochs at the start avoid a collision, which takes time to resolve. A node accepts an epoch only while
      // it knows no other node.
      await client.cluster('SET-CONFIG-EPOCH', index + 1);
      await addSlots(
        client,
        Math.floor((index * SLOTS) / MASTERS),
        Math.floor(((index + 1) * SLOTS) / MASTERS) - 1,
      );
    });
  }
  for (const node of nodes) {
    await withAdmin({ port: node.port, password }, async (client) => {
      for (const other of nodes) if (other !== node) await client.cluster('MEET', other.host, other.port);
    });
  }
}

async function addSlots(client: Redis, first: number, last: number): Promise<void> {
  try {
    await client.cluster('ADDSLOTSRANGE', first, last);
  } catch (error) {
    // Redis 6.2 has no ADDSLOTSRANGE.
    if (!/unknown subcommand/i.test(String(error))) throw error;
    await client.cluster(
      'ADDSLOTS',
      ...Array.from({ length: last - first + 1 }, (_, offset) => first + offset),
    );
  }
}

/** What is still missing, in the view of one node, before the cluster serves every slot. */
async function missingOn(client: Redis, nodes: readonly RedisServer[]): Promise<string | undefined> {
  const info = parseInfo(await client.cluster('INFO'));
  if (info.get('cluster_state') !== 'ok') return `cluster_state:${info.get('cluster_state') ?? ''}`;
  if (info.get('cluster_slots_ok') !== String(SLOTS))
    return `cluster_slots_ok:${info.get('cluster_slots_ok') ?? ''}`;
  const owners = (await client.cluster('SLOTS')) as unknown as [
    number,
    number,
    [string, number, ...unknown[]],
  ][];
  const seen = owners.map(([, , [, port]]) => port).sort((a, b) => a - b);
  const wanted = nodes.map(({ port }) => port).sort((a, b) => a - b);
  return seen.join() === wanted.join() ? undefined : `owners ${seen.join()} instead of ${wanted.join()}`;
}
