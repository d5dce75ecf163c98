import type { QueueKeys } from '../../../redis/keys.js';
import { claimSchedules } from '../../../redis/scripts/claim-schedules.js';
import { listSchedules } from '../../../redis/scripts/list-schedules.js';
import { removeSchedules } from '../../../redis/scripts/remove-schedules.js';
import { upsertSchedule } from '../../../redis/scripts/upsert-schedule.js';
import type { UpsertScheduleReply } from '../../../redis/scripts/upsert-schedule.js';
import type { Clock } from '../../base/clock.js';
import type { CommandLink } from '../../connection/command-link.js';
import { ConfigError } from '../../base/errors.js';
import { firstSlot } from './plan.js';
import { META_FIELDS, decodeMeta, encodeSpec } from './spec.js';
import type { EncodedSpec, RepeatableMeta, RepeatableSpec } from './spec.js';
import { checkLimit } from '../../config/check-arguments.js';

export interface UpsertOptions {
  maxPayloadBytes?: number | undefined;
  /** Instead of Redis's clock, for tests. */
  clock?: Pick<Clock, 'now'> | undefined;
}

export interface Upserted {
  /** The spec's key. */
  key: string;
  outcome: UpsertScheduleReply['outcome'];
  nextFireMs: number;
  /** Fires so far. */
  fired: number;
}

/**
 * Registers a repeatable spec; an equal one that is there already stays as it is, so every process may register what it
 * needs whenever it starts.
 * @throws ConfigError, TypeError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), ConnectionError
 * (CMQ-001)
 */
export async function upsertRepeatable(
  link: CommandLink,
  keys: QueueKeys,
  spec: RepeatableSpec,
  options: UpsertOptions = {},
): Promise<Upserted> {
  const encoded = encodeSpec(spec, options.maxPayloadBytes);
  return upsertEncoded(link, keys, spec, encoded, options);
}

export async function upsertEncoded(
  link: CommandLink,
  keys: QueueKeys,
  spec: RepeatableSpec,
  encoded: EncodedSpec,
  { clock }: UpsertOptions,
): Promise<Upserted> {
  const now = clock?.now() ?? (await redisNow(link));
  const first = firstFire(encoded.key, spec, now);
  return upsert(link, keys, encoded, { first, now: clock ? undefined : now, lostAfterFires: undefined });
}

/**
 * Registers a spec again that was lost with Redis's data, from where it was: unless it is there, or somebody has removed
 * it.
 */
export function restoreRepeatable(
  link: CommandLink,
  keys: QueueKeys,
  encoded: EncodedSpec,
  { nextFireMs, fired }: Pick<Upserted, 'nextFireMs' | 'fired'>,
): Promise<Upserted> {
  return upsert(link, keys, encoded, { first: nextFireMs, now: undefined, lostAfterFires: fired });
}

async function upsert(
  link: CommandLink,
  keys: QueueKeys,
  encoded: EncodedSpec,
  at: { first: number; now: number | undefined; lostAfterFires: number | undefined },
): Promise<Upserted> {
  const { outcome, next, fired } = await upsertSchedule(link, keys, { ...encoded, ...at });
  return { key: encoded.key, outcome, nextFireMs: next, fired };
}

/** @throws ConfigError (CMQ-004) for a spec that never fires */
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
 * Up to `limit` specs, by their next fire. A spec that this runtime cannot read (an unknown time zone, another writer) is
 * left out.
 */
export async function listRepeatables(
  link: CommandLink,
  keys: QueueKeys,
  limit: number,
): Promise<RepeatableMeta[]> {
  checkLimit(limit);
  const found = new Map<string, RepeatableMeta>();
  for (let from = 0; from < limit; from += PAGE) {
    const count = Math.min(PAGE, limit - from);
    const rows = await listSchedules(link, keys, { from, count, fields: META_FIELDS });
    for (const { key, next, values } of rows) {
      const meta = readable(() => decodeMeta(key, next, values));
      // Specs move while the pages are read: the later sight of one counts.
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

/** Whether no newer deployment of this owner has decided about its specs; from then on, older ones may not. */
export function claimRepeatables(
  link: CommandLink,
  keys: QueueKeys,
  owner: string,
  generation: number,
): Promise<boolean> {
  return claimSchedules(link, keys, { owner, generation });
}

/** Removes a spec by its key; true if it was there. Jobs that it has fired already stay. */
export async function removeRepeatable(link: CommandLink, keys: QueueKeys, key: string): Promise<boolean> {
  const [removed = false] = await removeSchedules(link, keys, [key]);
  return removed;
}
