import type { QueueKeys } from '../../../redis/keys.js';
import { readMetrics } from '../../../redis/scripts/read-metrics.js';
import type { ScriptRunner } from '../../../redis/script-runner.js';

/** How many jobs have ended, by the minute, as workers with the option `metrics: { maxDataPoints }` count them. */
export interface Metrics {
  meta: {
    /** All jobs since the first count. */
    count: number;
    /** The beginning of the newest minute that has a count, in unix ms; 0: there is none. */
    prevTS: number;
    /** All jobs before that minute. */
    prevCount: number;
  };
  /** The jobs of each minute before the one of `prevTS`, the latest minute first. */
  data: number[];
  /** How many minutes `data` has if all are read. */
  count: number;
}

/** One call of the script reads at most so many. */
const PAGE = 4_000;

/** @param end the last index that is read; negative: from the end, -1 is the oldest minute */
export async function getMetrics(
  runner: ScriptRunner,
  keys: QueueKeys,
  kind: 'completed' | 'failed',
  start: number,
  end: number,
): Promise<Metrics> {
  const head = await readMetrics(runner, keys, { kind, start: 0, end: -1 });
  const from = start < 0 ? Math.max(0, head.points + start) : start;
  const to = Math.min(end < 0 ? head.points + end : end, head.points - 1);
  const data: number[] = [];
  while (from + data.length <= to) {
    const page = { kind, start: from + data.length, end: Math.min(to, from + data.length + PAGE - 1) };
    const { last, values } = await readMetrics(runner, keys, page);
    // A minute that begins meanwhile moves all indexes: the call is made once more.
    if (last !== head.last) return getMetrics(runner, keys, kind, start, end);
    data.push(...values);
    if (values.length === 0) break;
  }
  const { count, newest, last = 0, points } = head;
  return { meta: { count, prevTS: last * 60_000, prevCount: count - newest }, data, count: points };
}
