import { EventTail, eventsStreamOf } from '../../engine/admin/watch/event-tail.js';
import type { CommandLink } from '../../engine/connection/command-link.js';

/** How many jobs changed, per minute. */
export interface Rates {
  /** Over how many seconds this was measured: 60, or less if the queue no longer has older events. */
  readonly seconds: number;
  /** Jobs that began to wait. */
  readonly queued: number;
  readonly completed: number;
  /** Attempts that failed. */
  readonly failed: number;
}

const SECONDS = 60;

/** Counts the events of the last minute that the queue still has. Undefined if it has none at all. */
export async function readRates(link: CommandLink, queue: string): Promise<Rates | undefined> {
  const [seconds = 0, micros = 0] = ((await link.call('TIME', [])) as string[]).map(Number);
  const now = seconds * 1_000 + Math.floor(micros / 1_000);
  const oldest = (await link.call('XRANGE', [eventsStreamOf(queue), '-', '+', 'COUNT', 1])) as [string][];
  const since = Number(oldest[0]?.[0].split('-')[0] ?? NaN);
  if (Number.isNaN(since)) return undefined;
  const tail = new EventTail(link, queue, SECONDS);
  // Only full seconds count: the current one becomes full.
  await tail.poll(now);
  tail.rates.advance(now + 1_000);
  let span = Math.max(1, Math.min(SECONDS, Math.ceil((now - since) / 1_000)));
  // Of a busy queue, only the newest events are read. Seconds that were read in part would lower the rate.
  while (span > 1 && tail.rates.isPartial(span)) span -= 1;
  const perMinute = (name: 'queued' | 'completed' | 'failed'): number =>
    Math.round(tail.rates.perSecond(name, span) * 60);
  return {
    seconds: span,
    queued: perMinute('queued'),
    completed: perMinute('completed'),
    failed: perMinute('failed'),
  };
}
