import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Cluster, Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { CLUSTER_RULES, REDIS_RULES } from '../../lib/engine/config/client-options.js';
import type { Rule } from '../../lib/engine/config/client-options.js';
import { createClient, servesCommands } from '../../lib/engine/connection/create-client.js';
import { connectionCheck, readConnection } from '../../lib/engine/config/read-connection.js';
import type { Connection } from '../../lib/engine/index.js';

const ioredis = dirname(createRequire(import.meta.url).resolve('ioredis/package.json'));

/** The names of the options that a declaration file of the installed ioredis has, whatever its types say. */
function declared(file: string, type: string): string[] {
  const source = readFileSync(join(ioredis, 'built', file), 'utf8');
  const body = new RegExp(`(?:interface|type) ${type}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? '';
  return [...body.matchAll(/^ {4}(\w+)\?:/gm)].map(([, name]) => name as string);
}

const SINGLE = [
  ...declared('redis/RedisOptions.d.ts', 'CommonRedisOptions'),
  ...declared('connectors/SentinelConnector/index.d.ts', 'SentinelConnectionOptions'),
  ...declared('connectors/StandaloneConnector.d.ts', 'StandaloneConnectionOptions'),
  ...declared('utils/Commander.d.ts', 'CommanderOptions'),
  'host',
  'port',
  'family',
  'path',
];
const CLUSTER = [
  ...declared('cluster/ClusterOptions.d.ts', 'ClusterOptions'),
  ...declared('utils/Commander.d.ts', 'CommanderOptions'),
];

/** A value that is none of the defaults, for every option of one connection. */
const VALUES: Record<keyof typeof REDIS_RULES, unknown> = {
  host: 'redis.example',
  port: 6400,
  path: '/tmp/redis.sock',
  family: 6,
  tls: { servername: 'x' },
  Connector: class {},
  sentinels: [{ host: 'a', port: 1 }],
  name: 'mymaster',
  sentinelUsername: 'me',
  sentinelPassword: 'secret',
  sentinelRetryStrategy: () => 5,
  sentinelReconnectStrategy: () => 5,
  sentinelCommandTimeout: 100,
  enableTLSForSentinelMode: true,
  sentinelTLS: {},
  natMap: { 'a:1': { host: 'b', port: 2 } },
  updateSentinels: false,
  sentinelMaxConnections: 3,
  failoverDetector: true,
  preferredSlaves: [{ ip: 'a', port: '1' }],
  role: 'slave',
  readOnly: true,
  username: 'me',
  password: 'secret',
  db: 3,
  connectionName: 'mine',
  disableClientInfo: true,
  clientInfoTag: 'mine',
  connectTimeout: 1_234,
  disconnectTimeout: 12,
  keepAlive: 1_000,
  noDelay: false,
  socketTimeout: 700,
  commandTimeout: 700,
  blockingTimeout: 700,
  blockingTimeoutGrace: 7,
  retryStrategy: () => 7,
  reconnectOnError: () => false,
  maxRetriesPerRequest: 3,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  enableReadyCheck: false,
  maxLoadingRetryTime: 5,
  lazyConnect: false,
  protocol: 2,
  replyMapping: 'resp3',
  stringNumbers: true,
  keyPrefix: 'app:',
  monitor: true,
  autoResubscribe: false,
  enableAutoPipelining: true,
  autoPipeliningIgnoredCommands: ['get'],
  offlineQueue: false,
  commandQueue: false,
  scripts: { call: { lua: 'return 1', numberOfKeys: 0 } },
  himportFieldsets: [{ name: 'x', fields: ['a'] }],
  showFriendlyErrorStack: true,
};

const CLUSTER_VALUES: Record<keyof typeof CLUSTER_RULES, unknown> = {
  clusterRetryStrategy: () => 7,
  clusterNodeRetryStrategy: () => 7,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  scaleReads: 'slave',
  maxRedirections: 3,
  retryDelayOnFailover: 7,
  retryDelayOnClusterDown: 7,
  retryDelayOnTryAgain: 7,
  retryDelayOnMoved: 7,
  slotsRefreshTimeout: 700,
  slotsRefreshInterval: 700,
  shardedSubscribers: true,
  redisOptions: { connectionName: 'mine' },
  lazyConnect: false,
  useSRVRecords: true,
  resolveSrv: () => undefined,
  dnsLookup: () => undefined,
  natMap: { 'a:1': { host: 'b', port: 2 } },
  enableAutoPipelining: true,
  autoPipeliningIgnoredCommands: ['get'],
  scripts: { call: { lua: 'return 1', numberOfKeys: 0 } },
  himportFieldsets: [{ name: 'x', fields: ['a'] }],
  keyPrefix: 'app:',
  showFriendlyErrorStack: true,
};

const NODES = [{ host: 'a', port: 1 }];
const rulesOf = (rules: Readonly<Record<string, Rule>>): [string, Rule][] => Object.entries(rules);

describe('the tables of options have every option of the installed ioredis', () => {
  test('of one connection', () => {
    expect(SINGLE.length).toBeGreaterThan(50);
    expect(SINGLE.filter((name) => !Object.hasOwn(REDIS_RULES, name))).toEqual([]);
  });

  test('docs/connections.md lists all of them', () => {
    const page = readFileSync(new URL('../../docs/connections.md', import.meta.url), 'utf8');
    const all = [...Object.keys(REDIS_RULES), ...Object.keys(CLUSTER_RULES)];
    expect(all.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  test('of a cluster', () => {
    expect(CLUSTER.length).toBeGreaterThan(20);
    expect(CLUSTER.filter((name) => !Object.hasOwn(CLUSTER_RULES, name))).toEqual([]);
  });
});

describe('an option of one connection', () => {
  const connectionOf = (key: string): Connection => ({
    ...(key === 'sentinels' && { name: 'm' }),
    [key]: VALUES[key as keyof typeof VALUES],
  });

  test.each(rulesOf(REDIS_RULES).filter(([, { kind }]) => kind === 'works'))('%s reaches ioredis', (key) => {
    const read = readConnection(connectionOf(key));
    expect(read).toMatchObject({ kind: 'single', options: { [key]: VALUES[key as keyof typeof VALUES] } });
  });

  test.each(
    rulesOf(REDIS_RULES).flatMap(([key, rule]) => (rule.kind === 'overridden' ? [[key, rule] as const] : [])),
  )('%s is overridden, for a reason', (key, rule) => {
    expect(rule.why).toMatch(/\w+ \w+/);
    const blocking = createClient(connectionOf(key), 'blocking');
    const commands = createClient(connectionOf(key), 'commands');
    const at = (client: typeof blocking): unknown => (client.options as Record<string, unknown>)[key];
    // ioredis has a default of its own where there is no value.
    const none = new Redis({ lazyConnect: true }).options as Record<string, unknown>;
    const expected = rule.value === undefined ? none[key] : rule.value;
    expect(at(blocking)).toEqual(expected);
    if (rule.on === 'all') expect(at(commands)).toEqual(expected);
    else expect(at(commands)).toEqual(VALUES[key as keyof typeof VALUES]);
  });

  test.each(
    rulesOf(REDIS_RULES).flatMap(([key, rule]) => (rule.kind === 'refused' ? [[key, rule] as const] : [])),
  )('%s is refused, as is a client that has it', (key, rule) => {
    expect(connectionCheck(connectionOf(key))).toBe(`has "${key}": ${rule.why}`);
    const client = new Redis({ ...(connectionOf(key) as object), lazyConnect: true });
    expect(connectionCheck(client)).toBe(`has "${key}": ${rule.why}`);
    const cluster = new Cluster(NODES, {
      lazyConnect: true,
      redisOptions: connectionOf(key) as object,
    });
    expect(connectionCheck(cluster)).toContain(`has "${key}"`);
  });

  test.each([
    [{ readOnly: false, role: 'master', keyPrefix: '', monitor: false }],
    [{ password: undefined, username: null, tls: false, retryStrategy: null, maxRetriesPerRequest: null }],
    [{ port: '6379', db: '2', family: '4' }],
    // Something says where Redis is, or nothing does: then it is on localhost, as in ioredis.
    [{}],
    [{ port: 6380 }],
    [
      {
        host: 'h',
        port: undefined,
        path: undefined,
        url: undefined,
        cluster: undefined,
        sentinels: undefined,
      },
    ],
    [{ url: 'redis://h', host: undefined, port: undefined }],
    [{ path: '/tmp/redis.sock', host: undefined }],
    [{ sentinels: [{ host: 'h' }], name: 'm', host: undefined }],
    [{ cluster: NODES, host: undefined, url: undefined }],
    ['redis://host:1?family=6&enableReadyCheck=false&connectionName=mine&connectTimeout=100'],
  ])('%o is accepted', (connection) => {
    expect(connectionCheck(connection)).toBeUndefined();
  });

  test('inherited options of a cluster count like any other', () => {
    const clusterOptions = Object.create({ keyPrefix: 'app:' }) as object;
    expect(connectionCheck({ cluster: [{ host: 'h', port: 1 }], clusterOptions })).toContain('keyPrefix');
  });

  test('an unknown option is refused with the nearest name', () => {
    expect(connectionCheck({ pasword: 'hunter2' })).toBe(
      'has no option "pasword" (did you mean "password"?)',
    );
  });

  test('options of the object override those of its URL', () => {
    const read = readConnection({ url: 'rediss://me:pw@one:1/2?family=4', host: 'two', password: 'other' });
    expect(read).toEqual({
      kind: 'single',
      options: { host: 'two', port: 1, username: 'me', password: 'other', db: 2, tls: {}, family: 4 },
    });
  });
});

describe('an option of a cluster', () => {
  const connectionOf = (key: string): Connection => ({
    cluster: NODES,
    clusterOptions: { [key]: CLUSTER_VALUES[key as keyof typeof CLUSTER_VALUES] },
  });

  test.each(rulesOf(CLUSTER_RULES).filter(([, { kind }]) => kind === 'works'))(
    '%s reaches ioredis',
    (key) => {
      const value = CLUSTER_VALUES[key as keyof typeof CLUSTER_VALUES];
      expect(readConnection(connectionOf(key))).toMatchObject({ kind: 'cluster', options: { [key]: value } });
    },
  );

  test.each(
    rulesOf(CLUSTER_RULES).flatMap(([key, rule]) =>
      rule.kind === 'overridden' ? [[key, rule] as const] : [],
    ),
  )('%s is overridden, for a reason', (key, rule) => {
    expect(rule.why).toMatch(/\w+ \w+/);
    const client = createClient(connectionOf(key), 'blocking');
    expect((client.options as Record<string, unknown>)[key]).toEqual(rule.value);
  });

  test.each(rulesOf(CLUSTER_RULES).filter(([, { kind }]) => kind === 'refused'))(
    '%s is refused, as is a client that has it',
    (key) => {
      expect(connectionCheck(connectionOf(key))).toContain(`has "${key}"`);
      const options = (connectionOf(key) as { clusterOptions: object }).clusterOptions;
      expect(connectionCheck(new Cluster(NODES, { ...options, lazyConnect: true }))).toContain(
        `has "${key}"`,
      );
    },
  );

  test.each<[string, object]>([
    ['keyPrefix of its nodes', { cluster: NODES, keyPrefix: 'app:' }],
    ['keyPrefix of its nodes', { cluster: NODES, clusterOptions: { redisOptions: { keyPrefix: 'app:' } } }],
    ['another database', { cluster: NODES, db: 1 }],
    ['another database', { cluster: NODES, clusterOptions: { redisOptions: { db: 1 } } }],
    ['a second place', { cluster: NODES, url: 'redis://host' }],
    ['a second place', { cluster: NODES, path: '/tmp/redis.sock' }],
    ['no nodes', { cluster: [] }],
    ['a node that is none', { cluster: [undefined] }],
    ['a node that is none', { cluster: [''] }],
    ['options of a cluster alone', { clusterOptions: {} }],
  ])('refused: %s', (_, connection) => {
    expect(connectionCheck(connection)).toEqual(expect.any(String));
  });

  test('a client with another database is refused', () => {
    const client = new Cluster(NODES, { lazyConnect: true, redisOptions: { db: 2 } });
    expect(connectionCheck(client)).toMatch(/"db" other than 0/);
  });
});

test.each<[string, Redis | Cluster, boolean]>([
  ['as it comes', new Redis({ lazyConnect: true }), true],
  ['with pipelines of its own', new Redis({ lazyConnect: true, enableAutoPipelining: true }), true],
  ['whose numbers are text', new Redis({ lazyConnect: true, stringNumbers: true }), false],
  ['that reads from replicas', new Cluster(NODES, { lazyConnect: true, scaleReads: 'slave' }), false],
  [
    'whose nodes answer with text',
    new Cluster(NODES, { lazyConnect: true, redisOptions: { stringNumbers: true } }),
    false,
  ],
])('a client %s is used for commands, or a duplicate of it is', (_, client, serves) => {
  expect(servesCommands(client)).toBe(serves);
  for (const purpose of ['commands', 'blocking'] as const) {
    const duplicate = createClient(client, purpose);
    expect(servesCommands(duplicate)).toBe(true);
  }
});

describe('a URL', () => {
  test.each<[string, object]>([
    ['redis://h', { host: 'h' }],
    ['valkey://h:1', { host: 'h', port: 1 }],
    ['REDIS://h', { host: 'h' }],
    ['rediss://h', { host: 'h', tls: {} }],
    ['REDISS://h', { host: 'h', tls: {} }],
    ['valkeys://h', { host: 'h', tls: {} }],
    [
      'redis://me:p%40ss%2Fw%23rd@h:1/7',
      { host: 'h', port: 1, username: 'me', password: 'p@ss/w#rd', db: 7 },
    ],
    ['redis://:p@ss@h', { host: 'h', password: 'p@ss' }],
    ['redis://[::1]:1/', { host: '::1', port: 1 }],
  ])('%s', (url, options) => {
    expect(readConnection(url)).toEqual({ kind: 'single', options });
    expect(readConnection({ url })).toEqual({ kind: 'single', options });
  });

  test.each<[unknown, RegExp]>([
    ['', /is empty/],
    [' \n', /is empty/],
    ['http://u:s3cret@h', /begins with http:/],
    [' redis://:s3cret@h', /blank or a line break: trim/],
    ['redis://:s3cret@h\n', /line break.*trim/],
    ['redis://:s3 cret@h', /blank.*encodeURIComponent/],
    ['"redis://:s3cret@h"', /quot/],
    ["'redis://:s3cret@h'", /quot/],
    ['valkeyx://:s3cret@h', /another protocol/],
    ['s3cret://h', /another protocol/],
    ['s3cret', /does not begin with redis:\/\//],
    [':s3cret@h:6379', /does not begin with redis:\/\//],
    ['localhost:6379', /does not begin with redis:\/\//],
    ['/tmp/s3cret.sock', /\{ path:/],
    ['unix:///tmp/s3cret.sock', /\{ path:/],
    ['redis:///tmp/s3cret.sock', /\{ path:/],
    ['redis://:p@ss/s3cret#rd@host', /encodeURIComponent/],
    ['redis://:s3cret?@host', /encodeURIComponent/],
    ['redis://:s3cret#@host', /encodeURIComponent/],
    ['redis://:s3cret%zz@host', /"%".*encodeURIComponent/],
    ['redis://:s3cret@h:port', /cannot be read/],
    ['redis://:s3cret@h:99999', /cannot be read/],
    ['redis://:s3cret@[::1', /cannot be read/],
    ['redis://', /with a host/],
    ['redis://:s3cret@', /with a host|cannot be read/],
    ['redis://undefined:6379', /"undefined".*set/],
    ['redis://:s3cret@h/abc', /database/],
    ['redis://:s3cret@h/-1', /database/],
    ['redis://:s3cret@h/1.5', /database/],
    ['redis://h?keyPrefix=s3cret', /keyPrefix/],
    ['redis://h?pasword=s3cret', /did you mean "password"/],
    ['redis://h?port=s3cret', /"port"/],
    [{ url: '' }, /is empty/],
    [{ url: undefined }, /"url" that is undefined/],
    [{ url: null }, /"url" that is null/],
    [{ host: undefined }, /"host" that is undefined.*environment variable/],
    [{ host: null }, /"host" that is null/],
    [{ host: undefined, port: 6379, password: 's3cret' }, /"host" that is undefined/],
    [{ port: undefined }, /"port" that is undefined/],
    [{ path: undefined }, /"path" that is undefined/],
    [{ sentinels: undefined, name: 'mymaster' }, /"sentinels" that is undefined/],
    [{ cluster: undefined, password: 's3cret' }, /"cluster" that is undefined/],
    [{ cluster: [{ host: undefined, port: 1 }] }, /a node of "cluster" without a "host"/],
    [{ sentinels: [{ host: undefined, port: 1 }], name: 'm' }, /"sentinels" that must name the host/],
    [{ url: 5 }, /must be a string/],
    [{ host: '' }, /"host"/],
    [{ host: 'redis://:s3cret@h' }, /"host".*"url"/],
    [{ host: 'undefined' }, /"host".*not set/],
    [{ db: 's3cret' }, /"db"/],
    [{ db: -1 }, /"db"/],
    [{ port: 's3cret' }, /"port"/],
    [{ password: ['s3cret'] }, /"password" that must be a string/],
    [{ cluster: ['redis://:s3cret@h/abc'] }, /database/],
    [{ sentinels: [{ host: 's3cret' }] }, /without the "name"/],
    [5, /URL, an options object or an ioredis client/],
    [[], /URL, an options object or an ioredis client/],
  ])('%# is refused, and the message does not show it', (connection, says) => {
    const wrong = connectionCheck(connection);
    expect(wrong).toMatch(says);
    expect(wrong).not.toMatch(/s3cret/);
  });
});

describe('an options object that is not plain', () => {
  class Settings {
    readonly #at = { host: 'redis.internal', port: 6380 };

    get host(): string {
      return this.#at.host;
    }
    get port(): number {
      return this.#at.port;
    }
  }

  test.each<[string, object]>([
    ['accessors of a class', new Settings()],
    ['inherited values', Object.create({ host: 'redis.internal', port: 6380 }) as object],
    ['accessors of a class that extends it', new (class extends Settings {})()],
  ])('is read with %s', (_, connection) => {
    expect(readConnection(connection)).toEqual({
      kind: 'single',
      options: { host: 'redis.internal', port: 6380 },
    });
  });

  test('works for the nodes of a cluster and its options too', () => {
    expect(readConnection(Object.create({ cluster: [new Settings()] }) as object)).toMatchObject({
      kind: 'cluster',
      nodes: [{ host: 'redis.internal', port: 6380 }],
    });
  });

  test.each<[object, RegExp]>([
    [new URL('redis://:s3cret@redis.internal'), /URL object: pass its text/],
    [Promise.resolve({ host: 's3cret' }), /not a Promise/],
    [new Map([['host', 's3cret']]), /not a Map/],
    [Object.create({ port: 's3cret' }) as object, /"port"/],
  ])('without usable options is refused: %#', (connection, says) => {
    const wrong = connectionCheck(connection);
    expect(wrong).toMatch(says);
    expect(wrong).not.toMatch(/s3cret/);
  });
});

test('a host that contains a port is refused', () => {
  for (const host of ['127.0.0.1:6379', 'redis:6379']) {
    expect(() => readConnection({ host })).toThrow('pass its port as "port"');
  }
  for (const host of ['::1', 'fe80::1', 'redis']) expect(() => readConnection({ host })).not.toThrow();
});
