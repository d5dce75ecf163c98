import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { withAdmin } from './server/admin.js';
import { RedisServer, type RedisServerOptions } from './server/redis-server.js';

const CLOSING_MS = 1_000;
const POLL_MS = 10;

/**
 * A private Redis for a test suite, with any test runner. Start it once, flush it between tests, and stop it at the end.
 *
 * @example
 * ```ts
 * const redis = new TestRedis();
 * beforeAll(() => redis.start());
 * beforeEach(() => redis.flush());
 * afterAll(() => redis.stop());
 * ```
 */
export class TestRedis implements AsyncDisposable {
  readonly #options: RedisServerOptions;
  #starting: Promise<RedisServer> | undefined;
  #server: RedisServer | undefined;

  constructor(options: RedisServerOptions = {}) {
    this.#options = options;
  }

  /**
   * Starts the server, if it has not been started yet.
   * @throws Error if there is no redis-server or valkey-server in PATH; the message has the command that installs one
   */
  async start(): Promise<this> {
    this.#starting ??= RedisServer.start(this.#options);
    this.#server = await this.#starting;
    return this;
  }

  /** The server process, to pause, kill and restart it. */
  get server(): RedisServer {
    if (!this.#server) throw new Error('TestRedis: await start() first, for example in beforeAll.');
    return this.#server;
  }

  get url(): string {
    return this.server.url;
  }

  /** For `ChasquiModule.forRoot({ connection })`, `new Queue(name, { connection })`, … A new object each time. */
  get connection(): { host: string; port: number; password?: string } {
    const { host, port } = this.server;
    const { password } = this.#options;
    return { host, port, ...(password === undefined ? {} : { password }) };
  }

  /** Deletes all data. It resumes a paused server and restarts a killed one. */
  async flush(): Promise<void> {
    const { server } = this;
    server.resume();
    if (!server.running) await server.restart();
    await this.#use((client) => client.flushall());
  }

  /**
   * Waits up to a second until no client is connected. Use it after `app.close()`, which must leave no connection open.
   * @throws Error with the connections that are left, as CLIENT LIST shows them
   */
  async expectNoConnections(): Promise<void> {
    await this.#use(async (client) => {
      const own = `id=${await client.client('ID')} `;
      const others = async (): Promise<string[]> =>
        String(await client.client('LIST'))
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith(own));
      const deadline = performance.now() + CLOSING_MS;
      let left = await others();
      while (left.length > 0 && performance.now() < deadline) {
        await delay(POLL_MS);
        left = await others();
      }
      if (left.length > 0) {
        throw new Error(`${left.length} connection(s) to Redis are still open:\n  ${left.join('\n  ')}`);
      }
    });
  }

  /** Stops the server and deletes its folder. */
  async stop(): Promise<void> {
    await this.#starting?.then((server) => server.stop());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #use<T>(use: (client: Redis) => Promise<T>): Promise<T> {
    return withAdmin({ port: this.server.port, password: this.#options.password }, use);
  }
}
