import { addressOf } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { Timer } from '../../redis/timer.js';
import { ConnectionError } from '../base/errors.js';
import { describe, ended, explained, withoutSecrets } from './explain.js';

/** A connection that is down and does not come back within this is an outage, also where nothing is refused. */
const SILENT_MS = 900;
/** The same where the server takes the connection and says nothing: it may be busy, and calls tell that by themselves. */
const HANGING_MS = 3_000;

/** An outage that is over. */
export interface OutageEnd {
  /** Host and port. */
  address: string;
  /** For how long the connection was away, in ms. */
  downMs: number;
}

export interface OutageListener {
  /** The connection is down: once for each outage, within a second of the first attempt that fails. */
  began: (error: ConnectionError) => void;
  /** It is back. */
  ended: (end: OutageEnd) => void;
}

/** Sees when a connection is lost for more than a moment, and when it is back. */
export class OutageWatch {
  readonly #client: Client;
  readonly #listener: OutageListener;
  #timer: Timer | undefined;
  /** Monotonic ms. */
  #lostAt: number | undefined;
  #error: ConnectionError | undefined;

  constructor(client: Client, listener: OutageListener) {
    this.#client = client;
    this.#listener = listener;
    client
      .on('error', this.#onError)
      .on('close', this.#onClose)
      .on('ready', this.#onReady)
      .on('end', this.#onEnd);
  }

  /** What began the outage that lasts; undefined where there is none. */
  get outage(): ConnectionError | undefined {
    return this.#error;
  }

  /** For how long there has been an outage, in ms. */
  get downMs(): number {
    return this.#error === undefined || this.#lostAt === undefined ? 0 : performance.now() - this.#lostAt;
  }

  stop(): void {
    this.#timer?.clear();
    this.#error = undefined;
    this.#client
      .off('error', this.#onError)
      .off('close', this.#onClose)
      .off('ready', this.#onReady)
      .off('end', this.#onEnd);
  }

  readonly #onError = (error: Error): void => {
    // On a connection that is still there it is the reason of the `close` that follows: the next attempt may succeed.
    if (this.#client.status !== 'ready') this.#begin(error);
  };

  readonly #onClose = (): void => {
    this.#lostAt ??= performance.now();
    if (this.#error) return;
    this.#wait(SILENT_MS);
  };

  #wait(ms: number): void {
    this.#timer?.clear();
    this.#timer = new Timer(ms, () => {
      if (ms === SILENT_MS && this.#client.status === 'connect') this.#wait(HANGING_MS - SILENT_MS);
      else this.#begin(new Error('The connection was lost, and is not back yet.'));
    }).unref();
  }

  readonly #onEnd = (): void => {
    this.#begin(new Error(ended(this.#client)));
  };

  readonly #onReady = (): void => {
    this.#timer?.clear();
    const lostAt = this.#lostAt ?? performance.now();
    const wasOut = this.#error !== undefined;
    this.#lostAt = undefined;
    this.#error = undefined;
    if (!wasOut) return;
    this.#listener.ended({
      address: addressOf(this.#client),
      downMs: Math.round(performance.now() - lostAt),
    });
  };

  #begin(error: Error): void {
    if (this.#error) return;
    this.#timer?.clear();
    this.#lostAt ??= performance.now();
    this.#error = new ConnectionError(explained(describe(error, this.#client), this.#client), {
      cause: withoutSecrets(error, this.#client),
      outage: true,
    });
    this.#listener.began(this.#error);
  }
}
