import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { parseInfo, withAdmin } from './admin.js';
import { resolveServerBinary } from './find-server.js';
import { RedisServer, type RedisServerOptions } from './redis-server.js';
import { launch, ServerProcess, type LaunchPlan } from './server-process.js';
import { waitUntil } from './wait-until.js';

const SENTINELS = 3;
const QUORUM = 2;
const READY_TIMEOUT_MS = 60_000;
/**
 * A sentinel promotes a replica only if its INFO is not older than five PING periods. While the master is down, the
 * sentinel asks for INFO once a second, so with shorter PING periods a failover often finds "no good slave".
 */
const PERIODS_MS = ['ping-period', '300', 'publish-period', '200', 'info-period', '500'];

/** The options of the master and its replica. They always choose their own ports and folders. */
export interface RedisSentinelOptions extends Omit<RedisServerOptions, 'port' | 'dir'> {
  /** The name of the master in the sentinels. Default `mymaster`. */
  readonly name?: string;
  /** How long a server must not answer before it counts as down. Default 1000 ms. */
  readonly downAfterMs?: number;
  /** Sentinel's `failover-timeout`, for example the time until a failed failover is tried again. Default 3000 ms. */
  readonly failoverTimeoutMs?: number;
}

/** A private master with one replica on loopback, watched by three sentinels with a quorum of two. */
export class RedisSentinel implements AsyncDisposable {
  private constructor(
    /** The name of the master in the sentinels. */
    readonly name: string,
    /** The first master, then its replica. */
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly ServerProcess[],
    private readonly password: string | undefined,
  ) {}

  /**
   * Resolves when the replica is in sync and every sentinel knows the master, the replica and the other sentinels. From
   * then on, a failover can happen. Takes some seconds.
   *
   * @throws Error if a process does not start, or this state is not reached within a minute
   */
  static async start(options: RedisSentinelOptions = {}): Promise<RedisSentinel> {
    const { name = 'mymaster', password } = options;
    const servers: RedisServer[] = [];
    const sentinels: ServerProcess[] = [];
    const all = new RedisSentinel(name, servers, sentinels, password);
    try {
      const master = await RedisServer.start(options);
      servers.push(master);
      const args = ['--replicaof', master.host, String(master.port), ...(options.args ?? [])];
      servers.push(await RedisServer.start({ ...options, args }));
      await waitUntil('Replica', READY_TIMEOUT_MS, () => all.missingReplica());
      for (let count = 0; count < SENTINELS; count += 1) {
        sentinels.push(await startSentinel(options, name, master.port));
      }
      await all.ready();
      return all;
    } catch (error) {
      await all.stop();
      throw error;
    }
  }

  /** The ports of the master and the replica, as `servers`. */
  get ports(): readonly number[] {
    return this.servers.map(({ port }) => port);
  }

  get sentinelPorts(): readonly number[] {
    return this.sentinels.map(({ port }) => port);
  }

  /** The `sentinels` option of a client. */
  get sentinelAddresses(): readonly { readonly host: string; readonly port: number }[] {
    return this.sentinels.map(({ host, port }) => ({ host, port }));
  }

  /** The server that the sentinels currently name as master, even if it does not run. */
  async master(): Promise<RedisServer> {
    const sentinel = this.sentinels.find(({ running }) => running);
    if (!sentinel) throw new Error('No sentinel is running');
    const [, port] = await withAdmin(sentinel, (client) => masterAddress(client, this.name));
    const server = this.servers.find((candidate) => candidate.port === port);
    if (!server) throw new Error(`The sentinels name port ${port} as master, which is not one of ours`);
    return server;
  }

  /**
   * Resolves when every sentinel knows a master with a replica in sync, and the other sentinels. Call it after a failover
   * and the restart of the old master.
   *
   * @throws Error if this state is not reached within a minute
   */
  async ready(): Promise<void> {
    for (const sentinel of this.sentinels) {
      await waitUntil(`Sentinel ${sentinel.port}`, READY_TIMEOUT_MS, () => this.missingOn(sentinel));
    }
  }

  /** Stops the sentinels, then the servers. */
  async stop(): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel.stop()));
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async missingReplica(): Promise<string | undefined> {
    const [, replica] = this.servers;
    if (!replica) return 'not started';
    const info = await withAdmin({ port: replica.port, password: this.password }, (client) =>
      client.info('replication'),
    );
    const link = parseInfo(info).get('master_link_status');
    return link === 'up' ? undefined : `master_link_status:${link ?? ''}`;
  }

  private missingOn(sentinel: ServerProcess): Promise<string | undefined> {
    return withAdmin(sentinel, async (client) => {
      await client.call('SENTINEL', 'CKQUORUM', this.name);
      const reply = (await client.call('SENTINEL', 'MASTER', this.name)) as string[];
      const master = new Map(pairs(reply));
      if (master.get('flags') !== 'master') return `the master is ${master.get('flags') ?? '?'}`;
      const replicas = master.get('num-slaves');
      if (replicas !== '1') return `${replicas ?? '?'} replicas known`;
      const others = master.get('num-other-sentinels');
      if (others !== String(SENTINELS - 1)) return `${others ?? '?'} other sentinels known`;
      // A replica that has not told its state yet is not fit for a failover.
      const [replica] = (await client.call('SENTINEL', 'REPLICAS', this.name)) as string[][];
      const link = new Map(pairs(replica ?? [])).get('master-link-status');
      return link === 'ok' ? undefined : `replica's link: ${link ?? '?'}`;
    });
  }
}

async function startSentinel(
  options: RedisSentinelOptions,
  name: string,
  masterPort: number,
): Promise<ServerProcess> {
  const { downAfterMs = 1_000, failoverTimeoutMs = 3_000, password } = options;
  const config = (dir: string): string => join(dir, 'sentinel.conf');
  const plan: LaunchPlan = {
    binary: options.binary ?? (await resolveServerBinary()),
    command: (_port, dir) => [config(dir), '--sentinel'],
    // A sentinel writes its knowledge into its file, so its settings are in the file and not in the arguments.
    prepare: (port, dir) =>
      writeFile(
        config(dir),
        [
          `port ${port}`,
          'bind 127.0.0.1',
          'protected-mode yes',
          'daemonize no',
          'logfile ""',
          `dir ${JSON.stringify(dir)}`,
          `sentinel monitor ${name} 127.0.0.1 ${masterPort} ${QUORUM}`,
          `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
          `sentinel failover-timeout ${name} ${failoverTimeoutMs}`,
          `sentinel parallel-syncs ${name} 1`,
          ...(password === undefined ? [] : [`sentinel auth-pass ${name} ${JSON.stringify(password)}`]),
          '',
        ].join('\n'),
      ),
    log: options.log,
  };
  const sentinel = await launch(plan, (place) => new ServerProcess(plan, place));
  await quicken(sentinel);
  return sentinel;
}

/**
 * Makes a sentinel check more often than every 1 s (PING), 2 s and 10 s, on Redis 7 and later. If PINGs are as rare as
 * the time after which a server counts as down, a server that is up sometimes counts as down too.
 */
async function quicken(sentinel: ServerProcess): Promise<void> {
  await withAdmin(sentinel, async (client) => {
    try {
      await client.call('SENTINEL', 'DEBUG', ...PERIODS_MS);
    } catch (error) {
      if (!/unknown (sentinel )?subcommand/i.test(String(error))) throw error;
    }
  });
}

async function masterAddress(client: Redis, name: string): Promise<readonly [host: string, port: number]> {
  const reply = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as [string, string] | null;
  if (!reply) throw new Error(`The sentinels know no master '${name}'`);
  return [reply[0], Number(reply[1])];
}

function* pairs(flat: readonly string[]): Generator<[string, string]> {
  for (let index = 0; index + 1 < flat.length; index += 2) yield [flat[index] ?? '', flat[index + 1] ?? ''];
}
