import type { QueueKeys } from '../../../redis/keys.js';
import { countDeadLetters } from '../../../redis/scripts/count-dead-letters.js';
import type { DlqHistogramOptions } from '../../config/options.js';
import type { CommandLink } from '../../connection/command-link.js';
import { filterOf, rangeOf } from '../dead-letters.js';
import { LETTER_STEP } from './step.js';

/** How many dead letters there are of each kind. */
export interface DlqHistogram {
  /** All that were counted. */
  total: number;
  /**
   * The most frequent first; hours and days in their order. A key is a reason, a name ('' = none), an hour
   * (`2026-11-26T17:00Z`) or a day (`2026-11-26`).
   */
  groups: { key: string; count: number }[];
}

const HOUR_MS = 3_600_000;
const SPANS: Readonly<Record<string, number>> = { hour: HOUR_MS, day: 24 * HOUR_MS };

/** Counts dead letters by one of their properties, step by step. Those that are added during the count are not counted. */
export async function countDlq(
  link: CommandLink,
  keys: QueueKeys,
  options: DlqHistogramOptions,
): Promise<DlqHistogram> {
  const { by = 'reason', signal, onProgress } = options;
  signal?.throwIfAborted();
  const range = rangeOf(options);
  const [length, newest] = (await Promise.all([
    link.call('XLEN', [keys.dlq]),
    link.call('XREVRANGE', [keys.dlq, range.to, range.from, 'COUNT', 1]),
  ])) as [number, [string, unknown][]];
  const to = newest[0]?.[0];
  const counts = new Map<string, number>();
  let done = 0;
  for (let from: string | undefined = to === undefined ? undefined : range.from; from !== undefined;) {
    signal?.throwIfAborted();
    const step = await countDeadLetters(link, keys, {
      ...LETTER_STEP,
      from,
      to: to as string,
      by: by === 'reason' || by === 'name' ? by : (SPANS[by] as number),
      filter: filterOf(options),
    });
    for (const [value, count] of step.counts) counts.set(value, (counts.get(value) ?? 0) + count);
    done += step.lookedAt;
    await onProgress?.({ done, total: Math.max(length, done) });
    from = step.next;
  }
  const isTime = by in SPANS;
  const groups = [...counts].sort(
    isTime ? ([a], [b]) => Number(a) - Number(b) : ([a, m], [b, n]) => n - m || (a < b ? -1 : 1),
  );
  return {
    total: groups.reduce((sum, [, count]) => sum + count, 0),
    groups: groups.map(([value, count]) => ({ key: isTime ? timeOf(value, by) : value, count })),
  };
}

function timeOf(ms: string, by: string): string {
  const time = new Date(Number(ms)).toISOString();
  return by === 'day' ? time.slice(0, 10) : `${time.slice(0, 16)}Z`;
}
