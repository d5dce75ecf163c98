import { randomUUID } from 'node:crypto';
import type { QueueKeys } from '../../redis/keys.js';
import { fireSchedules } from '../../redis/scripts/fire-schedules.js';
import type { Firing } from '../../redis/scripts/fire-schedules.js';
import { readDueSchedules } from '../../redis/scripts/read-due-schedules.js';
import type { DueSchedule, ReadDueSchedulesReply } from '../../redis/scripts/read-due-schedules.js';
import { resign } from '../../redis/scripts/resign.js';
import type { Clock } from '../base/clock.js';
import type { CommandLink } from '../connection/command-link.js';
import { DueLoop, LOOK_MS } from './due-loop.js';
import type { Look } from './due-loop.js';
import { whenFilled } from './empty-watch.js';
import { ConfigError, messageOf } from '../base/errors.js';
import type { LockOutcome, MetricsSink } from '../base/metrics.js';
import { MAX_FIRES, planFires } from './repeat/plan.js';
import { SCHEDULE_FIELDS, decodeSchedule } from './repeat/spec.js';

export interface SchedulerSettings {
  link: CommandLink;
  keys: QueueKeys;
  group: string;
  holderId?: string | undefined;
  lockTtlMs: number;
  /** Least time between two looks, in ms, unless there is more to do than a look can take up. */
  tickIntervalMs: number;
  /** Most specs taken up by one look. */
  batch: number;
  /** 0 = no events. */
  eventsCap: number;
  /** Instead of Redis's clock, for tests. */
  clock?: Pick<Clock, 'now'> | undefined;
  metrics: MetricsSink;
  onError: (error: unknown) => void;
}

/** Fires repeatable specs that are due, in turns with the schedulers of other processes. */
export function createScheduler(settings: SchedulerSettings): DueLoop {
  const { link, keys } = settings;
  const holder = settings.holderId ?? `s-${randomUUID()}`;
  return new DueLoop({
    look: createSchedulerLook({ ...settings, holderId: holder }),
    resign: () => resign(link, keys, { role: 'scheduler', holder }),
    // While nothing is due, the lead is kept by looking: well within the lease, so that one late look does not lose it.
    idleMs: Math.max(settings.tickIntervalMs, Math.min(LOOK_MS, Math.floor(settings.lockTtlMs * 0.6))),
    whenFilled: (filled) => whenFilled(link, keys.repeat, filled),
    onError: settings.onError,
  });
}

/** How long a spec that cannot be read is put off, so that it does not stand in the way of the others. */
const UNREADABLE_MS = 60_000;

/** One look at the schedule: reads what is due, plans, and fires. */
export function createSchedulerLook(
  settings: SchedulerSettings,
): (take: boolean, entryIds: readonly string[]) => Promise<Look> {
  const { link, keys, group, batch, tickIntervalMs, clock, metrics, onError } = settings;
  const holder = settings.holderId ?? `s-${randomUUID()}`;
  // A leader that sleeps for a tick must still lead when it wakes.
  const lockMs = Math.max(settings.lockTtlMs, 2 * tickIntervalMs);
  // One that is well looks once a tick, or once a second where nothing is due.
  const silentMs = Math.max(tickIntervalMs, LOOK_MS) + LOOK_MS / 2;
  let led: LockOutcome | undefined;

  const readDue = (take: boolean, entryIds: readonly string[]): Promise<ReadDueSchedulesReply> =>
    readDueSchedules(link, keys, {
      holder,
      lockMs,
      batch,
      now: clock?.now(),
      lead: take,
      group,
      silentMs,
      fields: SCHEDULE_FIELDS,
      wakeIds: entryIds,
    });

  const planned = (due: DueSchedule, now: number, gap: number): Firing => {
    const { key, slot, revision, owed, values } = due;
    try {
      const spec = { ...decodeSchedule(values), slot: Number(slot), owed };
      // What came while nobody was looking is settled as of the moment when somebody looked again, however long that takes.
      const plan = spec.slot > gap ? planFires(spec, now, 'seen') : planFires(spec, gap, 'missed');
      return { key, slot, revision, ...plan };
    } catch (error) {
      onError(
        new ConfigError(`The repeatable "${key}" cannot be fired: ${messageOf(error)}`, { cause: error }),
      );
      return { key, slot, revision, fires: [], next: now + UNREADABLE_MS, owed: undefined };
    }
  };

  const fire = async (firings: readonly Firing[]): Promise<{ fired: number; outdated: boolean }> => {
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

  return async (take, entryIds) => {
    const reply = await readDue(take, entryIds);
    const { leads, now } = reply;
    const outcome: LockOutcome = leads ? 'acquired' : 'held';
    if (outcome !== led) metrics.schedulerLockOutcome?.(outcome);
    led = outcome;
    if (!leads) return { leads, more: false, nextDue: undefined, now, ledForMs: reply.ledForMs };

    const { gap, due } = reply;
    const firings = due.map((schedule) => planned(schedule, now, gap));
    const { fired, outdated } = await fire(firings);
    metrics.schedulerTick?.({ due: due.length, fired });
    let next = reply.next ?? Infinity;
    for (const firing of firings) next = Math.min(next, firing.next ?? Infinity);
    return {
      leads: true,
      // A spec that was replaced after it was read may be due as well.
      more: next <= now || outdated,
      nextDue: next === Infinity ? undefined : Math.max(next, now + tickIntervalMs),
      now,
    };
  };
}

/** What one script call may fire. */
function* slicesOf(firings: readonly Firing[]): Generator<Firing[]> {
  let slice: Firing[] = [];
  let costs = 0;
  for (const firing of firings) {
    // A spec that is only moved on costs something too.
    const cost = Math.max(1, firing.fires.length);
    if (slice.length > 0 && costs + cost > MAX_FIRES) {
      yield slice;
      slice = [];
      costs = 0;
    }
    slice.push(firing);
    costs += cost;
  }
  if (slice.length > 0) yield slice;
}
