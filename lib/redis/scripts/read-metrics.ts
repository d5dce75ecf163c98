import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ReadMetricsOptions {
  kind: 'completed' | 'failed';
  /** Which of the minutes before the newest one with a count: 0 = the one before it. At most 4,000 are read. */
  start: number;
  end: number;
}

export interface ReadMetricsReply {
  /** All jobs since the first count. */
  count: number;
  /** The newest minute since 1970 that has a count; undefined: none has. */
  last: number | undefined;
  /** Its count. */
  newest: number;
  /** How many minutes before it are kept. */
  points: number;
  /** The later minute first. */
  values: number[];
}

/** Reads how many jobs have ended, by the minute. */
export async function readMetrics(
  runner: ScriptRunner,
  keys: QueueKeys,
  { kind, start, end }: ReadMetricsOptions,
): Promise<ReadMetricsReply> {
  const reply = (await runner.run('read-metrics', keys, [kind, start, end])) as (string | number)[];
  const [count = 0, last = '', newest = 0, points = 0, ...values] = reply;
  return {
    count: Number(count),
    last: last === '' ? undefined : Number(last),
    newest: Number(newest),
    points: Number(points),
    values: values.map(Number),
  };
}
