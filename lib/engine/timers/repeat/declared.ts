import type { QueueKeys } from '../../../redis/keys.js';
import { checkSchedules } from '../../../redis/scripts/check-schedules.js';
import type { CommandLink } from '../../connection/command-link.js';
import { DataLostError } from '../../base/errors.js';
import { outsideOfContext } from '../../base/own-context.js';
import { removeRepeatable, restoreRepeatable, upsertEncoded } from './registry.js';
import type { Upserted } from './registry.js';
import { encodeSpec } from './spec.js';
import type { EncodedSpec, RepeatableSpec } from './spec.js';

/** How often is looked whether what was declared is there, in ms. */
const LOOK_MS = 2_000;
/** Most specs of one call. */
const PAGE = 500;

interface Declared {
  encoded: EncodedSpec;
  nextFireMs: number;
  fired: number;
}

/** Of this process. */
const open = new Set<DeclaredRepeats>();

/**
 * The schedules that were registered through one queue object. Redis may lose them: it restarts without its data, or with
 * older data, or somebody empties it. An application registers its schedules when it starts and never looks again, so
 * this looks, and registers what was lost from where it was. What somebody removed, in whatever process, stays removed.
 */
export class DeclaredRepeats {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #maxPayloadBytes: number;
  readonly #declared = new Map<string, Declared>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(link: CommandLink, keys: QueueKeys, maxPayloadBytes: number) {
    this.#link = link;
    this.#keys = keys;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** @throws as `upsertRepeatable` */
  async declare(spec: RepeatableSpec): Promise<Upserted> {
    // Now: the caller may change its data later.
    const encoded = encodeSpec(spec, this.#maxPayloadBytes);
    const upserted = await upsertEncoded(this.#link, this.#keys, spec, encoded, {});
    const { key, nextFireMs, fired } = upserted;
    this.#declared.set(key, { encoded, nextFireMs, fired });
    open.add(this);
    this.#plan();
    return upserted;
  }

  /** True if it was there. */
  async remove(key: string): Promise<boolean> {
    this.#declared.delete(key);
    const removed = await removeRepeatable(this.#link, this.#keys, key);
    this.#declared.delete(key);
    // The other queue objects of this process know when the caller does, and not a look later.
    const others = [...open].filter((other) => other !== this && other.#keys.queue === this.#keys.queue);
    await Promise.all(others.filter((other) => other.#declared.has(key)).map((other) => other.#lookAnew()));
    return removed;
  }

  /** Looks no more; what is registered stays. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    open.delete(this);
    await this.#looking;
  }

  #plan(): void {
    if (this.#timer || this.#isClosed || this.#declared.size === 0) return;
    const look = (): void => {
      this.#timer = undefined;
      void this.#look().then(() => {
        this.#plan();
      });
    };
    this.#timer = outsideOfContext(() => setTimeout(look, LOOK_MS)).unref();
  }

  /** Never rejects: while Redis is away, the next look comes soon, and the connection tells of it. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookAtAll()
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  /** One that is under way may have seen what was there before. */
  async #lookAnew(): Promise<void> {
    await this.#looking;
    await this.#look();
  }

  async #lookAtAll(): Promise<void> {
    const lost: string[] = [];
    const all = [...this.#declared.keys()];
    for (let from = 0; from < all.length && !this.#isClosed; from += PAGE) {
      const keys = all.slice(from, from + PAGE);
      const states = await checkSchedules(this.#link, this.#keys, keys);
      for (const [index, schedule] of states.entries()) {
        const key = keys[index] as string;
        const declared = this.#declared.get(key);
        if (!declared) continue;
        if (schedule.state === 'present') {
          Object.assign(declared, { nextFireMs: schedule.next, fired: schedule.fired });
        } else if (schedule.state === 'gone') this.#declared.delete(key);
        else if (await this.#restore(key, declared)) lost.push(key);
      }
    }
    if (lost.length > 0) this.#report(lost);
  }

  /** True where it had to be. */
  async #restore(key: string, declared: Declared): Promise<boolean> {
    const { outcome } = await restoreRepeatable(this.#link, this.#keys, declared.encoded, declared);
    if (outcome === 'gone') this.#declared.delete(key);
    return outcome === 'started';
  }

  #report(lost: readonly string[]): void {
    const shown = lost.slice(0, 5).map((key) => JSON.stringify(key));
    this.#link.warn(
      new DataLostError(
        `Redis at ${this.#link.address} has lost data of queue "${this.#keys.queue}": ${String(lost.length)} schedule(s) that this application declared were gone, and nobody had removed them (${shown.join(', ')}${lost.length > shown.length ? ', …' : ''}). They are registered again. Jobs are lost too: check that Redis persists (appendonly yes), that maxmemory-policy is noeviction, and that nobody empties it.`,
      ),
    );
  }
}
