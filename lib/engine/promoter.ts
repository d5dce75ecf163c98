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

/** Moves due jobs from the delayed set to the work stream, in turns with the promoters of other processes. */
export function createPromoter(settings: PromoterSettings): DueLoop {
  const { link, keys, metrics } = settings;
  const holder = settings.holderId ?? `p-${randomUUID()}`;
  let led: boolean | undefined;

  const look = async (take: boolean, entryIds: readonly string[]): Promise<Look> => {
    const args = [
      holder,
      settings.lockTtlMs,
      settings.batch,
      settings.eventsCap,
      take ? 1 : 0,
      settings.group,
    ];
    const reply = await link.run('promote', keys, [...args, ...entryIds]);
    const [leads, promoted, next, depth, lag, now] = reply as [
      number,
      number,
      string,
      number,
      number,
      string,
    ];
    const isLeader = leads === 1;
    if (isLeader !== led) metrics.promoterLockOutcome?.(isLeader ? 'acquired' : 'held');
    led = isLeader;
    if (isLeader) metrics.promoterTick?.({ promoted, depth, oldestPendingLagMs: lag });
    return {
      leads: isLeader,
      more: promoted >= settings.batch,
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
