import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { RedisServer, type RedisServerOptions } from '../../lib/testing/index.js';

const SETTLE_MS = 1_000;
const POLL_MS = 10;

export interface UseRedisOptions extends RedisServerOptions {
  /** Fail a test that leaves a connection open. Default true; fault tests that cannot close theirs say false. */
  readonly leakCheck?: boolean;
}

/** The server of a test file; its members can be used from the first hook or test on. */
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

/**
 * Gives a test file a server of its own: started before the first test, emptied (and brought up again, if a test
 * killed or paused it) before each, stopped after the last. A test that leaves a client connection behind fails.
 */
export function useRedis(options: UseRedisOptions = {}): TestRedis {
  const { leakCheck = true, ...serverOptions } = options;
  let server: RedisServer | undefined;
  let client: Redis | undefined;
  let before = new Set<string>();

  const redis: TestRedis = {
    get server() {
      return started(server);
    },
    get client() {
      return started(client);
    },
    get host() {
      return redis.server.host;
    },
    get port() {
      return redis.server.port;
    },
    get url() {
      return redis.server.url;
    },
    get connection() {
      const { host, port } = redis;
      return { host, port, ...(options.password === undefined ? {} : { password: options.password }) };
    },
  };

  beforeAll(async () => {
    server = await RedisServer.start(serverOptions);
    client = connect(server);
  });

  beforeEach(async () => {
    redis.server.resume();
    if (!redis.server.running) await redis.server.restart();
    await redis.client.flushall();
    before = new Set((await listClients(redis.client)).keys());
  });

  // Hooks run last in, first out: what the test file itself closes after a test is closed before this looks.
  afterEach(async () => {
    if (!leakCheck || !redis.server.running) return;
    const leaked = await leakedClients(redis.client, before);
    if (leaked.length === 0) return;
    // The next test starts clean, so that only the test that leaked fails.
    for (const { id } of leaked) await redis.client.client('KILL', 'ID', id);
    const lines = leaked.map(({ line }) => `  ${line}`).join('\n');
    throw new Error(`The test left ${leaked.length} connection(s) to Redis open:\n${lines}`);
  });

  afterAll(async () => {
    client?.disconnect();
    await server?.stop();
  });

  return redis;
}

function started<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The server is there from the first hook or test on, not before');
  return value;
}

function connect(server: RedisServer): Redis {
  // Never gives up: a test may take the server away for a while.
  const client = new Redis(server.url, {
    connectionName: 'test-control',
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
  });
  client.on('error', () => undefined);
  return client;
}

interface LeakedClient {
  readonly id: string;
  readonly line: string;
}

/** The connections that were not there `before`, after they have had a moment to close. */
async function leakedClients(client: Redis, before: ReadonlySet<string>): Promise<readonly LeakedClient[]> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const now = await listClients(client);
    const leaked = [...now].filter(([id]) => !before.has(id)).map(([id, line]) => ({ id, line }));
    if (leaked.length === 0 || performance.now() > deadline) return leaked;
    await delay(POLL_MS);
  }
}

/** CLIENT LIST by client id, without the control connection (which may have had to reconnect). */
async function listClients(client: Redis): Promise<Map<string, string>> {
  const clients = new Map<string, string>();
  for (const line of String(await client.client('LIST')).split('\n')) {
    const id = /\bid=(\d+)/.exec(line)?.[1];
    if (id !== undefined && !line.includes(' name=test-control ')) clients.set(id, line.trim());
  }
  return clients;
}
