import { randomUUID } from 'node:crypto';
import type { QueueKeys } from '../../redis/keys.js';
import { promote } from '../../redis/scripts/promote.js';
import type { PromoteReply } from '../../redis/scripts/promote.js';
import { resign } from '../../redis/scripts/resign.js';
import type { Clock } from '../base/clock.js';
import type { CommandLink } from '../connection/command-link.js';
import { DueLoop, POLL_MS } from './due-loop.js';
import type { PollResult } from './due-loop.js';
import { whenFilled } from './empty-watch.js';
import type { EventsSettings } from '../config/events-settings.js';
import type { MetricsSink } from '../base/metrics.js';

export interface PromoterSettings extends EventsSettings {
  link: CommandLink;
  keys: QueueKeys;
  group: string;
  holderId?: string | undefined;
  lockTtlMs: number;
  /** Longest time between two polls, in ms. */
  idleMs: number;
  batch: number;
  clock?: Clock | undefined;
  metrics: MetricsSink;
  onError: (error: unknown) => void;
}

/**
 * Calls in flight while more is due than one call promotes. When Redis has finished one call, it has the next, even if this
 * process is busy with the promoted jobs.
 */
const CALLS_IN_FLIGHT = 2;

/** What a call does beside promoting. */
interface Wakes {
  /** It takes the lead. */
  lead: boolean;
  /** It acknowledges these wake entries. */
  wakeIds: readonly string[];
}

interface Call extends Wakes {
  promotion: Promise<PromoteReply>;
}

const NO_WAKES: Wakes = { lead: false, wakeIds: [] };

function merged(wakes: readonly Wakes[]): Wakes {
  return {
    lead: wakes.some(({ lead }) => lead),
    wakeIds: [...new Set(wakes.flatMap(({ wakeIds }) => wakeIds))],
  };
}

/** Moves due jobs from the delayed set to the work stream, in turns with the promoters of other processes. */
export function createPromoter(settings: PromoterSettings): DueLoop {
  const { link, keys, metrics } = settings;
  const holder = settings.holderId ?? `p-${randomUUID()}`;
  let led: boolean | undefined;
  /** In the order in which Redis answers. */
  let inFlight: Call[] = [];
  /** Wakes of calls that failed: the next call repeats them. */
  let failed = NO_WAKES;
  let full = false;

  const send = (wakes: Wakes): void => {
    const { lockTtlMs, batch, eventsCap, eventsBatchFrom, group } = settings;
    const promotion = promote(link, keys, {
      holder,
      lockMs: lockTtlMs,
      batch,
      eventsCap,
      eventsBatchFrom,
      lead: wakes.lead,
      group,
      wakeIds: wakes.wakeIds,
    });
    // A later poll awaits it and handles its failure.
    promotion.catch(() => undefined);
    inFlight.push({ ...wakes, promotion });
  };

  const poll = async (lead: boolean, wakeIds: readonly string[]): Promise<PollResult> => {
    const wakes = merged([failed, { lead, wakeIds }]);
    failed = NO_WAKES;
    if (wakes.lead || wakes.wakeIds.length > 0 || inFlight.length === 0) send(wakes);
    while (full && inFlight.length < CALLS_IN_FLIGHT) send(NO_WAKES);
    const call = inFlight[0] as Call;
    let reply: PromoteReply;
    try {
      reply = await call.promotion;
    } catch (error) {
      // The other calls fail with it. What they would have promoted is still due.
      failed = merged(inFlight);
      inFlight = [];
      full = false;
      throw error;
    }
    inFlight.shift();
    const { leads, now } = reply;
    if (leads !== led) metrics.promoterLockOutcome?.(leads ? 'acquired' : 'held');
    led = leads;
    if (!leads) {
      full = false;
      return { leads, more: inFlight.length > 0, nextDue: undefined, now, ledForMs: reply.ledForMs };
    }
    const { promoted, depth, lagMs, nextDue } = reply;
    metrics.promoterTick?.({ promoted, depth, oldestPendingLagMs: lagMs });
    // A call promotes less than a batch if the jobs are large.
    full = promoted >= settings.batch || (promoted > 0 && nextDue !== undefined && nextDue <= now);
    return { leads, more: full || inFlight.length > 0, nextDue, now };
  };

  return new DueLoop({
    poll,
    idleMs: settings.idleMs,
    clock: settings.clock,
    // A shorter interval than the default is for third-party producers, which write no wake entries.
    whenFilled: settings.idleMs < POLL_MS ? undefined : (filled) => whenFilled(link, keys.delayed, filled),
    resign: () => resign(link, keys, { role: 'promoter', holder }),
    onError: settings.onError,
  });
}
