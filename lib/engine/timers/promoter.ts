import { randomUUID } from 'node:crypto';
import type { QueueKeys } from '../../redis/keys.js';
import { promote } from '../../redis/scripts/promote.js';
import type { PromoteReply } from '../../redis/scripts/promote.js';
import { resign } from '../../redis/scripts/resign.js';
import type { Clock } from '../base/clock.js';
import type { CommandLink } from '../connection/command-link.js';
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

/** Why a call is made, beside what is due. */
interface Wakes {
  take: boolean;
  entryIds: readonly string[];
}

interface Call extends Wakes {
  promotion: Promise<PromoteReply>;
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

  const send = (wakes: Wakes): void => {
    const { lockTtlMs, batch, eventsCap, eventsBatchFrom, group } = settings;
    const promotion = promote(link, keys, {
      holder,
      lockMs: lockTtlMs,
      batch,
      eventsCap,
      eventsBatchFrom,
      lead: wakes.take,
      group,
      wakeIds: wakes.entryIds,
    });
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
    let reply: PromoteReply;
    try {
      reply = await call.promotion;
    } catch (error) {
      // The others share its fate, and what they would have promoted is still due.
      owed = merged(underWay);
      underWay = [];
      full = false;
      throw error;
    }
    underWay.shift();
    const { leads, now } = reply;
    if (leads !== led) metrics.promoterLockOutcome?.(leads ? 'acquired' : 'held');
    led = leads;
    if (!leads) {
      full = false;
      return { leads, more: underWay.length > 0, nextDue: undefined, now, ledForMs: reply.ledForMs };
    }
    const { promoted, depth, lagMs, nextDue } = reply;
    metrics.promoterTick?.({ promoted, depth, oldestPendingLagMs: lagMs });
    // A call promotes fewer than a batch where they are large.
    full = promoted >= settings.batch || (promoted > 0 && nextDue !== undefined && nextDue <= now);
    return { leads, more: full || underWay.length > 0, nextDue, now };
  };

  return new DueLoop({
    look,
    idleMs: settings.idleMs,
    clock: settings.clock,
    // A shorter interval is for producers that wake nobody.
    whenFilled: settings.idleMs < LOOK_MS ? undefined : (filled) => whenFilled(link, keys.delayed, filled),
    resign: () => resign(link, keys, { role: 'promoter', holder }),
    onError: settings.onError,
  });
}
