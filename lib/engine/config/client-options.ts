import type { ClusterOptions, RedisOptions } from 'ioredis';
import { boolean, limitMs, number, text, whole } from './validate.js';
import type { Check } from './validate.js';
import { isUnset } from './url.js';

/**
 * Every option of ioredis, and what becomes of it on the connections that we open. An option that the installed version
 * of ioredis has and these tables do not is a compile error.
 */
export type Rule =
  /** Passed on as it is. */
  | { readonly kind: 'works'; readonly check: Check }
  /** Set by us, whatever was given. With `on: 'blocking'` only on connections that wait for entries. */
  | {
      readonly kind: 'overridden';
      readonly check: Check;
      readonly on: 'all' | 'blocking';
      readonly value: unknown;
      readonly why: string;
    }
  /** A ConfigError, unless it is given the value that means nothing. */
  | { readonly kind: 'refused'; readonly harmless: (value: unknown) => boolean; readonly why: string };

const any: Check = () => undefined;
const works = (check: Check = any): Rule => ({ kind: 'works', check });
const overridden = (value: unknown, why: string): Rule => ({
  kind: 'overridden',
  check: any,
  on: 'all',
  value,
  why,
});
const notWhereItBlocks = (value: unknown, check: Check, why: string): Rule => ({
  kind: 'overridden',
  check,
  on: 'blocking',
  value,
  why,
});
const refused = (why: string, harmless: (value: unknown) => boolean): Rule => ({
  kind: 'refused',
  harmless,
  why,
});
const isOff = (value: unknown): boolean => !value;

const string: Check = (value) => (typeof value === 'string' ? undefined : 'must be a string');
const func: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function');
const funcOrNull: Check = (value) => (value === null ? undefined : func(value));
const wholeOrNull: Check = (value) => (value === null ? undefined : whole(0)(value));
const either =
  (...values: unknown[]): Check =>
  (value) =>
    values.includes(value) ? undefined : `must be ${values.map(String).join(' or ')}`;
const host: Check = (value) => {
  const wrong = text(value);
  if (wrong !== undefined) return wrong;
  if (/[\s/@]/.test(value as string)) return 'must be a host name; a URL is given as "url"';
  if (/^[^:]*:\d+$/.test(value as string)) return 'must be a host name alone; its port is given as "port"';
  return isUnset(value as string) ? 'is the text of a variable that is not set' : undefined;
};
const list: Check = (value) =>
  Array.isArray(value) && value.length > 0 ? undefined : 'must be an array with at least one element';
const tls: Check = (value) =>
  (typeof value === 'object' && value !== null) || value === true || typeof value === 'string'
    ? undefined
    : 'must be an object of TLS options';
const map: Check = (value) =>
  typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? undefined
    : 'must be an object or a function';

const PREFIX_WHY =
  'keys of a queue always begin with {chasqui:<queue>}, and scripts name some of them by themselves. Use a connection without it';
const PIPELINES_WHY = 'calls of one tick share a round trip already, and no call may wait for a pipeline';
const SCRIPTS_WHY = 'nothing here calls them, and they could take the names of commands that are called';
const FIELDSETS_WHY = 'nothing here uses HIMPORT';
const STACK_WHY = 'errors of this package have a stack of their own; collecting one costs time for each call';
const LAZY_WHY = 'a connection is opened when it is first used';
const ROLE_WHY = 'a queue writes, and a replica is read-only';
const TIMEOUT_WHY =
  'it would give up waiting for entries that Redis still delivers, which nobody would run. commandTimeoutMs bounds every call';

/** Options of one connection. */
export const REDIS_RULES = {
  // Where to
  host: works(host),
  port: works(whole(1, 65_535)),
  path: works(text),
  family: works(either(0, 4, 6)),
  tls: works(tls),
  Connector: works(func),
  sentinels: works(list),
  name: works(text),
  sentinelUsername: works(string),
  sentinelPassword: works(string),
  sentinelRetryStrategy: works(funcOrNull),
  sentinelReconnectStrategy: works(funcOrNull),
  sentinelCommandTimeout: works(limitMs(1)),
  enableTLSForSentinelMode: works(boolean),
  sentinelTLS: works(tls),
  natMap: works(map),
  updateSentinels: works(boolean),
  sentinelMaxConnections: works(whole(1)),
  failoverDetector: works(boolean),
  preferredSlaves: overridden(undefined, 'only masters are used'),
  role: refused(ROLE_WHY, (value) => value === 'master'),
  readOnly: refused(ROLE_WHY, isOff),

  // As whom
  username: works(string),
  password: works(string),
  db: works(whole(0)),
  connectionName: works(text),
  disableClientInfo: works(boolean),
  clientInfoTag: works(string),

  // Time
  connectTimeout: works(limitMs(1)),
  disconnectTimeout: works(limitMs(0)),
  keepAlive: works(number(0)),
  noDelay: works(boolean),
  socketTimeout: notWhereItBlocks(
    undefined,
    limitMs(1),
    'a connection that waits for entries is silent for long',
  ),
  commandTimeout: {
    kind: 'overridden',
    check: limitMs(1),
    on: 'all',
    value: undefined,
    why: `${TIMEOUT_WHY}; where that is not given, it has this value`,
  } as Rule,
  blockingTimeout: overridden(undefined, TIMEOUT_WHY),
  blockingTimeoutGrace: overridden(undefined, TIMEOUT_WHY),

  // When it breaks
  retryStrategy: works(funcOrNull),
  reconnectOnError: works(funcOrNull),
  maxRetriesPerRequest: notWhereItBlocks(
    null,
    wholeOrNull,
    'a read waits for as long as Redis is away, within a deadline of its own',
  ),
  enableOfflineQueue: notWhereItBlocks(true, boolean, 'a read is sent when the connection is ready'),
  autoResendUnfulfilledCommands: overridden(
    true,
    'every script can be sent twice; calls that were not sent again would hang until their deadline',
  ),
  enableReadyCheck: works(boolean),
  maxLoadingRetryTime: works(limitMs(0)),
  lazyConnect: overridden(true, LAZY_WHY),

  // What is said
  protocol: works(either(2, 3)),
  replyMapping: overridden('legacy', 'replies are read by this package'),
  stringNumbers: overridden(false, 'replies are read by this package'),
  keyPrefix: refused(PREFIX_WHY, isOff),
  monitor: refused('a connection in monitor mode takes no commands', isOff),
  autoResubscribe: works(boolean),
  enableAutoPipelining: overridden(false, PIPELINES_WHY),
  autoPipeliningIgnoredCommands: overridden([], PIPELINES_WHY),
  offlineQueue: works(boolean),
  commandQueue: works(boolean),
  scripts: overridden(undefined, SCRIPTS_WHY),
  himportFieldsets: overridden(undefined, FIELDSETS_WHY),
  showFriendlyErrorStack: overridden(false, STACK_WHY),
} satisfies Record<keyof RedisOptions, Rule>;

/** Options of a cluster. `redisOptions` holds those of its nodes, for which the table above holds. */
export const CLUSTER_RULES = {
  clusterRetryStrategy: works(funcOrNull),
  clusterNodeRetryStrategy: works(funcOrNull),
  enableOfflineQueue: notWhereItBlocks(true, boolean, 'a read is sent when the connection is ready'),
  enableReadyCheck: works(boolean),
  scaleReads: overridden('master', 'a replica may not have yet what was just written'),
  maxRedirections: works(whole(0)),
  retryDelayOnFailover: works(whole(0)),
  retryDelayOnClusterDown: works(whole(0)),
  retryDelayOnTryAgain: works(whole(0)),
  retryDelayOnMoved: works(whole(0)),
  slotsRefreshTimeout: works(limitMs(1)),
  slotsRefreshInterval: works(whole(0)),
  shardedSubscribers: overridden(false, 'nothing here subscribes to channels'),
  redisOptions: works((value) =>
    typeof value === 'object' && value !== null ? undefined : 'must be an object',
  ),
  lazyConnect: overridden(true, LAZY_WHY),
  useSRVRecords: works(boolean),
  resolveSrv: works(func),
  dnsLookup: works(func),
  natMap: works(map),
  enableAutoPipelining: overridden(false, PIPELINES_WHY),
  autoPipeliningIgnoredCommands: overridden([], PIPELINES_WHY),
  scripts: overridden(undefined, SCRIPTS_WHY),
  himportFieldsets: overridden(undefined, FIELDSETS_WHY),
  keyPrefix: refused(PREFIX_WHY, isOff),
  showFriendlyErrorStack: overridden(false, STACK_WHY),
} satisfies Record<keyof ClusterOptions, Rule>;

/** Options that say where a single server is; a cluster says it by its nodes. */
export const WHERE = ['url', 'host', 'port', 'path', 'sentinels', 'name'] as const;
