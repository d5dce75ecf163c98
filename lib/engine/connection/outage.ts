import { addressOf } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { Timer } from '../../redis/timer.js';
import { ConnectionError } from '../base/errors.js';
import { describe, endedMessage, explained, withoutSecrets } from './explain.js';

/** A connection that is closed for longer than this is an outage, even if no attempt was refused. */
const SILENT_MS = 900;
/** The same for a server that accepts the connection and does not answer: it may be busy, and calls report that. */
const HANGING_MS = 3_000;

/** An outage that is over. */
export interface OutageEnd {
  /** Host and port. */
  address: string;
  /** How long the connection was down, in ms. */
  downMs: number;
}

export interface OutageListener {
  /** The connection is down. Called once for each outage, within a second of the first attempt that fails. */
  began: (error: ConnectionError) => void;
  /** The connection is back. */
  ended: (end: OutageEnd) => void;
}

/** Detects when a connection is lost for more than a moment, and when it is back. */
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

  /** The error that began the current outage, if there is one. */
  get outage(): ConnectionError | undefined {
    return this.#error;
  }

  /** How long the current outage has lasted, in ms; 0 if there is none. */
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
    // While the client is ready, the error only precedes a `close`: the next attempt may succeed.
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
      else this.#begin(new Error('The connection was lost and is not back yet.'));
    }).unref();
  }

  readonly #onEnd = (): void => {
    this.#begin(new Error(endedMessage(this.#client)));
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
