import type { Schedule } from './spec.js';

/** A spec that is due, as a look at the schedule finds it. */
export interface DueSpec extends Schedule {
  /** The slot that has come, in unix ms. */
  slot: number;
  /** How many missed slots are still to be made up for, where that has begun; else undefined. */
  owed: number | undefined;
}

/** What becomes of a due spec. */
export interface Plan {
  /** Slots to fire now, in unix ms. */
  fires: number[];
  /** The slot after them, in unix ms; it may have come already. undefined = the spec is over. */
  next: number | undefined;
  owed: number | undefined;
}

/** Most slots of one spec in one step, so that a script stays within a few ms. */
export const MAX_FIRES = 500;

/**
 * Decides what to fire for a spec that is due at `now`. One slot that has come fires, however late it is. Several that
 * have come fire all if they came between two looks of a leader (`seen`); if nobody was looking (`missed`), the spec's
 * policy decides.
 */
export function planFires(spec: DueSpec, now: number, slots: 'seen' | 'missed'): Plan {
  const { pattern, slot, missedFires } = spec;
  const after = (ms: number): number | undefined => {
    const next = pattern.next(ms, slot);
    return next === undefined || next > (spec.endBeforeMs ?? Infinity) ? undefined : next;
  };
  const following = after(slot);
  let most = spec.owed;
  if (most === undefined) {
    if (following === undefined || following > now)
      return { fires: [slot], next: following, owed: undefined };
    if (slots === 'seen') most = Infinity;
    else if (missedFires.kind === 'skip') return { fires: [], next: after(now), owed: undefined };
    else most = missedFires.kind === 'fire-once' ? 1 : missedFires.maxCatchup;
  }

  const fires = [slot];
  let next = following;
  while (next !== undefined && next <= now && fires.length < Math.min(most, MAX_FIRES)) {
    fires.push(next);
    next = after(next);
  }
  if (next === undefined || next > now) return { fires, next, owed: undefined };
  // More have come than were fired: either they are let go, or the next step goes on with them.
  if (fires.length >= most) return { fires, next: after(now), owed: undefined };
  return { fires, next, owed: most === Infinity ? undefined : most - fires.length };
}

/** The slot at which a spec fires first when it is registered at `now`; undefined if there is none. */
export function firstSlot(
  spec: Pick<Schedule, 'pattern' | 'endBeforeMs'> & { startAfterMs?: number | undefined },
  now: number,
): number | undefined {
  const start = spec.startAfterMs ?? 0;
  // A cron slot may fall on the start itself; an interval has its first slot one interval later.
  const from = spec.pattern.kind === 'cron' ? Math.max(now, start - 1) : Math.max(now, start);
  const first = spec.pattern.next(from);
  return first === undefined || first > (spec.endBeforeMs ?? Infinity) ? undefined : first;
}
