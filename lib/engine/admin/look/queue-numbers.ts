import type { QueueKeys } from '../../../redis/keys.js';
import { readMetrics } from '../../../redis/scripts/read-metrics.js';
import type { ScriptRunner } from '../../../redis/script-runner.js';
import type { QueueGauges } from '../../base/telemetry.js';
import { countQueue } from '../../connection/read-gauges.js';
import { getJobCounts } from './counts.js';

/** What an export for Prometheus shows of a queue. */
export interface QueueNumbers {
  /** As `getJobCounts()` counts. */
  readonly counts: Readonly<Record<string, number>>;
  readonly gauges: QueueGauges;
  /** Jobs that have ended, as workers with `metrics` count them. Undefined: they have counted none. */
  readonly ended: { readonly completed: number | undefined; readonly failed: number | undefined };
}

/** Reads all numbers of a queue, in one round trip. */
export async function readQueueNumbers(
  runner: ScriptRunner,
  keys: QueueKeys,
  group: string,
): Promise<QueueNumbers> {
  const ended = async (kind: 'completed' | 'failed'): Promise<number | undefined> => {
    // Only the head.
    const { last, count } = await readMetrics(runner, keys, { kind, start: 0, end: 0 });
    return last === undefined ? undefined : count;
  };
  const [counts, gauges, completed, failed] = await Promise.all([
    getJobCounts(runner, keys, []),
    countQueue(runner, keys, group),
    ended('completed'),
    ended('failed'),
  ]);
  return { counts, gauges, ended: { completed, failed } };
}
