import type { Client } from '../../../redis/client.js';
import type { QueueKeys } from '../../../redis/keys.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { runScript } from '../../../redis/script-registry.js';
import type { ScriptRunner } from '../../../redis/script-runner.js';
import { readGateNews, take } from '../../../redis/scripts/take.js';
import type { GateNews } from '../../../redis/scripts/take.js';
import type { Delivery } from '../lease/delivery.js';
import type { ReaderSettings } from './reader-settings.js';
import { Starts } from './starts.js';

export type Sender = Pick<Client, 'sendCommand'>;

/** What a reader does for it, on its own connection. */
export interface TakesReader {
  /**
   * Sends one call, and passes on what its reply brings. Resolves with the jobs that it has brought.
   * @param heard gets the entries under `GATE_KEY`, and how many jobs came. Returns in how many ms these may start
   */
  fetch(
    send: (sender: Sender) => Promise<unknown>,
    heard: (entries: readonly StreamEntry[], jobs: number) => number,
  ): Promise<readonly Delivery[]>;
  /** Waits for a wake entry, for so many ms at most. */
  wait(ms: number): Promise<void>;
  /** Reads the wake entries that are there, every now and then. */
  listen(): Promise<void>;
  /** Says to Redis that the jobs of a delivery have started. */
  confirm(starts: string): Promise<void>;
}

/** After so long without work, it asks again, in case a wake was lost. In ms. */
const ASK_MS = 1_000;

/** Fetches the jobs of a gated queue, call by call of lua/take.lua. */
export class Takes {
  readonly #keys: QueueKeys;
  readonly #settings: ReaderSettings;
  readonly #reader: TakesReader;
  readonly #starts: Starts;

  constructor(keys: QueueKeys, settings: ReaderSettings, reader: TakesReader) {
    this.#keys = keys;
    this.#settings = settings;
    this.#reader = reader;
    const { late = () => undefined, onError } = settings;
    this.#starts = new Starts({ confirm: (starts) => reader.confirm(starts), late, onError });
  }

  /** Asks for `most` jobs at most. If there are fewer than can start here, waits until there may be more. */
  async next(most: number): Promise<void> {
    const { blockMs, gateOpened, startable } = this.#settings;
    const room = startable?.() ?? { now: most, more: 0 };
    const count = Math.min(most, room.now);
    const { jobs, news } = await this.#ask(count, Math.min(most - count, room.more));
    if (news?.starts !== undefined) await this.#starts.add(news.starts, jobs);
    if (news?.isOpen) gateOpened?.();
    else if (jobs.length < count) await this.#reader.wait(Math.min(news?.waitMs ?? ASK_MS, ASK_MS, blockMs));
    else await this.#reader.listen();
  }

  async #ask(
    count: number,
    more: number,
  ): Promise<{ jobs: readonly Delivery[]; news: GateNews | undefined }> {
    const { group, consumerId, waiting } = this.#settings;
    let news: GateNews | undefined;
    const said = this.#starts.take();
    const send = (sender: Sender): Promise<unknown> => {
      const runner: ScriptRunner = {
        run: (name, keys, args, options) => runScript(sender, name, keys, args, options),
      };
      return take(runner, this.#keys, { group, consumerId, count, more, ...said });
    };
    const heard = (entries: readonly StreamEntry[], jobs: number): number => {
      news = readGateNews(entries);
      waiting?.(news.waiting, jobs === count + more);
      return news.startsInMs;
    };
    try {
      const jobs = await this.#reader.fetch(send, heard);
      this.#starts.arrived();
      return { jobs, news };
    } catch (error) {
      this.#starts.failed();
      throw error;
    }
  }
}
