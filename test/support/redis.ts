import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import {
  RedisCluster,
  RedisSentinel,
  RedisServer,
  type RedisClusterOptions,
  type RedisSentinelOptions,
  type RedisServerOptions,
} from '../../lib/testing/index.js';
import { CONTROL_NAME, LeakCheck } from './leak-check.js';

/*
 * Each of these gives a test file servers of its own: started before the first test, emptied (and brought up again, if
 * a test killed or paused them) before each, stopped after the last. A test that leaves a client connection behind
 * fails. What they return can be used from the first hook or test on.
 */

interface TestOptions {
  /** Fail a test that leaves a connection open. Default true; fault tests that cannot close theirs say false. */
  readonly leakCheck?: boolean;
}

export type UseRedisOptions = RedisServerOptions & TestOptions;
export type UseClusterOptions = RedisClusterOptions & TestOptions;
export type UseSentinelOptions = RedisSentinelOptions & TestOptions;

/** One server. */
export interface TestRedis {
  readonly server: RedisServer;
  /** A connection for the test's own commands, which the leak check knows. */
  readonly client: Redis;
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Connection options for the code under test. */
  readonly connection: { readonly host: string; readonly port: number; readonly password?: string };
}

export function useRedis(options: UseRedisOptions = {}): TestRedis {
  const { leakCheck, ...serverOptions } = options;
  const servers = useServers(
    async () => {
      const server = await RedisServer.start(serverOptions);
      return { of: server, servers: [server], ready: () => Promise.resolve(), stop: () => server.stop() };
    },
    { leakCheck },
  );
  return {
    get server() {
      return servers.of;
    },
    get client() {
      return servers.client(servers.of);
    },
    get host() {
      return servers.of.host;
    },
    get port() {
      return servers.of.port;
    },
    get url() {
      return servers.of.url;
    },
    get connection() {
      return { host: servers.of.host, port: servers.of.port, ...passwordOf(options) };
    },
  };
}

/** Three masters. */
export interface TestCluster {
  readonly cluster: RedisCluster;
  /** A connection to one node for the test's own commands, which the leak check knows. */
  client(node: RedisServer): Redis;
  /** Connection options for the code under test. */
  readonly connection: { readonly cluster: { host: string; port: number }[]; readonly password?: string };
}

export function useCluster(options: UseClusterOptions = {}): TestCluster {
  const { leakCheck, ...clusterOptions } = options;
  const servers = useServers(
    async () => {
      const cluster = await RedisCluster.start(clusterOptions);
      return {
        of: cluster,
        servers: cluster.nodes,
        ready: () => cluster.ready(),
        stop: () => cluster.stop(),
      };
    },
    { leakCheck },
  );
  return {
    get cluster() {
      return servers.of;
    },
    client: (node) => servers.client(node),
    get connection() {
      return { cluster: servers.of.startNodes.map((node) => ({ ...node })), ...passwordOf(options) };
    },
  };
}

/** A master and a replica, under three sentinels. */
export interface TestSentinel {
  readonly sentinel: RedisSentinel;
  /** A connection to one server for the test's own commands, which the leak check knows. */
  client(server: RedisServer): Redis;
  /** Connection options for the code under test. */
  readonly connection: {
    readonly sentinels: { host: string; port: number }[];
    readonly name: string;
    readonly password?: string;
  };
}

export function useSentinel(options: UseSentinelOptions = {}): TestSentinel {
  const { leakCheck, ...sentinelOptions } = options;
  const servers = useServers(
    async () => {
      const sentinel = await RedisSentinel.start(sentinelOptions);
      return {
        of: sentinel,
        servers: sentinel.servers,
        others: sentinel.sentinels,
        ready: () => sentinel.ready(),
        stop: () => sentinel.stop(),
      };
    },
    { leakCheck },
  );
  return {
    get sentinel() {
      return servers.of;
    },
    client: (server) => servers.client(server),
    get connection() {
      const { name, sentinelAddresses } = servers.of;
      return {
        name,
        sentinels: sentinelAddresses.map((address) => ({ ...address })),
        ...passwordOf(options),
      };
    },
  };
}

type Process = Pick<RedisServer, 'running' | 'resume' | 'restart'>;

interface Started<T> {
  readonly of: T;
  /** Those with data and clients. */
  readonly servers: readonly RedisServer[];
  readonly others?: readonly Process[];
  /** Resolves once they work together again. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

interface Servers<T> {
  readonly of: T;
  client(server: RedisServer): Redis;
}

function useServers<T>(
  start: () => Promise<Started<T>>,
  { leakCheck = true }: { leakCheck?: boolean | undefined },
): Servers<T> {
  let started: Started<T> | undefined;
  const clients = new Map<RedisServer, Redis>();
  const leaks = new LeakCheck();

  const present = (): Started<T> => {
    if (!started) throw new Error('The servers are there from the first hook or test on, not before');
    return started;
  };

  beforeAll(async () => {
    started = await start();
    for (const server of started.servers) clients.set(server, connect(server));
  });

  beforeEach(async () => {
    const { servers, others = [], ready } = present();
    let broughtUp = false;
    for (const server of [...servers, ...others]) {
      server.resume();
      if (server.running) continue;
      await server.restart();
      broughtUp = true;
    }
    if (broughtUp) await ready();
    for (const client of clients.values()) await empty(client);
    await leaks.remember([...clients.values()]);
  });

  // Hooks run last in, first out: what the test file itself closes after a test is closed before this looks.
  afterEach(async () => {
    if (leakCheck)
      await leaks.verify([...clients].flatMap(([{ running }, client]) => (running ? [client] : [])));
  });

  afterAll(async () => {
    for (const client of clients.values()) client.disconnect();
    await started?.stop();
  });

  return {
    get of() {
      return present().of;
    },
    client(server) {
      const client = clients.get(server);
      if (!client) throw new Error('The servers are there from the first hook or test on, not before');
      return client;
    },
  };
}

function connect(server: RedisServer): Redis {
  // Never gives up: a test may take the server away for a while.
  const client = new Redis(server.url, {
    connectionName: CONTROL_NAME,
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
  });
  client.on('error', () => undefined);
  return client;
}

async function empty(client: Redis): Promise<void> {
  try {
    await client.flushall();
  } catch (error) {
    // A replica is emptied by its master.
    if (!String(error).includes('READONLY')) throw error;
  }
}

function passwordOf({ password }: { readonly password?: string | undefined }): {
  readonly password?: string;
} {
  return password === undefined ? {} : { password };
}
