import { randomUUID } from 'node:crypto';
import type { QueueKeys } from '../../redis/keys.js';
import type { Clock } from '../base/clock.js';
import type { CommandLink } from '../connection/connections.js';
import { DueLoop, LOOK_MS } from './due-loop.js';
import type { Look } from './due-loop.js';
import { whenFilled } from './empty-watch.js';
import type { EventsSettings } from '../config/events-settings.js';
import type { MetricsSink } from '../base/metrics.js';

export interface PromoterSettings extends EventsSettings {
  link: CommandLink;
  keys: QueueKeys;
  group: string;
  holderId?: string | undefined;
  lockTtlMs: number;
  /** Longest time between two looks, in ms. */
  idleMs: number;
  batch: number;
  clock?: Clock | undefined;
  metrics: MetricsSink;
  onError: (error: unknown) => void;
}

/**
 * Calls under way at once while more is due than one of them takes: Redis has the next one when it has done the last,
 * however busy this process is with the jobs that came of it.
 */
const AHEAD = 2;

/** See lua/promote.lua. */
type Promotion = [leads: number, promoted: number, next: string, depth: number, lag: number, now: string];

/** Why a call is made, beside what is due. */
interface Wakes {
  take: boolean;
  entryIds: readonly string[];
}

interface Call extends Wakes {
  promotion: Promise<Promotion>;
}

const NO_WAKES: Wakes = { take: false, entryIds: [] };

function merged(wakes: readonly Wakes[]): Wakes {
  return {
    take: wakes.some(({ take }) => take),
    entryIds: [...new Set(wakes.flatMap(({ entryIds }) => entryIds))],
  };
}

/** Moves due jobs from the delayed set to the work stream, in turns with the promoters of other processes. */
export function createPromoter(settings: PromoterSettings): DueLoop {
  const { link, keys, metrics } = settings;
  const holder = settings.holderId ?? `p-${randomUUID()}`;
  let led: boolean | undefined;
  /** Calls under way, in the order in which Redis answers them. */
  let underWay: Call[] = [];
  /** Of calls that failed, and have to be made good. */
  let owed = NO_WAKES;
  let full = false;

  const promote = async (take: boolean, entryIds: readonly string[]): Promise<Promotion> => {
    const { lockTtlMs, batch, eventsCap, eventsBatchFrom, group } = settings;
    const args = [holder, lockTtlMs, batch, eventsCap, eventsBatchFrom, take ? 1 : 0, group, ...entryIds];
    return (await link.run('promote', keys, args)) as Promotion;
  };
  const send = (wakes: Wakes): void => {
    const promotion = promote(wakes.take, wakes.entryIds);
    // Looked at in its turn; until then its failure is nobody's yet.
    promotion.catch(() => undefined);
    underWay.push({ ...wakes, promotion });
  };

  const look = async (take: boolean, entryIds: readonly string[]): Promise<Look> => {
    const wakes = merged([owed, { take, entryIds }]);
    owed = NO_WAKES;
    if (wakes.take || wakes.entryIds.length > 0 || underWay.length === 0) send(wakes);
    while (full && underWay.length < AHEAD) send(NO_WAKES);
    const call = underWay[0] as Call;
    let promotion: Promotion;
    try {
      promotion = await call.promotion;
    } catch (error) {
      // The others share its fate, and what they would have promoted is still due.
      owed = merged(underWay);
      underWay = [];
      full = false;
      throw error;
    }
    underWay.shift();
    const [leads, promoted, next, depth, lag, now] = promotion;
    const isLeader = leads === 1;
    if (isLeader !== led) metrics.promoterLockOutcome?.(isLeader ? 'acquired' : 'held');
    led = isLeader;
    if (isLeader) metrics.promoterTick?.({ promoted, depth, oldestPendingLagMs: lag });
    // A call promotes fewer than a batch where they are large.
    full =
      isLeader &&
      (promoted >= settings.batch || (promoted > 0 && next !== '' && Number(next) <= Number(now)));
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
    clock: settings.clock,
    // A shorter interval is for producers that wake nobody.
    whenFilled: settings.idleMs < LOOK_MS ? undefined : (filled) => whenFilled(link, keys.delayed, filled),
    resign: () => link.run('resign', keys, [holder], { lock: keys.promoterLock, wake: keys.promoterWake }),
    onError: settings.onError,
  });
}
