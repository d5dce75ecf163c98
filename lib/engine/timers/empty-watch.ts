import { isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import type { CommandLink } from '../connection/command-link.js';
import { POLL_MS } from './due-loop.js';
import { ConnectionError } from '../base/errors.js';

interface Watched {
  link: CommandLink;
  key: string;
  filled: () => void;
  empty: ((agoMs: number) => void) | undefined;
}

/** One per connection. */
const watches = new WeakMap<Client, EmptyWatch>();

/**
 * Watches the empty set at `key`, and calls `filled` about a second after something is added to it. An application has many
 * queues, most of them without delayed jobs, schedules and a policy, so all empty sets of a connection share one command.
 *
 * @param empty called after each look that found the set empty, with how many ms ago the look was sent
 * @returns stops watching
 */
export function whenFilled(
  link: CommandLink,
  key: string,
  filled: () => void,
  empty?: (agoMs: number) => void,
): () => void {
  let watch = watches.get(link.client);
  if (!watch) watches.set(link.client, (watch = new EmptyWatch()));
  return watch.add({ link, key, filled, empty });
}

class EmptyWatch {
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #polling = false;

  add(watched: Watched): () => void {
    this.#watched.add(watched);
    this.#plan();
    return () => {
      this.#watched.delete(watched);
      if (this.#watched.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  #plan(): void {
    if (this.#timer || this.#polling || this.#watched.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#polling = true;
      void this.#poll([...this.#watched]).finally(() => {
        this.#polling = false;
        this.#plan();
      });
    }, POLL_MS).unref();
  }

  async #poll(all: readonly Watched[]): Promise<void> {
    const groups = new Map<string, Watched[]>();
    for (const watched of all) {
      const slot = isCluster(watched.link.client) ? watched.key.slice(0, watched.key.indexOf('}')) : '';
      groups.set(slot, [...(groups.get(slot) ?? []), watched]);
    }
    await Promise.all([...groups.values()].map((group) => this.#find(group)));
  }

  /** Checks the keys together, and by halves if one of them exists, so that few commands find it. */
  async #find(group: readonly Watched[]): Promise<void> {
    const [first] = group;
    if (!first) return;
    try {
      const keys = group.map(({ key }) => key);
      const sentAt = performance.now();
      if ((await first.link.call('EXISTS', keys)) === 0) {
        const agoMs = performance.now() - sentAt;
        for (const watched of group) if (this.#watched.has(watched)) watched.empty?.(agoMs);
        return;
      }
    } catch (error) {
      // Without an answer, the next poll checks again. If Redis refuses the command, each loop has to poll by itself.
      if (error instanceof ConnectionError && !error.unknownOutcome) this.#notify(group);
      return;
    }
    if (group.length === 1) {
      this.#notify(group);
      return;
    }
    const half = Math.ceil(group.length / 2);
    await Promise.all([this.#find(group.slice(0, half)), this.#find(group.slice(half))]);
  }

  #notify(group: readonly Watched[]): void {
    for (const watched of group) if (this.#watched.delete(watched)) watched.filled();
  }
}
