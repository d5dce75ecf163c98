import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { withAdmin } from './server/admin.js';
import { RedisServer, type RedisServerOptions } from './server/redis-server.js';

const CLOSING_MS = 1_000;
const POLL_MS = 10;

/**
 * A private Redis for a test suite, with any test runner: started once, flushed between tests, stopped after the last.
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
   * @throws Error where there is no redis-server or valkey-server in PATH, with the command that installs one
   */
  async start(): Promise<this> {
    this.#starting ??= RedisServer.start(this.#options);
    this.#server = await this.#starting;
    return this;
  }

  /** The server process, to pause, kill and restart it. */
  get server(): RedisServer {
    if (!this.#server) throw new Error('TestRedis: await start() first, in beforeAll say.');
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

  /** Deletes everything. A server that a test has paused goes on, one that it has killed comes back. */
  async flush(): Promise<void> {
    const { server } = this;
    server.resume();
    if (!server.running) await server.restart();
    await this.#use((client) => client.flushall());
  }

  /**
   * Waits up to a second until nobody is connected any more: after `app.close()`, nothing of the app should be.
   * @throws Error with the connections that are left, as CLIENT LIST tells them
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
        throw new Error(`${left.length} connection(s) to Redis are open still:\n  ${left.join('\n  ')}`);
      }
    });
  }

  /** Ends the server, whose folder goes with it. */
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
