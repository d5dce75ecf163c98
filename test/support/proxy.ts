import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../../lib/testing/server/free-port.js';

const LISTEN_ATTEMPTS = 10;

export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

/**
 * A loopback TCP proxy that misbehaves on request. All of it works on connections that are open as well as on new
 * ones.
 */
export class TcpProxy implements AsyncDisposable {
  readonly host = '127.0.0.1';

  #server: Server | undefined;
  #delayMs = 0;
  #swallowRequests = false;
  #swallowReplies = false;
  #isSplit: (bytes: Buffer) => boolean = () => false;
  #victim: Victim | undefined;
  readonly #links = new Set<Link>();

  private constructor(
    private readonly target: ProxyTarget,
    readonly port: number,
  ) {}

  /** Listens on a free port (below every system's range for outgoing connections, as the test servers do). */
  static async start(target: ProxyTarget): Promise<TcpProxy> {
    for (let attempt = 1; ; attempt += 1) {
      const proxy = new TcpProxy(target, await freePort());
      try {
        await proxy.listen();
        return proxy;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === LISTEN_ATTEMPTS)
          throw error;
      }
    }
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  /** How many client connections are open. */
  get connections(): number {
    return this.#links.size;
  }

  /** Closes every connection, at both ends. What had not been passed on is lost. New ones are accepted. */
  cut(): void {
    for (const link of this.#links) link.destroy();
  }

  /**
   * Swallows bytes and FINs both ways: neither side is told anything. A connection that lost bytes this way stays
   * dead in that direction when it is switched off, as nothing sensible can follow a gap; the others go on.
   */
  blackhole(on: boolean): void {
    this.#swallowRequests = on;
    this.#swallowReplies = on;
  }

  /** The same for the way back only: commands arrive and are carried out, their replies are never seen. */
  blackholeReplies(on: boolean): void {
    this.#swallowReplies = on;
  }

  /**
   * The next command that holds `text` is passed on, and carried out; its reply is swallowed, and its connection cut.
   * Resolves then.
   */
  cutAtReplyTo(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#victim = { text, cut: resolve, reply: (link) => link.destroy() };
    });
  }

  /** The same, but from there on all replies are swallowed, and no connection is cut. Resolves when the first was. */
  withholdReplyTo(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#victim = {
        text,
        cut: resolve,
        reply: () => {
          this.#swallowReplies = true;
        },
      };
    });
  }

  /** Passes everything on this many milliseconds later, each way, in order. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Replies for which `isSplit` is true arrive byte by byte, each in a segment of its own. */
  splitReplies(isSplit: (bytes: Buffer) => boolean): void {
    this.#isSplit = isSplit;
  }

  /** New connections are refused (ECONNREFUSED) while this is on. Open ones go on. */
  async refuse(on: boolean): Promise<void> {
    if (!on) return this.listen();
    const server = this.#server;
    this.#server = undefined;
    // Closed for new connections at once; the callback would wait for the open ones.
    server?.close();
  }

  /** Cuts everything and stops listening. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      if (!server) resolve();
      else
        server.close(() => {
          resolve();
        });
    });
    this.cut();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private listen(): Promise<void> {
    if (this.#server) return Promise.resolve();
    const server = createServer({ allowHalfOpen: true }, (client) => {
      this.accept(client);
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.host, port: this.port, exclusive: true }, resolve);
    });
  }

  private accept(client: Socket): void {
    const upstream = connect({ ...this.target, allowHalfOpen: true });
    const link = new Link(client, upstream, {
      delayMs: () => this.#delayMs,
      swallowRequests: () => this.#swallowRequests,
      swallowReplies: () => this.#swallowReplies,
      isSplit: (bytes) => this.#isSplit(bytes),
      victimOf: (bytes) => {
        const victim = this.#victim;
        if (!victim || !bytes.includes(victim.text)) return undefined;
        this.#victim = undefined;
        return victim;
      },
    });
    client.setNoDelay(true);
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
  }
}

/** A command whose reply is swallowed. */
interface Victim {
  readonly text: string;
  readonly cut: () => void;
  readonly reply: (link: Link) => void;
}

interface Faults {
  readonly delayMs: () => number;
  readonly swallowRequests: () => boolean;
  readonly swallowReplies: () => boolean;
  readonly isSplit: (bytes: Buffer) => boolean;
  readonly victimOf: (bytes: Buffer) => Victim | undefined;
}

interface Step {
  readonly step: () => void;
  /** Not before this time, in ms of `performance.now()`. */
  readonly due: number;
  /** And not before so many ms after the step before it. */
  readonly gapMs: number;
}

/** One client connection and its way on. */
class Link {
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Of a command that was passed on: its reply is what comes next. */
  #victim: Victim | undefined;

  constructor(
    private readonly client: Socket,
    private readonly upstream: Socket,
    private readonly faults: Faults,
  ) {
    this.forward(client, upstream, faults.swallowRequests, () => false);
    this.forward(upstream, client, faults.swallowReplies, faults.isSplit);
  }

  destroy(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.client.destroy();
    this.upstream.destroy();
  }

  private forward(
    from: Socket,
    to: Socket,
    swallow: () => boolean,
    isSplit: (bytes: Buffer) => boolean,
  ): void {
    let gap = false;
    const steps: Step[] = [];
    let lastStep = 0;

    // Steps wait in one line. With a timer each, a step that is due now would overtake one whose timer is late.
    const run = (): void => {
      for (let next = steps[0]; next; next = steps[0]) {
        const wait = Math.max(next.due, lastStep + next.gapMs) - performance.now();
        if (wait > 0) {
          const timer = setTimeout(() => {
            this.#timers.delete(timer);
            run();
          }, wait);
          this.#timers.add(timer);
          return;
        }
        steps.shift();
        lastStep = performance.now();
        next.step();
      }
    };
    const pass = (step: () => void, gapMs = 0): void => {
      steps.push({ step, due: performance.now() + this.faults.delayMs(), gapMs });
      if (steps.length === 1) run();
    };

    from.on('data', (bytes) => {
      gap ||= swallow();
      if (gap) return;
      if (from === this.client) this.#victim ??= this.faults.victimOf(bytes);
      else if (this.#victim) {
        this.#victim.reply(this);
        this.#victim.cut();
        this.#victim = undefined;
        gap = true;
        return;
      }
      const pieces = isSplit(bytes) ? Array.from(bytes, (byte) => Buffer.of(byte)) : [bytes];
      for (const piece of pieces) {
        pass(
          () => {
            if (!to.destroyed) to.write(piece);
          },
          pieces.length > 1 ? 1 : 0,
        );
      }
    });
    from.on('end', () => {
      gap ||= swallow();
      if (gap) return;
      pass(() => {
        to.end();
      });
    });
    // A connection that breaks is as good as cut at its other end too, unless nobody is to be told.
    from.on('error', () => {
      if (!swallow()) this.destroy();
    });
  }
}
