import { LAST_DATE_MS } from '../../config/options/repeat.js';
import type { ScheduleTiming } from './stored-schedule.js';

/** A due schedule, as a poll reads it. */
export interface DueTiming extends ScheduleTiming {
  /** The slot that has come, in unix ms. */
  slot: number;
  /** How many missed slots are still to be fired; undefined if catching up has not begun. */
  owed: number | undefined;
}

/** What to do with a due schedule. */
export interface Plan {
  /** Slots to fire now, in unix ms. */
  fires: number[];
  /** The slot after them, in unix ms; it may be due already. undefined = the schedule is over. */
  next: number | undefined;
  owed: number | undefined;
}

/** Most slots of one schedule in one call, so that the script stays within a few ms. */
export const MAX_FIRES = 500;

/**
 * Decides which slots of a due schedule fire at `now`. A single due slot always fires, however late. If several slots are
 * due, all of them fire if they came between two polls of a leader (`seen`). If no leader polled (`missed`), the policy of
 * the schedule decides.
 * @param mostPerCall if more slots fire than this, the next poll continues
 */
export function planFires(
  schedule: DueTiming,
  now: number,
  slots: 'seen' | 'missed',
  mostPerCall = MAX_FIRES,
): Plan {
  const { pattern, slot, missedFires } = schedule;
  const after = (ms: number): number | undefined => {
    const next = pattern.next(ms, slot);
    return isAfterEnd(next, schedule) ? undefined : next;
  };
  const following = after(slot);
  let most = schedule.owed;
  if (most === undefined) {
    if (following === undefined || following > now)
      return { fires: [slot], next: following, owed: undefined };
    if (slots === 'seen') most = Infinity;
    else if (missedFires.kind === 'skip') return { fires: [], next: after(now), owed: undefined };
    else most = missedFires.kind === 'fire-once' ? 1 : missedFires.maxCatchup;
  }

  const fires = [slot];
  let next = following;
  while (next !== undefined && next <= now && fires.length < Math.min(most, mostPerCall)) {
    fires.push(next);
    next = after(next);
  }
  if (next === undefined || next > now) return { fires, next, owed: undefined };
  // More slots are due than fire now: the policy drops them, or the next poll continues with them.
  if (fires.length >= most) return { fires, next: after(now), owed: undefined };
  return { fires, next, owed: most === Infinity ? undefined : most - fires.length };
}

/** The first slot of a schedule that is stored at `now`; undefined if there is none. */
export function firstSlot(
  schedule: Pick<ScheduleTiming, 'pattern' | 'endBeforeMs'> & { startAfterMs?: number | undefined },
  now: number,
): number | undefined {
  const start = schedule.startAfterMs ?? 0;
  // A fixed slot may fall on the start itself; an interval that counts from the start has its first slot one interval later.
  const from = schedule.pattern.isFixed ? Math.max(now, start - 1) : Math.max(now, start);
  const first = schedule.pattern.next(from);
  return isAfterEnd(first, schedule) ? undefined : first;
}

/**
 * The next slot of a schedule that was paused: the slot that was next then, or if that has passed, the first one after
 * `now`. An interval keeps its grid. undefined: the schedule is over.
 */
export function slotAfterPause(
  schedule: Pick<ScheduleTiming, 'pattern' | 'endBeforeMs'> & { startAfterMs?: number | undefined },
  pausedSlot: number | undefined,
  now: number,
): number | undefined {
  if (pausedSlot === undefined) return firstSlot(schedule, now);
  const next = pausedSlot > now ? pausedSlot : schedule.pattern.next(now, pausedSlot);
  return isAfterEnd(next, schedule) ? undefined : next;
}

/** No slot is at the last time of a Date or later: paused schedules stand there (lua/lib/paused-schedules.lua). */
function isAfterEnd(slot: number | undefined, { endBeforeMs }: Pick<ScheduleTiming, 'endBeforeMs'>): boolean {
  return slot === undefined || slot >= LAST_DATE_MS || slot > (endBeforeMs ?? Infinity);
}
