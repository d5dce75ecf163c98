import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import { isClient, isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ConfigError } from '../base/errors.js';
import type { Connection, ConnectionOptions } from './options/connection.js';
import { optionsObject, plainOptions, shownKey } from './check-options.js';
import { nearestKey } from './nearest-key.js';
import { secret } from './checks.js';
import type { Check } from './checks.js';
import { CLUSTER_RULES, REDIS_RULES, SINGLE_SERVER } from './client-options.js';
import type { Rule } from './client-options.js';
import { readUrl } from './url.js';

/** How to create the clients of a connection. It has the user's options; overrides are applied later. */
export type ReadConnection =
  | { readonly kind: 'client'; readonly client: Client }
  | { readonly kind: 'single'; readonly options: RedisOptions }
  | { readonly kind: 'cluster'; readonly nodes: ClusterNode[]; readonly options: ClusterOptions };

/** What is wrong: the end of a sentence that begins with the name of the option. */
class Problem extends Error {}

/** The result never shows a value of the connection. */
export const connectionCheck: Check = (value) => {
  try {
    readConnection(value as Connection);
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
};

/** The check of an option named `connection`. */
export const connectionOption: Check = secret(connectionCheck);

/**
 * @param owner the class or method that the user passed it to, for the message
 * @throws ConfigError (CMQ-004) that shows no value of the connection
 */
export function checkConnection(owner: string, connection: unknown): void {
  if (connection === undefined) throw new ConfigError(`${owner}: option "connection" is missing.`);
  const wrong = connectionCheck(connection);
  if (wrong !== undefined) throw new ConfigError(`${owner}: option "connection" ${wrong}.`);
}

/** @throws an error whose message is what {@link connectionCheck} returns */
export function readConnection(connection: Connection): ReadConnection {
  if (typeof connection === 'string') return { kind: 'single', options: fromUrl(connection) };
  if (isClient(connection)) {
    checkClient(connection);
    return { kind: 'client', client: connection };
  }
  if (typeof connection !== 'object' || (connection as unknown) === null || Array.isArray(connection)) {
    throw new Problem('must be a URL, an options object or an ioredis client');
  }
  // A URL object has none of the options, and without options ioredis connects to localhost.
  if ((connection as object) instanceof URL) {
    throw new Problem('is a URL object: pass its text, url.href');
  }
  const wrong = optionsObject(connection);
  if (wrong !== undefined) throw new Problem(wrong);
  const options = plainOptions(connection);
  return 'cluster' in options && (options.cluster as unknown) !== undefined
    ? clusterOf(options, options.cluster)
    : { kind: 'single', options: singleOf(options) };
}

function fromUrl(given: unknown): RedisOptions {
  if (typeof given !== 'string') throw new Problem('must be a string: a redis:// or rediss:// URL');
  const read = readUrl(given);
  if ('problem' in read) throw new Problem(read.problem);
  const query: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(read.query)) query[key] = valueOf(key, value);
  return { ...checked('the query', REDIS_RULES, query), ...read.options };
}

/** The value of an option in the query of a URL, where everything is text. */
function valueOf(key: string, value: string): unknown {
  const rule: Rule | undefined = Object.hasOwn(REDIS_RULES, key)
    ? REDIS_RULES[key as keyof RedisOptions]
    : undefined;
  if (value !== 'true' && value !== 'false') return value;
  return rule?.kind === 'refused' || rule?.check(true) === undefined ? value === 'true' : value;
}

function singleOf(connection: ConnectionOptions): RedisOptions {
  const { url, cluster: _cluster, clusterOptions, ...rest } = connection;
  if (clusterOptions !== undefined) throw new Problem('has "clusterOptions" without "cluster"');
  const options = checked('', REDIS_RULES, rest);
  checkLocation(connection, options);
  const base = url === undefined ? {} : prefixed('"url" ', () => fromUrl(url));
  if (options.sentinels && options.name === undefined) {
    throw new Problem('has "sentinels" without the "name" of the master that they watch');
  }
  return { ...base, ...options };
}

/** Options that say by themselves where Redis is. */
const LOCATIONS = ['url', 'host', 'path', 'sentinels', 'Connector'] as const;

/**
 * Without a location, ioredis connects to localhost. That is right for `{}`. But an option that is set to undefined or
 * null most often comes from an environment variable that is missing in production.
 */
function checkLocation(connection: ConnectionOptions, accepted: RedisOptions): void {
  const locations: Partial<Record<string, unknown>> = { ...accepted, url: connection.url };
  if (LOCATIONS.some((key) => locations[key] != null)) return;
  const given: Partial<Record<string, unknown>> = { ...connection };
  const unset = [...LOCATIONS, 'port', 'cluster'].find((key) => key in given && given[key] == null);
  if (unset === undefined) return;
  throw new Problem(
    `has a "${unset}" that is ${String(given[unset])}, and no other option says where Redis is (is the environment variable set?): ` +
      'set it, or remove the key to connect to localhost',
  );
}

function clusterOf(connection: ConnectionOptions, nodes: unknown): ReadConnection {
  const { url: _url, cluster: _cluster, clusterOptions = {}, ...rest } = connection;
  const double = SINGLE_SERVER.find((key) => connection[key] !== undefined);
  if (double !== undefined) throw new Problem(`has both "cluster" and "${double}": remove one of them`);
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new Problem('has a "cluster" that is not a list of nodes such as { host, port }');
  }
  const { redisOptions, ...options } = checked('clusterOptions', CLUSTER_RULES, clusterOptions);
  const ofNodes = {
    ...checked('', REDIS_RULES, rest),
    ...checked('clusterOptions.redisOptions', REDIS_RULES, redisOptions ?? {}),
  };
  checkClusterDb(ofNodes.db);
  return {
    kind: 'cluster',
    nodes: nodes.map(nodeOf),
    options: { ...options, redisOptions: ofNodes },
  };
}

function nodeOf(node: unknown): ClusterNode {
  if (typeof node === 'string') return prefixed('"cluster": a node ', () => fromUrl(node));
  if (typeof node === 'number') return { port: node };
  if (typeof node === 'object' && node !== null) {
    if ('host' in node && node.host == null) {
      throw new Problem('has a node of "cluster" without a "host" (is the environment variable set?)');
    }
    return checked('a node of "cluster"', REDIS_RULES, node);
  }
  throw new Problem('has a node of "cluster" that is neither { host, port } nor a URL');
}

function checkClusterDb(db: unknown): void {
  if (db !== undefined && Number(db) !== 0)
    throw new Problem('has a "db" other than 0: a cluster has only database 0');
}

/**
 * Refuses a client of the user's own whose options make it useless. Options that only do not suit are overridden on a
 * duplicate of the client.
 */
function checkClient(client: Client): void {
  // A test double may have none.
  const options = (client as { options?: object }).options ?? {};
  const refuse = (rules: Readonly<Record<string, Rule>>, given: object): void => {
    for (const [key, value] of Object.entries(plainOptions(given))) {
      const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
      if (rule?.kind === 'refused' && !rule.harmless(value)) throw new Problem(`has "${key}": ${rule.why}`);
    }
  };
  if (!isCluster(client)) {
    refuse(REDIS_RULES, options);
    return;
  }
  const { redisOptions = {} } = options as ClusterOptions;
  refuse(CLUSTER_RULES, options);
  refuse(REDIS_RULES, redisOptions);
  checkClusterDb((redisOptions as RedisOptions).db);
}

/** The options, without those that count as absent. */
function checked<T extends object>(where: string, rules: Readonly<Record<string, Rule>>, given: T): T {
  const accepted: Record<string, unknown> = {};
  const prefix = where === '' ? '' : `has options in ${where} that cannot be used: it `;
  for (const [key, value] of Object.entries(plainOptions(given))) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (!rule) {
      const nearest = nearestKey(key, Object.keys(rules));
      throw new Problem(
        `${prefix}has no option ${shownKey(key)}${nearest ? ` (did you mean "${nearest}"?)` : ''}`,
      );
    }
    if (value === undefined) continue;
    if (rule.kind === 'refused') {
      if (!rule.harmless(value)) throw new Problem(`${prefix}has "${key}": ${rule.why}`);
      continue;
    }
    const wrong = rule.check(value);
    // Environment variables hold numbers as text.
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
    if (wrong === undefined) accepted[key] = value;
    else if (number !== undefined && rule.check(number) === undefined) accepted[key] = number;
    // null and false mean "none" for an option that does not accept them.
    else if (value !== null && value !== false) throw new Problem(`${prefix}has a "${key}" that ${wrong}`);
  }
  return accepted as T;
}

function prefixed<T>(prefix: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Problem ? new Problem(`${prefix}${error.message}`) : error;
  }
}
