import { addressOf, isCluster, send } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { settlesWithin, withDeadline } from '../../redis/deadline.js';
import { fieldsOf } from '../../redis/replies.js';
import { ConfigError, ConnectionError } from '../base/errors.js';
import { explained, toConnectionError } from './explain.js';

/** The oldest servers that have every command that this package uses. */
const OLDEST = { redis: [6, 2], valkey: [7, 2] } as const;

/** What is known of a server. */
export interface ServerFacts {
  /** Undefined if the user may not read it. */
  readonly evictionPolicy: string | undefined;
}

/**
 * Checks that the server of a connection that is ready can be used.
 * @throws ConfigError (CMQ-004) if it is too old, or if the connection uses another database than its options say
 * @throws ConnectionError (CMQ-001) if it is a replica
 */
export async function checkServer(client: Client, deadlineMs: number): Promise<ServerFacts> {
  const address = addressOf(client);
  const bounded = <T>(reply: Promise<T>): Promise<T> =>
    withDeadline(
      reply,
      deadlineMs,
      () =>
        new ConnectionError(
          `Redis at ${address} did not answer HELLO and INFO within ${String(deadlineMs)} ms: it hangs or is busy.`,
        ),
      (error) => toConnectionError(error, client, false),
    );
  const [hello, replies] = await Promise.all([
    helloOf(client, bounded),
    // Not every user may call INFO.
    Promise.all(mastersOf(client).map((node) => bounded(infoOf(node)).catch(() => undefined))),
    checkDatabase(client),
  ]);
  const infos = replies.filter((info) => info !== undefined);
  const [info] = infos;
  if (!hello && !info?.get('redis_version')) {
    throw new ConfigError(
      `The server at ${address} answers neither HELLO nor INFO. Either it is older than Redis 6 (this package needs Redis 6.2 or Valkey 7.2), or these commands are renamed or forbidden. Upgrade the server, or allow one of them.`,
    );
  }
  const server = hello?.get('server') ?? info?.get('server_name') ?? 'redis';
  const version = hello?.get('version') ?? info?.get('valkey_version') ?? info?.get('redis_version');
  checkVersion(server === 'valkey' ? 'valkey' : 'redis', version, address);
  if (!isCluster(client)) checkRole(client, hello?.get('role') ?? info?.get('role'), info);
  const policies = infos.flatMap((one) => one.get('maxmemory_policy') ?? []);
  return { evictionPolicy: policies.find((policy) => policy !== 'noeviction') ?? policies[0] };
}

async function helloOf(
  client: Client,
  bounded: <T>(reply: Promise<T>) => Promise<T>,
): Promise<Map<string, unknown> | undefined> {
  try {
    return fieldsOf(await bounded(send(client, 'HELLO', [])));
  } catch (error) {
    if (error instanceof Error && /unknown command|NOPERM/i.test(error.message)) return undefined;
    throw error;
  }
}

function mastersOf(client: Client): Client[] {
  return isCluster(client) ? client.nodes('master') : [client];
}

/** The fields of INFO. */
export async function infoOf(client: Client): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  const reply = String(await send(client, 'INFO', []));
  for (const [, key = '', value = ''] of reply.matchAll(/^([a-z_0-9]+):(.*?)\r?$/gm)) fields.set(key, value);
  return fields;
}

function checkVersion(server: 'redis' | 'valkey', reported: unknown, address: string): void {
  const version = typeof reported === 'string' ? reported : '0.0.0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST[server];
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new ConfigError(
    `The server at ${address} is ${server} ${version}; this package needs Redis ${OLDEST.redis.join('.')} or Valkey ${OLDEST.valkey.join('.')}, or later. Upgrade the server.`,
  );
}

function checkRole(client: Client, role: unknown, info: Map<string, string> | undefined): void {
  const isReplica = role === 'replica' || role === 'slave';
  if (!isReplica || info?.get('slave_read_only') === '0') return;
  throw new ConnectionError(explained('READONLY: this server is a read-only replica', client));
}

/** If its database does not exist, a client of the user's own continues in database 0. */
async function checkDatabase(client: Client): Promise<void> {
  if (isCluster(client)) return;
  const { condition, options } = client as { condition?: { select?: number }; options: { db?: number } };
  const wanted = condition?.select ?? options.db ?? 0;
  if (wanted === 0) return;
  const reply = send(client, 'CLIENT', ['INFO']).catch(() => '');
  if (!(await settlesWithin(reply, 5_000))) return;
  const [, actual] = / db=(\d+)/.exec(String(await reply)) ?? [];
  if (actual === undefined || Number(actual) === wanted) return;
  throw new ConfigError(
    `The connection to ${addressOf(client)} must use database ${String(wanted)} and uses ${actual}: the server does not have that database, or the user may not SELECT it. Set another "db".`,
  );
}
