import type { QueueKeys } from '../../../redis/keys.js';
import { readSchedule } from '../../../redis/scripts/read-schedule.js';
import { ScheduleNotFoundError } from '../../base/errors.js';
import type { RepeatOptions } from '../../config/options.js';
import type { CommandLink } from '../../connection/command-link.js';
import { patternOf, toMs } from './from-options.js';
import { firstFire, redisNow, toText, upsert } from './schedules.js';
import { encodeFields, JOB_FIELDS } from './stored-schedule.js';
import type { Fields } from './stored-schedule.js';

/** When a schedule fires. */
export type RescheduleOptions = Pick<
  RepeatOptions,
  'pattern' | 'every' | 'tz' | 'offset' | 'limit' | 'startDate' | 'endDate'
>;

/**
 * Changes when a schedule fires. Its jobs, its count and what it does about missed fires stay as they are stored, byte for
 * byte. Resolves with the next slot, in unix ms.
 * @throws ScheduleNotFoundError (CMQ-111), ConfigError (CMQ-004) if it would never fire
 */
export async function reschedule(
  link: CommandLink,
  keys: QueueKeys,
  id: string,
  repeat: RescheduleOptions,
): Promise<number> {
  const pattern = patternOf(repeat);
  for (;;) {
    const row = await readSchedule(link, keys, id, [...JOB_FIELDS, 'fired', 'start', 'revision']);
    if (!row) throw new ScheduleNotFoundError(id, keys.queue, 'rescheduleJobScheduler');
    const rest: Fields = {};
    JOB_FIELDS.forEach((field, index) => {
      rest[field] = row.values[index] ?? undefined;
    });
    const [fired, start, revision] = row.values.slice(JOB_FIELDS.length).map(toText);
    const count = Number(fired ?? 0);
    const timing = {
      pattern,
      limit: repeat.limit,
      startAfterMs: toMs(repeat.startDate) ?? (start ? Number(start) : undefined),
      endBeforeMs: toMs(repeat.endDate),
    };
    const now = await redisNow(link);
    const first = firstFire(id, { ...timing, count }, now);
    const at = { first, now, lost: undefined, count, claim: undefined, expected: revision ?? '' };
    const { outcome, nextFireMs } = await upsert(link, keys, encodeFields(id, timing, rest), at);
    // Somebody else has changed or removed it since it was read.
    if (outcome !== 'changed') return nextFireMs;
  }
}
