import { setImmediate } from 'node:timers/promises';
import type { Client } from '../../redis/client.js';
import { discard, isCluster, send } from '../../redis/client.js';
import { settlesWithin, withDeadline } from '../../redis/deadline.js';
import { streamsOf } from '../../redis/replies.js';
import type { StreamEntry } from '../../redis/replies.js';
import { LONGEST_MS, sleep } from '../../redis/timer.js';
import { CONNECT_TIMEOUT_MS } from './command-link.js';
import type { CommandLink } from './command-link.js';
import { connect } from './connect.js';
import { toConnectionError } from './explain.js';
import { ConnectionError, messageOf } from '../base/errors.js';
import { outsideOfContext } from '../base/own-context.js';
import { ReadSize } from './read-size.js';

export interface StreamFeedSettings {
  link: CommandLink;
  stream: string;
  /** The name of its content in messages. */
  what: string;
  /** The entry to start after; `$` = the newest entry at the start. */
  lastId: string;
  blockMs?: number | undefined;
  /** Most entries of one read. Default 200. */
  count?: number;
  connectTimeoutMs?: number | undefined;
  onEntry: (entry: StreamEntry) => void;
  onError: (error: unknown) => void;
}

const BLOCK_MS = 10_000;
/** An entry may hold the events of hundreds of jobs. */
const ENTRIES_PER_READ = 200;
/** How long entries are processed before other work of the event loop has its turn. */
const TURN_MS = 10;
/** How long after its block time a read may stay without an answer before its connection is replaced. */
const GRACE_MS = 2_000;

/** Reads every entry of a stream in order, over a connection of its own. Any number of feeds may read the same stream. */
export class StreamFeed {
  readonly #settings: StreamFeedSettings;
  readonly #size = new ReadSize();
  #client: Client | undefined;
  #lastId: string;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #ready: Promise<void> | undefined;

  constructor(settings: StreamFeedSettings) {
    this.#settings = settings;
    this.#lastId = settings.lastId;
  }

  /** Resolves when the starting point is fixed: from then on no entry is missed, whenever `run` is called. */
  waitUntilReady(): Promise<void> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined;
      if (!this.#isClosing()) throw error;
    });
    return this.#ready;
  }

  async #prepare(): Promise<void> {
    if (this.#isClosing()) return;
    await this.#settings.link.ready();
    if (this.#lastId === '$') this.#lastId = await this.#newestId();
  }

  /** Reads until `close()`. Another call returns the same promise, or tries again if the first could not start. */
  run(): Promise<void> {
    // The loop outlives its caller, such as a request.
    this.#running ??= this.#closing ?? outsideOfContext(() => this.#run());
    return this.#running;
  }

  /** Stops reading, closes the connection and releases the link. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#client) discard(this.#client);
    if (this.#running) await settlesWithin(this.#running, GRACE_MS);
    this.#settings.link.release();
  }

  async #run(): Promise<void> {
    const { onError } = this.#settings;
    try {
      await this.waitUntilReady();
    } catch (error) {
      this.#running = undefined;
      throw error;
    }
    let failures = 0;
    let reported: string | undefined;
    while (!this.#closing) {
      try {
        await this.#read();
        failures = 0;
        reported = undefined;
      } catch (error) {
        if (this.#isClosing()) return;
        const isFirstCut = this.#size.cuts === 1;
        this.#settings.link.markOutage(error);
        this.#dropClient();
        failures += 1;
        await sleep(Math.min(50 * 2 ** failures, 1000), { unref: true });
        if (this.#isClosing()) return;
        // Attempts that fail in the same way cause one report. An outage is reported by the command connection.
        const message = messageOf(error);
        if (message !== reported && !isFirstCut) onError(error);
        reported = message;
      }
    }
  }

  /** A method, because TypeScript does not know that the field changes during an await. */
  #isClosing(): boolean {
    return this.#closing !== undefined;
  }

  async #newestId(): Promise<string> {
    const { link, stream } = this.#settings;
    const reply = (await link.call('XREVRANGE', [stream, '+', '-', 'COUNT', 1])) as [string, unknown][];
    return reply[0]?.[0] ?? '0-0';
  }

  async #read(): Promise<void> {
    const { link, stream, what, blockMs = BLOCK_MS, count = ENTRIES_PER_READ, onEntry } = this.#settings;
    const client = await this.#connected();
    const block = Math.min(blockMs, LONGEST_MS);
    const reply = await withDeadline(
      this.#untilClosed(
        client,
        send(
          client,
          'XREAD',
          ['COUNT', this.#size.next(count), 'BLOCK', block, 'STREAMS', stream, this.#lastId],
          null,
        ),
      ),
      block + GRACE_MS,
      () => new ConnectionError(`Redis at ${link.address} did not answer a blocking read of ${what}.`),
    ).catch((error: unknown) => {
      throw toConnectionError(error, client, this.#isClosing());
    });
    let turnEnds = performance.now() + TURN_MS;
    this.#size.brought(0, 0);
    for (const [, entries] of streamsOf(reply)) {
      this.#size.brought(entries.length, bytesOf(entries));
      for (const entry of entries) {
        if (performance.now() >= turnEnds) {
          await setImmediate();
          if (this.#isClosing()) return;
          turnEnds = performance.now() + TURN_MS;
        }
        this.#lastId = entry[0].toString();
        onEntry(entry);
      }
    }
  }

  /** Rejects when the connection closes. Otherwise ioredis would request a reply that is too large for the server forever. */
  #untilClosed(client: Client, reply: Promise<unknown>): Promise<unknown> {
    const { link, what } = this.#settings;
    return new Promise((resolve, reject) => {
      const onClose = (): void => {
        this.#size.cut();
        reject(new ConnectionError(this.#size.cutMessage(link.address, what)));
      };
      if (!isCluster(client)) client.once('close', onClose);
      reply.then(resolve, reject).finally(() => {
        client.off('close', onClose);
      });
    });
  }

  async #connected(): Promise<Client> {
    if (!this.#client) {
      const { link, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#settings;
      this.#client = link.openBlocking();
      await connect(this.#client, connectTimeoutMs);
    }
    return this.#client;
  }

  #dropClient(): void {
    if (this.#client) discard(this.#client);
    this.#client = undefined;
  }
}

function bytesOf(entries: readonly StreamEntry[]): number {
  let bytes = 0;
  for (const [, fields] of entries) for (const field of fields) bytes += field.length;
  return bytes;
}
