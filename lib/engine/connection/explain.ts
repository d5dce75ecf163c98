import { addressOf, isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ChasquiError, ConnectionError, ShutdownError, messageOf } from '../base/errors.js';
import { redact } from './redact.js';

/** What to do about an error, by the message of ioredis, the server or the operating system. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^(WRONGPASS|ERR invalid password)/, 'Check username and password of the connection.'],
  [
    /^(NOAUTH|ERR AUTH|ERR Client sent AUTH|ERR wrong number of arguments for 'auth')/,
    'Check whether this server requires a password. If it does, set username and password of the connection.',
  ],
  [
    // Errors of a script: Redis 7.0 has the first text, later servers have the second.
    /^NOPERM|user executing the script can't|ACL failure in script/,
    'The ACL user lacks a command or a key pattern; docs/operations.md lists what is needed.',
  ],
  [
    /^OOM/,
    'Redis is at its maxmemory limit. It refuses adds, and workers continue to drain the queue. Nothing was added.',
  ],
  [
    /^MISCONF/,
    'The server cannot save its data, and refuses every write until it can. Check its disk and its log.',
  ],
  [
    /^NOREPLICAS/,
    'The server has fewer replicas than its min-replicas-to-write, and refuses every write. Check its replicas.',
  ],
  [
    /^CLUSTERDOWN/,
    'The cluster is down, or no master serves the slot. Check CLUSTER INFO, and which masters are reachable.',
  ],
  [
    /exhausted the last possible ID|equal or smaller than the target stream top item/,
    'An entry with the greatest possible id was written to the stream by hand and blocks every later add. Replay what you need, then delete the stream.',
  ],
  [
    /^READONLY/,
    'This server is a replica. Connect to its master, or use "sentinels", which find the current master.',
  ],
  [
    /^MASTERDOWN/,
    'This server is a replica that has lost its master. Connect to the master, and find out why it is down.',
  ],
  [/^LOADING/, 'Redis is loading its data from disk. Wait until it has finished.'],
  [/^BUSY /, 'A script blocks Redis. Find it with SLOWLOG, or end it with SCRIPT KILL.'],
  [
    /^DENIED/,
    'Redis is in protected mode and accepts connections from its own host only. Set a password (requirepass) or ACL users, then set protected-mode no.',
  ],
  [
    /max number of clients reached/,
    'Redis has as many connections as maxclients allows. Close some (pass the same connection object to all queues and workers), or raise maxclients.',
  ],
  [
    /DB index is out of range|invalid DB index|SELECT is not allowed/i,
    'The server does not have this database. Set another "db". The server setting "databases" is their number; a cluster has only database 0.',
  ],
  [
    /unknown command.*info/i,
    'INFO is renamed or forbidden on this server, and ioredis uses it to check whether the data is loaded. Set enableReadyCheck: false in the connection.',
  ],
  [
    /unknown command/i,
    'The command is renamed or forbidden on this server, or the server is too old. This package needs Redis 6.2 or Valkey 7.2, or later, with the commands that docs/operations.md lists.',
  ],
  [
    /subscriber mode/,
    'Your client has subscribed to channels. Pass a client without subscriptions, such as client.duplicate().',
  ],
  [
    /enableOfflineQueue/,
    'The connection is down. Calls do not wait for it, because enableOfflineQueue is false.',
  ],
  [
    /max retries per request|maxRetriesPerRequest/i,
    'The connection is down, and the call has used all of its maxRetriesPerRequest.',
  ],
  [
    /wrong version number|packet length too long|EPROTO|record layer|does not answer the TLS handshake/i,
    'The port does not speak TLS. Use redis:// instead of rediss:// (no "tls" in the options), or set the TLS port.',
  ],
  [
    /Unknown RESP type|Protocol error, got|unexpected (type|byte|token)/i,
    'The server is not Redis, or requires TLS. Use rediss:// (or tls: {}), or check host and port.',
  ],
  [
    /self[- ]signed certificate|unable to (get|verify)|certificate has expired|altnames|CERT_/i,
    'The certificate of the server is not trusted. Pass its authority as tls: { ca }, and use a host name that it covers.',
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    'The host name cannot be resolved. Check its spelling, and the DNS of this machine or container.',
  ],
  [/ECONNREFUSED/, 'Nothing listens there. Check that Redis runs, and that host and port are right.'],
  [/ENOENT/, 'There is no such Unix socket. Check the path, and the setting "unixsocket" of the server.'],
  [
    /ECONNRESET|EPIPE/,
    'The server closed the connection. Use rediss:// (or tls: {}) if it requires TLS, and read its log.',
  ],
  [
    /All sentinels are unreachable/,
    'No sentinel knows the master. Check the addresses of the sentinels, and the name of the master that they watch.',
  ],
  [/EACCES|EPERM/, 'This process may not use that Unix socket or port. Check its permissions.'],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    'Nothing answers there. Check host and port, and the firewalls and security groups between.',
  ],
];

export function hintFor(message: string): string | undefined {
  return HINTS.find(([pattern]) => pattern.test(message))?.[1];
}

/**
 * What to do about `WRONGTYPE`, before which Redis 6.2 has more text in an error of a script. Redis names neither the key nor the
 * queue, but the keys of the command are known.
 */
function wrongTypeHint(error: unknown): string {
  const { command } = error as { command?: { name?: unknown; args?: unknown } };
  const args: readonly unknown[] = Array.isArray(command?.args) ? command.args : [];
  const keys = args.filter((arg) => typeof arg === 'string' && arg.startsWith('{chasqui:'));
  const [, queue = '<queue>'] = /^\{chasqui:([^{}]*)\}/.exec(String(keys[0])) ?? [];
  // A script has many keys.
  const isKnown = keys.length === 1 && !/^eval/i.test(String(command?.name));
  const key = isKnown ? `The key ${String(keys[0])}` : 'A key';
  const which = isKnown ? 'R' : '"chasqui doctor" says which one it is: r';
  return `${key} of queue "${queue}" has another type: another program writes to {chasqui:${queue}} keys. ${which}ename or delete it.`;
}

/** Whether another attempt cannot help. */
export function isRefusal(error: Error): boolean {
  return (
    isSelectError(error) ||
    /^(WRONGPASS|NOAUTH|NOPERM|DENIED|ERR AUTH|ERR invalid password|ERR Client sent AUTH)/.test(
      error.message,
    ) ||
    /unknown command|wrong version number|Unknown RESP type|certificate|altnames/i.test(error.message)
  );
}

/** Whether SELECT failed. */
export function isSelectError(error: Error): boolean {
  const { command } = error as { command?: { name?: unknown } };
  return String(command?.name).toLowerCase() === 'select';
}

/** The text of an error, without secrets. */
export function describe(error: Error, client: Client): string {
  const nested = (error as { lastNodeError?: Error }).lastNodeError;
  if (nested) return describe(nested, client);
  const { code } = error as NodeJS.ErrnoException;
  // If Node tried several addresses, the error has no message, but an error for each address.
  const [first] = (error as { errors?: Error[] }).errors ?? [];
  if (error.message === '') return first instanceof Error ? describe(first, client) : (code ?? error.name);
  return redact(error.message, client);
}

/** A copy of an error without its other fields: the arguments of AUTH contain a password. */
export function withoutSecrets(error: unknown, client: Client): unknown {
  if (error instanceof ChasquiError || error === undefined) return error;
  if (!(error instanceof Error)) return redact(messageOf(error), client);
  const clean = new Error(describe(error, client));
  Object.defineProperty(clean, 'name', { value: error.name, configurable: true, writable: true });
  // On demand: the text of a stack is slow to make, and thousands of calls may fail at once.
  Object.defineProperty(clean, 'stack', {
    get: () => redact(error.stack ?? '', client),
    configurable: true,
  });
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? clean : Object.assign(clean, { code });
}

/** `Redis at <address>: <what>. <hint>` */
export function explained(what: string, client: Client, hint = hintFor(what)): string {
  return `Redis at ${addressOf(client)}: ${what}${hint === undefined ? '' : ` — ${hint}`}`;
}

/** Converts any error of ioredis or the server to an error of this package. */
export function toConnectionError(error: unknown, client: Client, released: boolean): Error {
  if (error instanceof ChasquiError) return error;
  const cause = withoutSecrets(error, client);
  if (released) return new ShutdownError('The connection was closed during a call.', { cause });
  const isReply = error instanceof Error && error.name === 'ReplyError';
  let message = error instanceof Error ? describe(error, client) : redact(messageOf(error), client);
  if (message === 'Connection is closed.' && client.status === 'end') message = endedMessage(client);
  const hint = message.includes('WRONGTYPE') ? wrongTypeHint(error) : hintFor(message);
  return new ConnectionError(explained(message, client, hint), {
    cause,
    unknownOutcome: !isReply && !message.includes('enableOfflineQueue'),
  });
}

/** The message for a client that does not reconnect. */
export function endedMessage(client: Client): string {
  const strategy = isCluster(client) ? 'clusterRetryStrategy' : 'retryStrategy';
  return `The connection is closed and does not reconnect: its ${strategy} gave up, or the client was closed.`;
}
