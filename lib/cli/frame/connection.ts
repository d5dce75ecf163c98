import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { readUrl } from '../../engine/config/url.js';
import type { ConnectionOptions } from '../../engine/index.js';
import { usageError } from './errors.js';
import { DEFAULT_URL, PASSWORD, SENTINEL_PASSWORD } from './globals.js';
import type { GlobalOptions } from './globals.js';

const SENTINEL_URL = /^(redis|rediss|valkey|valkeys)\+sentinel:\/\//i;
const SENTINEL_PORT = 26379;

/**
 * The connection that the options and the environment ask for. No message shows a part of a URL that may be secret.
 * @param password what the user typed after `--ask-password`
 * @throws CliError (usage)
 */
export function connectionOf(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  password?: string,
): ConnectionOptions {
  const given = nonBlank(options.redisUrl) ?? nonBlank(env['REDIS_URL']);
  const isSentinelUrl = given !== undefined && SENTINEL_URL.test(given);
  const urls = given === undefined || isSentinelUrl ? [] : splitUrl(given);
  const common = { ...credentials(options, env, password), ...tlsOf(options) };
  if (isSentinelUrl || options.sentinel !== undefined) {
    if (options.cluster) throw usageError('--cluster and a sentinel exclude each other.');
    return sentinelOf(options, env, isSentinelUrl ? given : undefined, urls[0], common);
  }
  if (options.sentinelName !== undefined) throw usageError('--sentinel-name needs at least one --sentinel.');
  if (options.cluster) {
    // The credentials and TLS of the first URL are those of all nodes.
    const nodes = (urls.length > 0 ? urls : [DEFAULT_URL]).map((url) => optionsOf(url));
    const { host: _host, port: _port, db: _db, ...rest } = nodes[0] ?? {};
    return {
      ...rest,
      ...common,
      cluster: nodes.map(({ host = '127.0.0.1', port = 6379 }) => ({ host, port })),
    };
  }
  if (urls.length > 1) throw usageError('--redis-url has several hosts: add --cluster, or give one host.');
  return { ...optionsOf(urls[0] ?? DEFAULT_URL), ...common };
}

function nonBlank(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text;
}

/** `redis://user:password@a:7000,b:7001/0` has several hosts. */
function splitUrl(url: string): string[] {
  const match = /^([a-z]+:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/is.exec(url);
  if (!match) return [url];
  const [, before = '', hosts = '', after = ''] = match;
  return hosts.split(',').map((host) => `${before}${host}${after}`);
}

function optionsOf(url: string): ConnectionOptions {
  const read = readUrl(url);
  if ('problem' in read) throw usageError(`--redis-url (or CHASQUI_REDIS_URL, REDIS_URL) ${read.problem}.`);
  return { ...read.query, ...read.options };
}

function sentinelOf(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  sentinelUrl: string | undefined,
  url: string | undefined,
  common: ConnectionOptions,
): ConnectionOptions {
  const fromUrl = sentinelUrl === undefined ? undefined : readSentinelUrl(sentinelUrl);
  // The URL of a single server gives the database and the credentials of the master.
  const { host: _host, port: _port, ...ofMaster } = url === undefined ? {} : optionsOf(url);
  const name = options.sentinelName ?? fromUrl?.name;
  if (name === undefined || name === '') {
    throw usageError('The sentinels need --sentinel-name: the name of the master that they watch.');
  }
  const sentinelPassword = env[SENTINEL_PASSWORD];
  return {
    ...ofMaster,
    ...fromUrl?.rest,
    ...common,
    name,
    sentinels: options.sentinel?.map(addressOf) ?? fromUrl?.sentinels ?? [],
    ...(sentinelPassword && { sentinelPassword }),
  };
}

/** `redis+sentinel://user:password@host:26379,host2/name/0` */
function readSentinelUrl(url: string): {
  sentinels: { host: string; port: number }[];
  name: string | undefined;
  rest: ConnectionOptions;
} {
  const parts = /^([a-z]+)\+sentinel:\/\/((?:[^/?#]*@)?)([^/?#@]*)\/?([^/?#]*)(?:\/(\d+))?\/?$/i.exec(url);
  if (!parts) {
    throw usageError('The URL of sentinels must look like redis+sentinel://host:26379,host2:26379/name/0.');
  }
  const [, scheme = '', user = '', hosts = '', name = '', db] = parts;
  const { host: _host, port: _port, ...rest } = optionsOf(`${scheme}://${user}sentinel${db ? `/${db}` : ''}`);
  return {
    sentinels: hosts.split(',').map(addressOf),
    name: name === '' ? undefined : decodeURIComponent(name),
    rest,
  };
}

function addressOf(text: string): { host: string; port: number } {
  const match = /^(\[[^\]]+\]|[^:[\]\s@/]+)(?::(\d{1,5}))?$/.exec(text.trim());
  if (!match?.[1]) throw usageError('A sentinel must be given as host:port.');
  return {
    host: match[1].replace(/^\[|\]$/g, ''),
    port: match[2] === undefined ? SENTINEL_PORT : Number(match[2]),
  };
}

function credentials(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  typed: string | undefined,
): ConnectionOptions {
  const password = typed ?? env[PASSWORD];
  return {
    ...(options.username !== undefined && { username: options.username }),
    ...(password && { password }),
  };
}

function tlsOf(options: GlobalOptions): ConnectionOptions {
  const { tls, tlsCa, tlsCert, tlsKey, tlsInsecure } = options;
  if (!tls && !tlsInsecure && tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return {};
  const settings: TlsOptions = {
    ...(tlsCa !== undefined && { ca: fileOf('--tls-ca', tlsCa) }),
    ...(tlsCert !== undefined && { cert: fileOf('--tls-cert', tlsCert) }),
    ...(tlsKey !== undefined && { key: fileOf('--tls-key', tlsKey) }),
    ...(tlsInsecure && { rejectUnauthorized: false }),
  };
  return { tls: settings };
}

function fileOf(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw usageError(
      `${option}: the file "${path}" cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'}).`,
    );
  }
}
