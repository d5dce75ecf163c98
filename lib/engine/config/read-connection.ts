import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import { isClient, isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ConfigError } from '../base/errors.js';
import type { Connection, ConnectionOptions } from './options.js';
import { nearestKey, optionsObject, plainOptions, shownKey } from './validate.js';
import type { Check } from './validate.js';
import { CLUSTER_RULES, REDIS_RULES, WHERE } from './client-options.js';
import type { Rule } from './client-options.js';
import { readUrl } from './url.js';

/** How to make clients for a connection, as it was given; what is overridden comes later. */
export type ReadConnection =
  | { readonly kind: 'client'; readonly client: Client }
  | { readonly kind: 'single'; readonly options: RedisOptions }
  | { readonly kind: 'cluster'; readonly nodes: ClusterNode[]; readonly options: ClusterOptions };

/** What is wrong, as the end of a sentence that begins with the option's name. */
class Problem extends Error {}

/** For `checkOptions`; what it says never shows a value of the connection. */
export const connectionCheck: Check = (value) => {
  try {
    readConnection(value as Connection);
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
};

/**
 * @param owner where it was given, for the message
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
  // Nothing of it would be found, and nothing leads to localhost.
  if ((connection as object) instanceof URL) {
    throw new Problem('is a URL object: give its text, which is its href');
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

/** A query has texts only. */
function valueOf(key: string, value: string): unknown {
  const rule: Rule | undefined = Object.hasOwn(REDIS_RULES, key)
    ? REDIS_RULES[key as keyof RedisOptions]
    : undefined;
  if (value !== 'true' && value !== 'false') return value;
  return rule?.kind === 'refused' || rule?.check(true) === undefined ? value === 'true' : value;
}

function singleOf(connection: ConnectionOptions): RedisOptions {
  const { url, cluster: _cluster, clusterOptions, ...rest } = connection;
  if (clusterOptions !== undefined) throw new Problem('has "clusterOptions", which need "cluster"');
  const options = checked('', REDIS_RULES, rest);
  const isPlaced = WHERE.some((key) => key !== 'url' && options[key] !== undefined) || options.Connector;
  if ('url' in connection && (url as unknown) === undefined && !isPlaced) {
    throw new Problem('has a "url" that is undefined (is the variable that it comes from set?)');
  }
  const base = url === undefined ? {} : prefixed('"url" ', () => fromUrl(url));
  if (options.sentinels && options.name === undefined) {
    throw new Problem('has "sentinels", and no "name" of the master that they watch');
  }
  return { ...base, ...options };
}

function clusterOf(connection: ConnectionOptions, nodes: unknown): ReadConnection {
  const { url: _url, cluster: _cluster, clusterOptions = {}, ...rest } = connection;
  const double = WHERE.find((key) => connection[key] !== undefined);
  if (double !== undefined) throw new Problem(`has both "cluster" and "${double}": leave one of them out`);
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new Problem('has a "cluster" that is no list of nodes such as { host, port }');
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
    return checked('a node of "cluster"', REDIS_RULES, node);
  }
  throw new Problem('has a node of "cluster" that is neither { host, port } nor a URL');
}

function checkClusterDb(db: unknown): void {
  if (db !== undefined && Number(db) !== 0)
    throw new Problem('has a "db" other than 0: a cluster has no others');
}

/** What keeps a client of the user's own from being of use at all. What else does not fit, a duplicate has not. */
function checkClient(client: Client): void {
  // A stand-in may have none.
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

/** What was given, without what counts as absent. */
function checked<T extends object>(where: string, rules: Readonly<Record<string, Rule>>, given: T): T {
  const taken: Record<string, unknown> = {};
  const of = where === '' ? '' : `has options in ${where} that cannot be used: it `;
  for (const [key, value] of Object.entries(plainOptions(given))) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (!rule) {
      const nearest = nearestKey(key, Object.keys(rules));
      throw new Problem(
        `${of}has no option ${shownKey(key)}${nearest ? ` (did you mean "${nearest}"?)` : ''}`,
      );
    }
    if (value === undefined) continue;
    if (rule.kind === 'refused') {
      if (!rule.harmless(value)) throw new Problem(`${of}has "${key}": ${rule.why}`);
      continue;
    }
    const wrong = rule.check(value);
    // Numbers come as text from the environment.
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
    if (wrong === undefined) taken[key] = value;
    else if (number !== undefined && rule.check(number) === undefined) taken[key] = number;
    // null, false and '' are how people say that there is none, where that is no value of its own.
    else if (value !== null && value !== false) throw new Problem(`${of}has a "${key}" that ${wrong}`);
  }
  return taken as T;
}

function prefixed<T>(prefix: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Problem ? new Problem(`${prefix}${error.message}`) : error;
  }
}
