import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { JobsOptions } from '../../../lib/engine/index.js';
import { waitUntil } from '../../../lib/testing/server/wait-until.js';
import { fullest } from '../fullest.js';
import type { LedgerRecord } from './ledger.mjs';
import type { Producer, Rig } from './rig.js';

/**
 * What is special about a queue: nothing; priorities and a global concurrency; also groups with a concurrency of their own; or rate
 * limits, of the queue and of groups.
 */
export const KINDS = ['plain', 'gated', 'grouped', 'limited'] as const;
export type QueueKind = (typeof KINDS)[number];

/** How many jobs may be in flight: in all, and of each group. */
const IN_ALL = 12;
const OF_GROUP = 3;
/** How many jobs may start in so many ms. */
const RATES = { inAll: { max: 120, duration: 300 }, ofGroup: { max: 30, duration: 200 } };
const GROUPS = ['a', 'b', 'c'] as const;

/** The options of the nth job of a queue of this kind. */
export function optionsOf(kind: QueueKind, nth: number): JobsOptions {
  if (kind === 'plain' || nth % 7 === 0) return {};
  if (kind === 'gated' || nth % 7 === 1) return { priority: 1 + (nth % 3) };
  return { group: { id: GROUPS[nth % GROUPS.length] as string } };
}

/** Counts what is in flight, again and again. */
export class SlotWatch {
  /** The most that were in flight: in all, and of one group. */
  readonly most = { inAll: 0, ofGroup: 0 };
  #isStopped = false;
  /** Unix ms. Jobs that started before were not under these limits: their Redis has lost its data. */
  readonly #begunAt = Date.now();
  readonly #sampling: Promise<void>;

  private constructor(
    readonly kind: QueueKind,
    /** Must be one of the master. */
    public client: Redis,
    readonly producer: Producer,
  ) {
    this.#sampling = this.#sample();
  }

  /** Sets the limits of the kind. They are in effect before the first job is added. */
  static async begin(kind: QueueKind, client: Redis, producer: Producer): Promise<SlotWatch> {
    const { queue } = producer;
    if (kind === 'limited') {
      await queue.setGlobalRateLimit(RATES.inAll.max, RATES.inAll.duration);
      await queue.setGroupDefaults({ limit: RATES.ofGroup });
    } else if (kind !== 'plain') await queue.setGlobalConcurrency(IN_ALL);
    if (kind === 'grouped') await queue.setGroupDefaults({ concurrency: OF_GROUP });
    return new SlotWatch(kind, client, producer);
  }

  async #sample(): Promise<void> {
    const { most } = this;
    const { stream, prefix } = this.producer.queue.keys;
    while (!this.#isStopped) {
      await delay(20);
      const [pending = 0] = (await this.client.xpending(stream, 'default').catch(() => [])) as number[];
      most.inAll = Math.max(most.inAll, pending);
      for (const group of GROUPS) {
        const head = `\0\u0001${group}`;
        const of = await this.client.zlexcount(`${prefix}slots`, `[${head}`, `(${head}\u00ff`).catch(() => 0);
        most.ofGroup = Math.max(most.ofGroup, of);
      }
    }
  }

  /**
   * No limit was exceeded, and no slot has leaked: with nothing else to do, as many jobs run at once as are allowed, and no more.
   * `forgotten`: how many starts a new master does not know of.
   */
  async verify(rig: Rig, release: () => unknown, forgotten = 0): Promise<void> {
    this.#isStopped = true;
    await this.#sampling;
    if (this.kind === 'limited') this.#verifyRates(rig.ledgers(), forgotten);
    if (this.kind === 'plain' || this.kind === 'limited') return;
    expect(this.most.inAll, 'samples').toBeGreaterThan(0);
    expect(this.most.inAll, 'in flight').toBeLessThanOrEqual(IN_ALL);
    expect(this.most.ofGroup, 'in flight of a group').toBeLessThanOrEqual(OF_GROUP);
    const before = rig.ids('START');
    const each = Array.from({ length: 2 * OF_GROUP }, () => GROUPS).flat();
    const options: JobsOptions[] =
      this.kind === 'grouped'
        ? each.map((id) => ({ group: { id } }))
        : each.map((_, nth) => ({ priority: 1 + (nth % 3) }));
    const allowed = this.kind === 'grouped' ? OF_GROUP * GROUPS.length : IN_ALL;
    await Promise.all(options.map((of) => this.producer.add({ do: 'hold-deaf' }, of)));
    await rig.until('START', before.size + allowed, 10_000);
    await delay(500);
    expect(rig.ids('START').size - before.size, 'run at once').toBe(allowed);
    await release();
    await rig.drained(this.client, 15_000);
    // Of the jobs before, a worker that was killed may have written down no end. An add that met a fault may have added nothing.
    await waitUntil('The ends of the jobs that started', 5_000, () => {
      const completed = rig.ids('COMPLETED');
      const blocked = [...rig.ids('START')].filter((id) => !before.has(id));
      const ended = blocked.filter((id) => completed.has(id)).length;
      const isDone = blocked.length >= allowed && ended === blocked.length;
      return Promise.resolve(isDone ? undefined : `${ended} of ${blocked.length} that started`);
    });
    expect(await this.client.exists(`${this.producer.queue.keys.prefix}slots`), 'slots').toBe(0);
  }

  /** No window of a rate limit had more starts than it may have. */
  #verifyRates(records: readonly LedgerRecord[], forgotten: number): void {
    const starts = records
      .filter(({ kind, at }) => kind === 'START' && at >= this.#begunAt)
      .toSorted((one, other) => one.at - other.at);
    const timesOf = (group?: string): number[] =>
      starts
        .filter(({ id }) => group === undefined || this.producer.groups.get(id) === group)
        .map(({ at }) => at);
    const { inAll, ofGroup } = RATES;
    expect(fullest(timesOf(), inAll.duration), 'starts in a window').toBeLessThanOrEqual(
      inAll.max + forgotten,
    );
    for (const group of GROUPS) {
      expect(timesOf(group).length, `starts of ${group}`).toBeGreaterThan(0);
      const most = fullest(timesOf(group), ofGroup.duration);
      expect(most, `starts of ${group} in a window`).toBeLessThanOrEqual(ofGroup.max + forgotten);
    }
  }
}
