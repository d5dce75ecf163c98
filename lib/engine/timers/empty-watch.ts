import { isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import type { CommandLink } from '../connection/command-link.js';
import { LOOK_MS } from './due-loop.js';
import { ConnectionError } from '../base/errors.js';

interface Watched {
  link: CommandLink;
  key: string;
  filled: () => void;
}

/** One per connection. */
const watches = new WeakMap<Client, EmptyWatch>();

/**
 * Calls `filled` once the set at `key`, which is empty, holds something: within a second or so. An application has many
 * queues, and most of them have no delayed job and no schedule: all sets of a connection share one command.
 *
 * @returns ends it
 */
export function whenFilled(link: CommandLink, key: string, filled: () => void): () => void {
  let watch = watches.get(link.client);
  if (!watch) watches.set(link.client, (watch = new EmptyWatch()));
  return watch.add({ link, key, filled });
}

class EmptyWatch {
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

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
    if (this.#timer || this.#looking || this.#watched.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#looking = true;
      void this.#look([...this.#watched]).finally(() => {
        this.#looking = false;
        this.#plan();
      });
    }, LOOK_MS).unref();
  }

  async #look(all: readonly Watched[]): Promise<void> {
    const groups = new Map<string, Watched[]>();
    for (const watched of all) {
      const slot = isCluster(watched.link.client) ? watched.key.slice(0, watched.key.indexOf('}')) : '';
      groups.set(slot, [...(groups.get(slot) ?? []), watched]);
    }
    await Promise.all([...groups.values()].map((group) => this.#find(group)));
  }

  /** In halves: where something is, it is found with few commands. */
  async #find(group: readonly Watched[]): Promise<void> {
    const [first] = group;
    if (!first) return;
    try {
      const keys = group.map(({ key }) => key);
      if ((await first.link.call('EXISTS', keys)) === 0) return;
    } catch (error) {
      // Without an answer the next look will do. Where Redis refuses this command, each has to look for itself.
      if (error instanceof ConnectionError && !error.unknownOutcome) this.#tell(group);
      return;
    }
    if (group.length === 1) {
      this.#tell(group);
      return;
    }
    const half = Math.ceil(group.length / 2);
    await Promise.all([this.#find(group.slice(0, half)), this.#find(group.slice(half))]);
  }

  #tell(group: readonly Watched[]): void {
    for (const watched of group) if (this.#watched.delete(watched)) watched.filled();
  }
}
