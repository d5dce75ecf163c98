import type { ClusterOptions, RedisOptions } from 'ioredis';
import { anything, boolean, limitMs, number, record, text, whole } from './checks.js';
import type { Check } from './checks.js';
import { isUnset } from './url.js';

/**
 * What this package does with each option of ioredis on the connections that it opens. If the installed version of ioredis
 * has an option that these tables do not have, the compiler reports it.
 */
export type Rule =
  /** Passed on unchanged. */
  | { readonly kind: 'works'; readonly check: Check }
  /** Set by this package. With `on: 'blocking'` only on connections that wait for entries. */
  | {
      readonly kind: 'overridden';
      readonly check: Check;
      readonly on: 'all' | 'blocking';
      readonly value: unknown;
      readonly why: string;
    }
  /** A ConfigError, unless the value is harmless. */
  | { readonly kind: 'refused'; readonly harmless: (value: unknown) => boolean; readonly why: string };

const works = (check: Check = anything): Rule => ({ kind: 'works', check });
const overridden = (value: unknown, why: string): Rule => ({
  kind: 'overridden',
  check: anything,
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
  if (/[\s/@]/.test(value as string)) return 'must be a host name; pass a URL as "url"';
  if (/^[^:]*:\d+$/.test(value as string)) return 'must be a host name alone; pass its port as "port"';
  return isUnset(value as string) ? 'is the text of an environment variable that is not set' : undefined;
};
const sentinels: Check = (value) => {
  if (!Array.isArray(value) || value.length === 0) return 'must be an array with at least one element';
  const isUnknown = (sentinel: unknown): boolean =>
    typeof sentinel === 'object' && sentinel !== null && 'host' in sentinel && sentinel.host == null;
  return value.some(isUnknown)
    ? 'must name the host of each Sentinel (is its environment variable set?)'
    : undefined;
};
/** The names of ioredis's TLS profiles. */
const TLS_PROFILES: readonly unknown[] = ['RedisCloudFixed', 'RedisCloudFlexible'];
const tls: Check = (value) =>
  value === true || TLS_PROFILES.includes(value)
    ? undefined
    : record(value) && 'must be an object of TLS options';
const map: Check = (value) =>
  typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? undefined
    : 'must be an object or a function';

const PREFIX_WHY =
  'keys of a queue always begin with {chasqui:<queue>}, and scripts build some of them. Use a connection without it';
const PIPELINES_WHY = 'calls of one tick already share a round trip, and no call may wait for a pipeline';
const SCRIPTS_WHY = 'this package does not call them, and they could hide commands that it calls';
const FIELDSETS_WHY = 'this package does not use HIMPORT';
const STACK_WHY =
  'errors of this package have their own stack, and collecting another one costs time in each call';
const LAZY_WHY = 'a connection opens on first use';
const ROLE_WHY = 'a queue writes, and a replica is read-only';
const TIMEOUT_WHY =
  'it would stop waiting for entries that Redis still delivers, and nobody would run them. commandTimeoutMs bounds every call';

/** Options of one connection. */
export const REDIS_RULES = {
  // Where Redis is
  host: works(host),
  port: works(whole(1, 65_535)),
  path: works(text),
  family: works(either(0, 4, 6)),
  tls: works(tls),
  Connector: works(func),
  sentinels: works(sentinels),
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

  // Who connects
  username: works(string),
  password: works(string),
  db: works(whole(0)),
  connectionName: works(text),
  disableClientInfo: works(boolean),
  clientInfoTag: works(string),

  // Times
  connectTimeout: works(limitMs(1)),
  disconnectTimeout: works(limitMs(0)),
  keepAlive: works(number(0)),
  noDelay: works(boolean),
  socketTimeout: notWhereItBlocks(
    undefined,
    limitMs(1),
    'a connection that waits for entries is silent for a long time',
  ),
  commandTimeout: {
    kind: 'overridden',
    check: limitMs(1),
    on: 'all',
    value: undefined,
    why: `${TIMEOUT_WHY}; if you do not set it, it has this value`,
  } as Rule,
  blockingTimeout: overridden(undefined, TIMEOUT_WHY),
  blockingTimeoutGrace: overridden(undefined, TIMEOUT_WHY),

  // When the connection breaks
  retryStrategy: works(funcOrNull),
  reconnectOnError: works(funcOrNull),
  maxRetriesPerRequest: notWhereItBlocks(
    null,
    wholeOrNull,
    'a read has a deadline of its own, and waits while Redis is away',
  ),
  enableOfflineQueue: notWhereItBlocks(true, boolean, 'a read is sent when the connection is ready'),
  autoResendUnfulfilledCommands: overridden(
    true,
    'every script can be sent twice, and a call that is not sent again would hang until its deadline',
  ),
  enableReadyCheck: works(boolean),
  maxLoadingRetryTime: works(limitMs(0)),
  lazyConnect: overridden(true, LAZY_WHY),

  // What is sent
  protocol: works(either(2, 3)),
  replyMapping: overridden('legacy', 'this package reads the replies'),
  stringNumbers: overridden(false, 'this package reads the replies'),
  keyPrefix: refused(PREFIX_WHY, isOff),
  monitor: refused('a connection in monitor mode accepts no commands', isOff),
  autoResubscribe: works(boolean),
  enableAutoPipelining: overridden(false, PIPELINES_WHY),
  autoPipeliningIgnoredCommands: overridden([], PIPELINES_WHY),
  offlineQueue: works(boolean),
  commandQueue: works(boolean),
  scripts: overridden(undefined, SCRIPTS_WHY),
  himportFieldsets: overridden(undefined, FIELDSETS_WHY),
  showFriendlyErrorStack: overridden(false, STACK_WHY),
} satisfies Record<keyof RedisOptions, Rule>;

/** Options of a cluster. Its `redisOptions` are the options of its nodes: the table above applies to them. */
export const CLUSTER_RULES = {
  clusterRetryStrategy: works(funcOrNull),
  clusterNodeRetryStrategy: works(funcOrNull),
  enableOfflineQueue: notWhereItBlocks(true, boolean, 'a read is sent when the connection is ready'),
  enableReadyCheck: works(boolean),
  scaleReads: overridden('master', 'a replica may not yet have what was just written'),
  maxRedirections: works(whole(0)),
  retryDelayOnFailover: works(whole(0)),
  retryDelayOnClusterDown: works(whole(0)),
  retryDelayOnTryAgain: works(whole(0)),
  retryDelayOnMoved: works(whole(0)),
  slotsRefreshTimeout: works(limitMs(1)),
  slotsRefreshInterval: works(whole(0)),
  shardedSubscribers: overridden(false, 'this package does not subscribe to channels'),
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

/** Options that say where a single server is. A cluster has nodes instead. */
export const SINGLE_SERVER = ['url', 'host', 'port', 'path', 'sentinels', 'name'] as const;
