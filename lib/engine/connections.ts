import { createClient, addressOf, discard, isClient, isCluster } from '../redis/client.js';
import type { Client } from '../redis/client.js';
import { settlesWithin, withDeadline } from '../redis/deadline.js';
import { fieldsOf } from '../redis/replies.js';
import type { QueueKeys } from '../redis/keys.js';
import { runScript, scriptCall } from '../redis/scripts.js';
import type { ScriptCall } from '../redis/script-command.js';
import type { RunOptions, ScriptArgument, ScriptName } from '../redis/scripts.js';
import { ChasquiError, ConfigError, ConnectionError, ShutdownError, messageOf } from './errors.js';
import type { Connection } from './options.js';

export const CONNECT_TIMEOUT_MS = 10_000;
export const COMMAND_TIMEOUT_MS = 10_000;

/** How soon a connection in doubt must answer. */
const DOUBT_MS = 500;

/** The oldest servers that have every command we use. */
const OLDEST = { redis: [6, 2], valkey: [7, 2] } as const;

interface Shared {
  readonly client: Client;
  /** False for a client of the user's own: it is never closed by us. */
  readonly own: boolean;
  users: number;
  verified: Promise<void> | undefined;
  /** The server has been reached and its version checked. */
  ready: boolean;
  lastError: Error | undefined;
  pinging: Promise<number> | undefined;
  /** Monotonic ms. */
  recycledAt: number;
}

/** Shortest time between two connections given up because they do not answer. */
const RECYCLE_PAUSE_MS = 1_000;

/** One command connection per options object; an entry lives for as long as somebody uses it. */
const shared = new WeakMap<object, Shared>();

function acquire(connection: Connection): Shared {
  const key = typeof connection === 'object' ? connection : undefined;
  let entry = key && shared.get(key);
  if (!entry) {
    const own = !isClient(connection);
    const client = own ? createClient(connection) : connection;
    entry = {
      client,
      own,
      users: 0,
      verified: undefined,
      ready: false,
      lastError: undefined,
      pinging: undefined,
      recycledAt: -Infinity,
    };
    const created = entry;
    client.on('error', (error: Error) => {
      created.lastError = error;
    });
    if (key) shared.set(key, entry);
  }
  entry.users += 1;
  return entry;
}

function checkPrefix(client: Client): void {
  const prefix = isCluster(client) ? client.options.redisOptions?.keyPrefix : client.options.keyPrefix;
  if (prefix) {
    throw new ConfigError(
      `connection.keyPrefix is "${prefix}": keys of a queue always begin with {chasqui:<queue>}, and scripts name some of them by themselves. ` +
        'Use a client without keyPrefix.',
    );
  }
}

/** The state of a connection, for people to read: no user names, no passwords. */
export interface ConnectionInfo {
  /** Host and port. */
  address: string;
  /** In the words of ioredis: `ready`, `connecting`, `reconnecting`, … */
  status: string;
  /** What went wrong last, while the connection is not `ready`. */
  lastError: string | undefined;
}

export interface LinkOptions {
  connectTimeoutMs?: number | undefined;
  commandTimeoutMs?: number | undefined;
}

/**
 * A queue's or a worker's hold on the shared command connection: runs scripts and commands with a deadline, and turns
 * what goes wrong into a {@link ConnectionError} that names the address.
 */
export class CommandLink {
  readonly client: Client;
  readonly #shared: Shared;
  readonly #connection: Connection;
  readonly #connectTimeoutMs: number;
  readonly #commandTimeoutMs: number;
  #released = false;

  constructor(connection: Connection, options: LinkOptions = {}) {
    this.#connection = connection;
    this.#shared = acquire(connection);
    this.client = this.#shared.client;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#commandTimeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    try {
      checkPrefix(this.client);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Where the connection leads, for messages. */
  get address(): string {
    return addressOf(this.client);
  }

  get info(): ConnectionInfo {
    const { status } = this.client;
    const { lastError } = this.#shared;
    const isReady = status === 'ready';
    return {
      address: this.address,
      status,
      lastError: isReady || !lastError ? undefined : describe(lastError),
    };
  }

  /** True once the server was reached and found new enough. */
  get isReady(): boolean {
    return this.#shared.ready;
  }

  /**
   * Resolves when the server answers and is new enough.
   * @throws ConnectionError (CMQ-001) after `connectTimeoutMs`, or at once when the password is wrong.
   * @throws ConfigError (CMQ-004) when the server is too old.
   */
  ready(): Promise<void> {
    if (this.#shared.ready) return Promise.resolve();
    const entry = this.#shared;
    entry.verified ??= this.#verify().then(
      () => {
        entry.ready = true;
      },
      (error: unknown) => {
        entry.verified = undefined;
        throw error;
      },
    );
    return entry.verified;
  }

  async #verify(): Promise<void> {
    await connect(this.client, this.#connectTimeoutMs, () => this.#shared.lastError);
    checkVersion(fieldsOf(await this.call('HELLO', [])), this.address);
  }

  /** A script of lua/ on the keys of one queue. */
  run(
    name: ScriptName,
    keys: QueueKeys,
    args: readonly ScriptArgument[],
    options?: RunOptions,
  ): Promise<unknown> {
    // A cluster's node answers a call that it cannot take by sending the client elsewhere, with the same call.
    const once = options?.once === true && !isCluster(this.client);
    const call = scriptCall(args, options && { ...options, once });
    return this.#bounded(name, runScript(this.client, name, keys, call, options), call);
  }

  /** Any command; replies with bulk strings as UTF-8. */
  call(command: string, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#bounded(command, this.client.call(command, args as (string | number | Buffer)[]));
  }

  /** Any command; replies with bulk strings as Buffers. */
  callBuffer(command: string, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#bounded(command, this.client.callBuffer(command, args as (string | number | Buffer)[]));
  }

  /** One round trip, in ms. Never more than one PING of ours is under way on a connection. */
  ping(): Promise<number> {
    const entry = this.#shared;
    const begun = performance.now();
    entry.pinging ??= this.call('PING', [])
      .then(() => performance.now() - begun)
      .finally(() => {
        entry.pinging = undefined;
      });
    return entry.pinging;
  }

  /**
   * Another connection to the server has gone silent: unless this one answers soon, it is connected anew too, instead of
   * when the first of its calls has waited for its whole deadline.
   */
  doubt(): void {
    if (this.client.status !== 'ready') return;
    void settlesWithin(this.client.ping(), DOUBT_MS).then((answered) => {
      if (!answered && !this.#released) this.#recycle();
    });
  }

  /** @param call is not sent any more once the deadline is over */
  #bounded(what: string, reply: Promise<unknown>, call?: ScriptCall): Promise<unknown> {
    return withDeadline(
      reply,
      this.#commandTimeoutMs,
      () => {
        call?.drop();
        this.#recycle();
        return new ConnectionError(
          `Redis at ${this.address} did not answer ${what} within ${String(this.#commandTimeoutMs)} ms; it may or may not have been carried out.` +
            (this.#shared.lastError ? ` Last error: ${messageOf(this.#shared.lastError)}` : ''),
          { unknownOutcome: true, cause: this.#shared.lastError },
        );
      },
      (error) => toConnectionError(error, this.client, this.#released),
    );
  }

  /**
   * A socket that swallows commands may be dead without knowing, also one that is still shaking hands: connect anew. But
   * not for each of the calls that failed with it.
   */
  #recycle(): void {
    const { status } = this.client;
    if (!this.#shared.own || isCluster(this.client) || (status !== 'ready' && status !== 'connect')) return;
    const now = performance.now();
    if (now - this.#shared.recycledAt < RECYCLE_PAUSE_MS) return;
    this.#shared.recycledAt = now;
    this.client.disconnect(true);
  }

  /** A connection of its own for blocking reads, to the same server with the same options; not yet connecting. */
  openBlocking(): Client {
    const client = createClient(this.#connection);
    client.on('error', () => {
      // Every blocking read reports its own failure; without a listener the event would end the process.
    });
    return client;
  }

  /** Gives the hold up; the last one closes the connection, unless it is the user's own. Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#shared.users -= 1;
    if (this.#shared.users > 0) return;
    if (typeof this.#connection === 'object') shared.delete(this.#connection);
    if (this.#shared.own) discard(this.client);
  }
}

/** Connects a client (if it is not connecting already) and resolves when it is ready to take commands. */
export async function connect(
  client: Client,
  timeoutMs: number,
  lastError: () => Error | undefined,
): Promise<void> {
  if (client.status === 'ready') return;
  let stop = (): void => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void => {
      if (isRefusal(error)) reject(toConnectionError(error, client, false));
    };
    const onEnd = (): void => {
      reject(toConnectionError(lastError() ?? new Error('Connection is closed.'), client, false));
    };
    const onReady = (): void => {
      resolve();
    };
    client.on('ready', onReady).on('error', onError).on('end', onEnd);
    stop = () => {
      client.off('ready', onReady).off('error', onError).off('end', onEnd);
    };
    if (client.status === 'wait' || client.status === 'end') {
      // A first failure is not the last: the client goes on trying until the deadline.
      client.connect().catch((error: unknown) => {
        if (error instanceof Error) onError(error);
      });
    }
  });
  try {
    await withDeadline(ready, timeoutMs, () => {
      const cause = lastError();
      return new ConnectionError(
        `Redis at ${addressOf(client)} could not be reached within ${String(timeoutMs)} ms` +
          `${cause ? ` (${describe(cause)})` : ''}. Check that it runs, that host and port are right, and that nothing blocks the way.`,
        { cause },
      );
    });
  } finally {
    stop();
  }
}

/** Errors that trying again does not mend. */
function isRefusal(error: Error): boolean {
  return /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password|ERR Client sent AUTH)/.test(error.message);
}

function describe(error: Error): string {
  const nested = (error as { lastNodeError?: Error }).lastNodeError;
  if (nested) return describe(nested);
  if (error.message === '') return (error as NodeJS.ErrnoException).code ?? error.name;
  return error.message;
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^(WRONGPASS|ERR invalid password)/, 'Check username and password of the connection.'],
  [
    /^(NOAUTH|ERR AUTH|ERR Client sent AUTH)/,
    'Check whether this server wants a password, and give username and password if so.',
  ],
  [
    /^NOPERM|user executing the script can't run/,
    'The ACL user lacks a command or a key pattern; docs/operations.md lists what is needed.',
  ],
  [
    /^OOM/,
    'Redis is at its maxmemory limit: adds are refused while workers go on draining. Nothing was added.',
  ],
  [/^WRONGTYPE/, 'A key of this queue holds another type: something else writes to {chasqui:<queue>} keys.'],
  [
    /exhausted the last possible ID|equal or smaller than the target stream top item/,
    'An entry with the greatest possible id was written to the stream by hand and blocks every later add; replay what is needed and delete the stream.',
  ],
];

/** Whatever ioredis or the server threw, as an error of ours. */
export function toConnectionError(error: unknown, client: Client, released: boolean): Error {
  if (error instanceof ChasquiError) return error;
  const message = error instanceof Error ? describe(error) : String(error);
  if (released)
    return new ShutdownError('The connection was closed while a call was under way.', { cause: error });
  const isReply = error instanceof Error && error.name === 'ReplyError';
  const hint = HINTS.find(([pattern]) => pattern.test(message))?.[1];
  return new ConnectionError(`Redis at ${addressOf(client)}: ${message}${hint ? ` — ${hint}` : ''}`, {
    cause: error,
    unknownOutcome: !isReply,
  });
}

function checkVersion(hello: Map<string, unknown>, address: string): void {
  const server = hello.get('server') === 'valkey' ? 'valkey' : 'redis';
  const reported = hello.get('version');
  const version = typeof reported === 'string' ? reported : '0.0.0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST[server];
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new ConfigError(
    `The server at ${address} is ${server} ${version}; this package needs Redis ${OLDEST.redis.join('.')} or Valkey ${OLDEST.valkey.join('.')} at least. Upgrade the server.`,
  );
}
