import type {
  MetricsHistoryPoint,
  MetricsHistoryProvider,
  MetricsHistoryQuery,
  MetricsType,
} from '@bull-board/api/typings/app';
import type { ChasquiAdapter } from './chasqui.adapter.js';

const MINUTE_MS = 60_000;
const SPANS = { hour: 60 * MINUTE_MS, day: 1_440 * MINUTE_MS } as const;
/** The longest range of the board is 90 days. */
const MOST_MINUTES = 130_000;
/** The counts of a queue are read again after so long. */
const KEEP_MS = 30_000;

/** Jobs by the beginning of their hour or day, in unix ms. */
type Counts = ReadonlyMap<number, number>;

/** The history that the board shows: the counts by the minute that workers with the option `metrics` keep. */
export class MetricsHistory implements MetricsHistoryProvider {
  readonly #queues: () => Iterable<ChasquiAdapter>;
  readonly #kept = new Map<string, { until: number; counts: Promise<Counts> }>();

  constructor(queues: () => Iterable<ChasquiAdapter>) {
    this.#queues = queues;
  }

  async getHistory(query: MetricsHistoryQuery): Promise<MetricsHistoryPoint[]> {
    const { queue, metric, from, to } = query;
    if (metric === 'queueage') return [];
    const queues = [...this.#queues()].filter((one) => queue === undefined || one.getName() === queue);
    const all = await Promise.allSettled(queues.map((one) => this.#countsOf(one, metric, query)));
    const sums = new Map<number, number>();
    for (const counts of all) {
      if (counts.status === 'rejected') {
        // A queue that is down does not hide the others.
        if (queue !== undefined || all.length === 1) throw counts.reason;
        continue;
      }
      for (const [ts, value] of counts.value) sums.set(ts, (sums.get(ts) ?? 0) + value);
    }
    return [...sums]
      .filter(([ts]) => ts + SPANS[query.granularity] > from && ts <= to)
      .sort(([a], [b]) => a - b)
      .map(([ts, value]) => ({ ts, value }));
  }

  #countsOf(
    queue: ChasquiAdapter,
    metric: MetricsType,
    { granularity, from }: MetricsHistoryQuery,
  ): Promise<Counts> {
    const minutes = Math.min(MOST_MINUTES, Math.max(1, Math.ceil((Date.now() - from) / MINUTE_MS)));
    // Ranges move on with the clock, and share what was read for about as long a range.
    const hours = Math.ceil(minutes / 60);
    const key = JSON.stringify([queue.getName(), metric, granularity, hours]);
    const now = performance.now();
    for (const [old, { until }] of this.#kept) if (until < now) this.#kept.delete(old);
    const kept = this.#kept.get(key);
    if (kept) return kept.counts;
    const counts = readCounts(queue, metric, SPANS[granularity], hours * 60);
    this.#kept.set(key, { until: now + KEEP_MS, counts });
    counts.catch(() => this.#kept.delete(key));
    return counts;
  }
}

async function readCounts(
  queue: ChasquiAdapter,
  metric: MetricsType,
  spanMs: number,
  minutes: number,
): Promise<Counts> {
  const { meta, data } = await queue.getMetrics(metric, 0, minutes);
  const counts = new Map<number, number>();
  [meta.count - meta.prevCount, ...data].forEach((count, index) => {
    const ts = meta.prevTS - index * MINUTE_MS;
    const bucket = ts - (ts % spanMs);
    if (count > 0) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  });
  return counts;
}
