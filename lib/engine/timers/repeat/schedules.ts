import type { QueueKeys } from '../../../redis/keys.js';
import type { ScheduleClaim } from '../../../redis/scripts/claim-schedules.js';
import { listSchedules } from '../../../redis/scripts/list-schedules.js';
import type { ListSchedulesOptions, ListedSchedule } from '../../../redis/scripts/list-schedules.js';
import { removeSchedules } from '../../../redis/scripts/remove-schedules.js';
import type { RemoveScheduleOutcome } from '../../../redis/scripts/remove-schedules.js';
import { upsertSchedule } from '../../../redis/scripts/upsert-schedule.js';
import type { UpsertScheduleOptions, UpsertScheduleReply } from '../../../redis/scripts/upsert-schedule.js';
import type { Clock } from '../../base/clock.js';
import { ConfigError } from '../../base/errors.js';
import type { CommandLink } from '../../connection/command-link.js';
import { firstSlot } from './plan-fires.js';
import { META_FIELDS, decodeMeta } from './stored-schedule.js';
import type { EncodedSchedule, RepeatableMeta, RepeatableSpec, SpecTiming } from './stored-schedule.js';

export interface StoreResult {
  key: string;
  outcome: UpsertScheduleReply['outcome'];
  nextFireMs: number;
  /** Fires so far. */
  fired: number;
  /** When this definition was stored first, in unix ms. */
  storedMs: number;
  /** Since when it is paused, in unix ms; undefined = it is not. */
  pausedMs: number | undefined;
}

/** What a schedule that Redis lost goes on with. */
export type KnownState = Pick<StoreResult, 'nextFireMs' | 'fired' | 'storedMs' | 'pausedMs'>;

/**
 * Stores a schedule. If it is there and unchanged, nothing is written, so every process may store its schedules whenever
 * it starts.
 * @param encoded the same schedule, encoded
 * @param clock instead of Redis's clock, for tests
 * @param claim store it only if no newer deployment of its owner has claimed its schedules
 * @throws ConfigError (CMQ-004) if it never fires, ConnectionError (CMQ-001)
 */
export async function storeSchedule(
  link: CommandLink,
  keys: QueueKeys,
  spec: RepeatableSpec,
  encoded: EncodedSchedule,
  clock?: Pick<Clock, 'now'>,
  claim?: ScheduleClaim,
): Promise<StoreResult> {
  const now = clock?.now() ?? (await redisNow(link));
  const first = firstFire(encoded.key, spec, now);
  return upsert(link, keys, encoded, {
    first,
    now: clock ? undefined : now,
    lost: undefined,
    count: spec.count ?? 0,
    claim,
  });
}

/**
 * Stores a schedule that was lost with Redis's data, and continues where it was. If it is there in this version or a later
 * one, or somebody has removed it, nothing is written.
 */
export function restoreSchedule(
  link: CommandLink,
  keys: QueueKeys,
  encoded: EncodedSchedule,
  { nextFireMs, fired, storedMs, pausedMs }: KnownState,
): Promise<StoreResult> {
  return upsert(link, keys, encoded, {
    first: nextFireMs,
    now: undefined,
    lost: { fired, storedMs, pausedMs },
    count: 0,
    claim: undefined,
  });
}

/** Stores the encoded fields. */
export async function upsert(
  link: CommandLink,
  keys: QueueKeys,
  encoded: EncodedSchedule,
  at: Omit<UpsertScheduleOptions, keyof EncodedSchedule>,
): Promise<StoreResult> {
  const { next, ...reply } = await upsertSchedule(link, keys, { ...encoded, ...at });
  return { key: encoded.key, nextFireMs: next, ...reply };
}

/** @throws ConfigError (CMQ-004) for a schedule that never fires */
export function firstFire(
  key: string,
  spec: SpecTiming & Pick<RepeatableSpec, 'immediately' | 'count'>,
  now: number,
): number {
  const { endBeforeMs, limit, count = 0 } = spec;
  if (limit !== undefined && count >= limit) {
    throw new ConfigError(
      `repeat: "${key}" would never fire: its count, ${String(count)}, has reached its limit, ${String(limit)}.`,
    );
  }
  if (endBeforeMs !== undefined && endBeforeMs <= now) {
    throw new ConfigError(
      `repeat: endDate ${new Date(endBeforeMs).toISOString()} of "${key}" is in the past.`,
    );
  }
  const first = firstSlot({ ...spec, endBeforeMs }, now);
  // The run of now is one more, and may be the only one before the end.
  const isAtOnce =
    spec.immediately === true && firstSlot({ ...spec, endBeforeMs: undefined }, now) !== undefined;
  if (isAtOnce) return now;
  if (first === undefined) {
    throw new ConfigError(
      `repeat: "${key}" would never fire: no time matches its pattern between startDate and endDate.`,
    );
  }
  return first;
}

export async function redisNow(link: CommandLink): Promise<number> {
  const [seconds, microseconds] = (await link.call('TIME', [])) as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

const PAGE = 500;

/** Reads schedules in the order of their next slot: `count` of them, from `from` on. */
export async function readRows(
  link: CommandLink,
  keys: QueueKeys,
  { from, count, ...how }: ListSchedulesOptions,
): Promise<ListedSchedule[]> {
  // Schedules move while the pages are read, so one may be read twice: the later read counts.
  const found = new Map<string, ListedSchedule>();
  const end = from + count;
  while (from < end) {
    const { total, rows } = await listSchedules(link, keys, {
      ...how,
      from,
      count: Math.min(PAGE, end - from),
    });
    for (const row of rows) {
      found.delete(row.key);
      found.set(row.key, row);
    }
    from += rows.length;
    if (rows.length === 0 || from >= total) break;
  }
  return [...found.values()];
}

/**
 * Up to `limit` schedules, ordered by their next fire; paused ones come last. A schedule that this runtime cannot read (an
 * unknown time zone, or written by another program) is left out.
 */
export async function readSchedules(
  link: CommandLink,
  keys: QueueKeys,
  limit: number,
): Promise<RepeatableMeta[]> {
  const rows = await readRows(link, keys, { from: 0, count: limit, order: 'asc', fields: META_FIELDS });
  rows.sort((a, b) => a.slot - b.slot);
  return rows.flatMap(({ key, slot, values }) => {
    try {
      return [decodeMeta(key, slot, values.map(toText))];
    } catch {
      return [];
    }
  });
}

export function toText(value: Buffer | null): string | null {
  return value === null ? null : value.toString();
}

/** Removes a schedule. Jobs that it has already added stay. */
export async function removeSchedule(
  link: CommandLink,
  keys: QueueKeys,
  key: string,
  claim?: ScheduleClaim,
): Promise<RemoveScheduleOutcome> {
  const [outcome = 'absent'] = await removeSchedules(link, keys, [key], claim);
  return outcome;
}
