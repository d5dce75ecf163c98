import type { QueueKeys } from '../../../redis/keys.js';
import { listSchedules } from '../../../redis/scripts/list-schedules.js';
import { removeSchedules } from '../../../redis/scripts/remove-schedules.js';
import { upsertSchedule } from '../../../redis/scripts/upsert-schedule.js';
import type { UpsertScheduleOptions, UpsertScheduleReply } from '../../../redis/scripts/upsert-schedule.js';
import type { Clock } from '../../base/clock.js';
import { ConfigError } from '../../base/errors.js';
import type { CommandLink } from '../../connection/command-link.js';
import { firstSlot } from './plan-fires.js';
import { META_FIELDS, decodeMeta } from './stored-schedule.js';
import type { EncodedSchedule, RepeatableMeta, RepeatableSpec } from './stored-schedule.js';

export interface StoreResult {
  key: string;
  outcome: UpsertScheduleReply['outcome'];
  nextFireMs: number;
  /** Fires so far. */
  fired: number;
  /** When this definition was stored first, in unix ms. */
  storedMs: number;
}

/**
 * Stores a schedule. If it is there and unchanged, nothing is written, so every process may store its schedules whenever
 * it starts.
 * @param encoded the same schedule, encoded
 * @param clock instead of Redis's clock, for tests
 * @throws ConfigError (CMQ-004) if it never fires, ConnectionError (CMQ-001)
 */
export async function storeSchedule(
  link: CommandLink,
  keys: QueueKeys,
  spec: RepeatableSpec,
  encoded: EncodedSchedule,
  clock?: Pick<Clock, 'now'>,
): Promise<StoreResult> {
  const now = clock?.now() ?? (await redisNow(link));
  const first = firstFire(encoded.key, spec, now);
  return upsert(link, keys, encoded, { first, now: clock ? undefined : now, lost: undefined });
}

/**
 * Stores a schedule that was lost with Redis's data, and continues where it was. If it is there in this version or a later
 * one, or somebody has removed it, nothing is written.
 */
export function restoreSchedule(
  link: CommandLink,
  keys: QueueKeys,
  encoded: EncodedSchedule,
  { nextFireMs, fired, storedMs }: Pick<StoreResult, 'nextFireMs' | 'fired' | 'storedMs'>,
): Promise<StoreResult> {
  return upsert(link, keys, encoded, { first: nextFireMs, now: undefined, lost: { fired, storedMs } });
}

async function upsert(
  link: CommandLink,
  keys: QueueKeys,
  encoded: EncodedSchedule,
  at: Pick<UpsertScheduleOptions, 'first' | 'now' | 'lost'>,
): Promise<StoreResult> {
  const { outcome, next, fired, storedMs } = await upsertSchedule(link, keys, { ...encoded, ...at });
  return { key: encoded.key, outcome, nextFireMs: next, fired, storedMs };
}

/** @throws ConfigError (CMQ-004) for a schedule that never fires */
export function firstFire(key: string, spec: RepeatableSpec, now: number): number {
  const { endBeforeMs } = spec;
  if (endBeforeMs !== undefined && endBeforeMs <= now) {
    throw new ConfigError(
      `repeat: endDate ${new Date(endBeforeMs).toISOString()} of "${key}" is in the past.`,
    );
  }
  const first = firstSlot({ ...spec, endBeforeMs }, now);
  if (first === undefined) {
    throw new ConfigError(
      `repeat: "${key}" would never fire: no time matches its pattern between startDate and endDate.`,
    );
  }
  return first;
}

async function redisNow(link: CommandLink): Promise<number> {
  const [seconds, microseconds] = (await link.call('TIME', [])) as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

const PAGE = 500;

/**
 * Up to `limit` schedules, ordered by their next fire. A schedule that this runtime cannot read (an unknown time zone, or
 * written by another program) is left out.
 */
export async function readSchedules(
  link: CommandLink,
  keys: QueueKeys,
  limit: number,
): Promise<RepeatableMeta[]> {
  const found = new Map<string, RepeatableMeta>();
  for (let from = 0; from < limit; from += PAGE) {
    const count = Math.min(PAGE, limit - from);
    const rows = await listSchedules(link, keys, { from, count, fields: META_FIELDS });
    for (const { key, next, values } of rows) {
      const meta = readable(() => decodeMeta(key, next, values));
      // Schedules move while the pages are read, so one may be read twice: the later read counts.
      if (meta) found.set(key, meta);
    }
    if (rows.length < count) break;
  }
  return [...found.values()].sort((a, b) => a.nextFireMs - b.nextFireMs);
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Removes a schedule. True if it was there. Jobs that it has already added stay. */
export async function removeSchedule(link: CommandLink, keys: QueueKeys, key: string): Promise<boolean> {
  const [removed = false] = await removeSchedules(link, keys, [key]);
  return removed;
}
