import { randomUUID } from 'node:crypto';
import type { QueueKeys } from '../../redis/keys.js';
import { fireSchedules } from '../../redis/scripts/fire-schedules.js';
import type { Firing } from '../../redis/scripts/fire-schedules.js';
import { readDueSchedules } from '../../redis/scripts/read-due-schedules.js';
import type { DueSchedule, ReadDueSchedulesReply } from '../../redis/scripts/read-due-schedules.js';
import { resign } from '../../redis/scripts/resign.js';
import type { Clock } from '../base/clock.js';
import type { CommandLink } from '../connection/command-link.js';
import { MAX_CALL_BYTES } from '../connection/read-size.js';
import { DueLoop, POLL_MS } from './due-loop.js';
import type { PollResult } from './due-loop.js';
import { whenFilled } from './empty-watch.js';
import { ConfigError, messageOf } from '../base/errors.js';
import type { LockOutcome, MetricsSink } from '../base/metrics.js';
import { MAX_FIRES, planFires } from './repeat/plan-fires.js';
import { TIMING_FIELDS, decodeTiming } from './repeat/stored-schedule.js';

export interface SchedulerSettings {
  link: CommandLink;
  keys: QueueKeys;
  group: string;
  holderId?: string | undefined;
  lockTtlMs: number;
  /** Shortest time between two polls, in ms, unless a poll cannot handle all that is due. */
  tickIntervalMs: number;
  /** Most schedules of one poll. */
  batch: number;
  /** 0 = no events. */
  eventsCap: number;
  /** Instead of Redis's clock, for tests. */
  clock?: Pick<Clock, 'now'> | undefined;
  metrics: MetricsSink;
  onError: (error: unknown) => void;
}

/**
 * The life of a schedule:
 * 1. declared: `queue.add(…, { repeat })`, `@Repeat` or `producer.upsertRepeatable` (repeat/declared-schedules.ts)
 * 2. stored: its hash, and its next slot in a sorted set (repeat/schedules.ts, repeat/stored-schedule.ts)
 * 3. due: its next slot has come, and a poll of the leading scheduler reads it (here)
 * 4. fired: the slots to fire are planned (repeat/plan-fires.ts)
 * 5. added: one script adds a job per slot and stores the next slot (lua/fire-schedules.lua)
 *
 * Creates the loop for steps 3 to 5. The schedulers of all processes take turns.
 */
export function createScheduler(settings: SchedulerSettings): DueLoop {
  const { link, keys } = settings;
  const holder = settings.holderId ?? `s-${randomUUID()}`;
  return new DueLoop({
    poll: createSchedulerPoll({ ...settings, holderId: holder }),
    resign: () => resign(link, keys, { role: 'scheduler', holder }),
    // While nothing is due, each poll renews the lock: well before it expires, so that one late poll does not lose it.
    idleMs: Math.max(settings.tickIntervalMs, Math.min(POLL_MS, Math.floor(settings.lockTtlMs * 0.6))),
    whenFilled: (filled) => whenFilled(link, keys.repeat, filled),
    onError: settings.onError,
  });
}

/** A schedule that cannot be read is put off for so many ms, so that it does not delay the others. */
const UNREADABLE_MS = 60_000;

/** One poll: reads the due schedules, plans their fires, and fires them. */
export function createSchedulerPoll(
  settings: SchedulerSettings,
): (lead: boolean, wakeIds: readonly string[]) => Promise<PollResult> {
  const { link, keys, group, batch, tickIntervalMs, clock, metrics, onError } = settings;
  const holder = settings.holderId ?? `s-${randomUUID()}`;
  // A leader that sleeps for a tick must still have the lock when it wakes.
  const lockMs = Math.max(settings.lockTtlMs, 2 * tickIntervalMs);
  // A healthy leader polls once per tick, or once per second while nothing is due.
  const silentMs = Math.max(tickIntervalMs, POLL_MS) + POLL_MS / 2;
  let led: LockOutcome | undefined;

  const readDue = (lead: boolean, wakeIds: readonly string[]): Promise<ReadDueSchedulesReply> =>
    readDueSchedules(link, keys, {
      holder,
      lockMs,
      batch,
      now: clock?.now(),
      lead,
      group,
      silentMs,
      fields: TIMING_FIELDS,
      wakeIds,
    });

  const plan = (schedule: DueSchedule, now: number, gap: number): PlannedFiring => {
    const { key, slot, revision, owed, values, payloadBytes } = schedule;
    try {
      const due = { ...decodeTiming(values), slot: Number(slot), owed };
      const most = Math.min(MAX_FIRES, Math.max(1, Math.floor(MAX_CALL_BYTES / Math.max(1, payloadBytes))));
      // Slots that came while no leader polled are planned as of the time of the first poll after the gap, even if several
      // polls are needed for them.
      const fires = due.slot > gap ? planFires(due, now, 'seen', most) : planFires(due, gap, 'missed', most);
      return { key, slot, revision, payloadBytes, ...fires };
    } catch (error) {
      onError(
        new ConfigError(`The schedule "${key}" cannot be fired: ${messageOf(error)}`, { cause: error }),
      );
      return { key, slot, revision, payloadBytes, fires: [], next: now + UNREADABLE_MS, owed: undefined };
    }
  };

  const fire = async (firings: readonly PlannedFiring[]): Promise<{ fired: number; outdated: boolean }> => {
    let fired = 0;
    let outdated = false;
    for (const slice of slicesOf(firings)) {
      const added = await fireSchedules(link, keys, { eventsCap: settings.eventsCap, firings: slice });
      for (const count of added) {
        if (count === 'outdated') outdated = true;
        else fired += count;
      }
    }
    return { fired, outdated };
  };

  return async (lead, wakeIds) => {
    const reply = await readDue(lead, wakeIds);
    const { leads, now } = reply;
    const outcome: LockOutcome = leads ? 'acquired' : 'held';
    if (outcome !== led) metrics.schedulerLockOutcome?.(outcome);
    led = outcome;
    if (!leads) return { leads, more: false, nextDue: undefined, now, ledForMs: reply.ledForMs };

    const { gap, due } = reply;
    const firings = due.map((schedule) => plan(schedule, now, gap));
    const { fired, outdated } = await fire(firings);
    metrics.schedulerTick?.({ due: due.length, fired });
    let next = reply.next ?? Infinity;
    for (const firing of firings) next = Math.min(next, firing.next ?? Infinity);
    return {
      leads: true,
      // A schedule that was replaced after it was read may be due as well.
      more: next <= now || outdated,
      nextDue: next === Infinity ? undefined : Math.max(next, now + tickIntervalMs),
      now,
    };
  };
}

/** A firing, and the bytes that each of its jobs copies. */
interface PlannedFiring extends Firing {
  readonly payloadBytes: number;
}

/** Slices of what one call may fire, in slots and in bytes. */
function* slicesOf(firings: readonly PlannedFiring[]): Generator<PlannedFiring[]> {
  let slice: PlannedFiring[] = [];
  let slots = 0;
  let bytes = 0;
  for (const firing of firings) {
    // A schedule that only moves on, without a fire, costs something too.
    const moreSlots = Math.max(1, firing.fires.length);
    const moreBytes = firing.fires.length * firing.payloadBytes;
    if (slice.length > 0 && (slots + moreSlots > MAX_FIRES || bytes + moreBytes > MAX_CALL_BYTES)) {
      yield slice;
      slice = [];
      slots = 0;
      bytes = 0;
    }
    slice.push(firing);
    slots += moreSlots;
    bytes += moreBytes;
  }
  if (slice.length > 0) yield slice;
}
