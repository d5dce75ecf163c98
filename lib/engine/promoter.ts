import { randomUUID } from 'node:crypto';
import type { QueueKeys } from '../redis/keys.js';
import type { CommandLink } from './connections.js';
import { DueLoop } from './due-loop.js';
import type { Look } from './due-loop.js';
import type { MetricsSink } from './metrics.js';

export interface PromoterSettings {
  link: CommandLink;
  keys: QueueKeys;
  group: string;
  holderId?: string | undefined;
  lockTtlMs: number;
  /** Longest time between two looks, in ms. */
  idleMs: number;
  batch: number;
  /** The same while no job is delayed, in ms. */
  emptyMs?: number | undefined;
  /** 0 = no events. */
  eventsCap: number;
  metrics: MetricsSink;
  onError: (error: unknown) => void;
}

/**
 * Calls under way at once while more is due than one of them takes: Redis has the next one when it has done the last,
 * however busy this process is with the jobs that came of it.
 */
const AHEAD = 3;

/** See lua/promote.lua. */
type Promotion = [leads: number, promoted: number, next: string, depth: number, lag: number, now: string];

/** Moves due jobs from the delayed set to the work stream, in turns with the promoters of other processes. */
export function createPromoter(settings: PromoterSettings): DueLoop {
  const { link, keys, metrics } = settings;
  const holder = settings.holderId ?? `p-${randomUUID()}`;
  let led: boolean | undefined;
  /** Calls under way, in the order in which Redis answers them. */
  const underWay: Promise<Promotion>[] = [];
  let full = false;

  const promote = async (take: boolean, entryIds: readonly string[]): Promise<Promotion> => {
    const { lockTtlMs, batch, eventsCap, group } = settings;
    const args = [holder, lockTtlMs, batch, eventsCap, take ? 1 : 0, group, ...entryIds];
    return (await link.run('promote', keys, args)) as Promotion;
  };
  const send = (take: boolean, entryIds: readonly string[]): void => {
    const promotion = promote(take, entryIds);
    // Looked at in its turn; until then its failure is nobody's yet.
    promotion.catch(() => undefined);
    underWay.push(promotion);
  };

  const look = async (take: boolean, entryIds: readonly string[]): Promise<Look> => {
    if (take || entryIds.length > 0 || underWay.length === 0) send(take, entryIds);
    while (full && underWay.length < AHEAD) send(false, []);
    let promotion: Promotion;
    try {
      promotion = (await underWay.shift()) as Promotion;
    } catch (error) {
      // The others share its fate, and what they would have promoted is still due.
      underWay.length = 0;
      full = false;
      throw error;
    }
    const [leads, promoted, next, depth, lag, now] = promotion;
    const isLeader = leads === 1;
    if (isLeader !== led) metrics.promoterLockOutcome?.(isLeader ? 'acquired' : 'held');
    led = isLeader;
    if (isLeader) metrics.promoterTick?.({ promoted, depth, oldestPendingLagMs: lag });
    full = promoted >= settings.batch;
    return {
      leads: isLeader,
      more: full || underWay.length > 0,
      nextDue: next === '' ? undefined : Number(next),
      now: Number(now),
      ledForMs: isLeader ? undefined : lag,
    };
  };

  return new DueLoop({
    look,
    idleMs: settings.idleMs,
    emptyMs: settings.emptyMs,
    resign: () => link.run('resign', keys, [holder], { lock: keys.promoterLock, wake: keys.promoterWake }),
    onError: settings.onError,
  });
}
