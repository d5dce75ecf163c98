import { addressOf, isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ChasquiError, ConnectionError, ShutdownError, messageOf } from '../base/errors.js';
import { redact } from './redact.js';

/** By what ioredis, the server or the system says: what it means, and what to do. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^(WRONGPASS|ERR invalid password)/, 'Check username and password of the connection.'],
  [
    /^(NOAUTH|ERR AUTH|ERR Client sent AUTH|ERR wrong number of arguments for 'auth')/,
    'Check whether this server wants a password, and give username and password if so.',
  ],
  [
    // What a script runs into: Redis 7.0 says the first, later servers the second.
    /^NOPERM|user executing the script can't|ACL failure in script/,
    'The ACL user lacks a command or a key pattern; docs/operations.md lists what is needed.',
  ],
  [
    /^OOM/,
    'Redis is at its maxmemory limit: adds are refused while workers go on draining. Nothing was added.',
  ],
  [
    /^MISCONF/,
    'The server cannot save its data, and refuses every write until it can: check its disk and its log.',
  ],
  [
    /^NOREPLICAS/,
    'The server has fewer replicas than its min-replicas-to-write, and refuses every write: check its replicas.',
  ],
  [
    /^CLUSTERDOWN/,
    'The cluster is down or a slot of it is not served: check CLUSTER INFO, and which masters are reachable.',
  ],
  [/^WRONGTYPE/, 'A key of this queue holds another type: something else writes to {chasqui:<queue>} keys.'],
  [
    /exhausted the last possible ID|equal or smaller than the target stream top item/,
    'An entry with the greatest possible id was written to the stream by hand and blocks every later add; replay what is needed and delete the stream.',
  ],
  [
    /^READONLY/,
    'This server is a replica: connect to its master, or by "sentinels", which know the master at any time.',
  ],
  [
    /^MASTERDOWN/,
    'This server is a replica that has lost its master: connect to the master, and see why it is down.',
  ],
  [/^LOADING/, 'Redis is loading its data from disk; it can be used when that is done.'],
  [
    /^BUSY /,
    'A script keeps Redis busy: find the one that runs for so long (SLOWLOG), or end it with SCRIPT KILL.',
  ],
  [
    /^DENIED/,
    'Redis is in protected mode and takes connections of its own host only: give it a password (requirepass) or ACL users, then set protected-mode no.',
  ],
  [
    /max number of clients reached/,
    'Redis has as many connections as maxclients allows: close some (give all queues and workers the same connection object), or raise maxclients.',
  ],
  [
    /DB index is out of range|invalid DB index|SELECT is not allowed/i,
    'The server has no such database: give another "db" (the setting "databases" of the server says how many there are; a cluster has only 0).',
  ],
  [
    /unknown command.*info/i,
    'INFO is renamed or forbidden on this server, and ioredis asks with it whether the data is loaded: set enableReadyCheck: false in the connection.',
  ],
  [
    /unknown command/i,
    'The command is renamed or forbidden on this server, or the server is too old: this package needs Redis 6.2 or Valkey 7.2 at least, with the commands that docs/operations.md lists.',
  ],
  [
    /subscriber mode/,
    'The client that was passed in has subscribed to channels: pass in one that has not, such as client.duplicate().',
  ],
  [/enableOfflineQueue/, 'The connection is down, and enableOfflineQueue is false, so nothing waits for it.'],
  [
    /max retries per request|maxRetriesPerRequest/i,
    'The connection is down, and its maxRetriesPerRequest is used up.',
  ],
  [
    /wrong version number|packet length too long|EPROTO|record layer|TLS handshake is not answered/i,
    'The port does not speak TLS: use redis:// instead of rediss:// (no "tls" in the options), or give the TLS port.',
  ],
  [
    /Unknown RESP type|Protocol error, got|unexpected (type|byte|token)/i,
    'What answers there is no Redis, or wants TLS: use rediss:// (or tls: {}), or check host and port.',
  ],
  [
    /self[- ]signed certificate|unable to (get|verify)|certificate has expired|altnames|CERT_/i,
    'The certificate of the server is not trusted: give its authority as tls: { ca }, and a host name that it is for.',
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    'The host name cannot be resolved: check its spelling, and the DNS of this machine or container.',
  ],
  [
    /ECONNREFUSED/,
    'Nothing listens there: check that it runs, that host and port are right, and that nothing blocks the way.',
  ],
  [/ENOENT/, 'There is no such Unix socket: check the path, and that the server has it as "unixsocket".'],
  [
    /ECONNRESET|EPIPE/,
    'The server closed the connection: use rediss:// (or tls: {}) if it wants TLS, and look into its log.',
  ],
  [/EACCES|EPERM/, 'This process may not use that Unix socket or port: check its permissions.'],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    'Nothing answers there: check host and port, and firewalls or security groups on the way.',
  ],
];

export function hintFor(message: string): string | undefined {
  return HINTS.find(([pattern]) => pattern.test(message))?.[1];
}

/** Errors that trying again does not help. */
export function isRefusal(error: Error): boolean {
  return (
    isSelectError(error) ||
    /^(WRONGPASS|NOAUTH|NOPERM|DENIED|ERR AUTH|ERR invalid password|ERR Client sent AUTH)/.test(
      error.message,
    ) ||
    /unknown command|wrong version number|Unknown RESP type|certificate|altnames/i.test(error.message)
  );
}

/** The database that was asked for could not be selected. */
export function isSelectError(error: Error): boolean {
  const { command } = error as { command?: { name?: unknown } };
  return String(command?.name).toLowerCase() === 'select';
}

/** What went wrong, without secrets. */
export function describe(error: Error, client: Client): string {
  const nested = (error as { lastNodeError?: Error }).lastNodeError;
  if (nested) return describe(nested, client);
  const { code } = error as NodeJS.ErrnoException;
  // Of several addresses tried at once, Node tells the errors apart and has no message.
  const [first] = (error as { errors?: Error[] }).errors ?? [];
  if (error.message === '') return first instanceof Error ? describe(first, client) : (code ?? error.name);
  return redact(error.message, client);
}

/** The same error without what it carries beside its text: the arguments of AUTH are a password. */
export function withoutSecrets(error: unknown, client: Client): unknown {
  if (error instanceof ChasquiError || error === undefined) return error;
  if (!(error instanceof Error)) return redact(messageOf(error), client);
  const clean = new Error(describe(error, client));
  Object.defineProperty(clean, 'name', { value: error.name, configurable: true, writable: true });
  // On demand: making the text of a stack takes long, and thousands of calls may fail at once.
  Object.defineProperty(clean, 'stack', {
    get: () => redact(error.stack ?? '', client),
    configurable: true,
  });
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? clean : Object.assign(clean, { code });
}

/** `Redis at <address>: <what>. <hint>` */
export function explained(what: string, client: Client): string {
  const hint = hintFor(what);
  return `Redis at ${addressOf(client)}: ${what}${hint === undefined ? '' : ` — ${hint}`}`;
}

/** Whatever ioredis or the server threw, as an error of ours. */
export function toConnectionError(error: unknown, client: Client, released: boolean): Error {
  if (error instanceof ChasquiError) return error;
  const cause = withoutSecrets(error, client);
  if (released) return new ShutdownError('The connection was closed while a call was under way.', { cause });
  const isReply = error instanceof Error && error.name === 'ReplyError';
  let message = error instanceof Error ? describe(error, client) : redact(messageOf(error), client);
  if (message === 'Connection is closed.' && client.status === 'end') message = ended(client);
  return new ConnectionError(explained(message, client), {
    cause,
    unknownOutcome: !isReply && !message.includes('enableOfflineQueue'),
  });
}

/** Why a connection is not made again. */
export function ended(client: Client): string {
  const strategy = isCluster(client) ? 'clusterRetryStrategy' : 'retryStrategy';
  return `The connection is closed and not made again: its ${strategy} has given up, or somebody has closed it.`;
}
