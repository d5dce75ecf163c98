import { readExtras } from '../../engine/codec/extras.js';
import { locateJob } from '../../engine/codec/read-envelope.js';
import type { JobsOptions } from '../../engine/index.js';
import { ownOptions } from '../../engine/job/own-options.js';
import { cell } from '../output/values.js';

/** What decides when a job starts, beside the order of adds. The fields are those of a job in JSON. */
export interface Order {
  /** 0 = none. Of a job in a group, its priority there. */
  readonly priority: number;
  readonly lifo: boolean;
  readonly group: string | null;
}

export function orderOf({ priority = 0, lifo = false, group }: JobsOptions): Order {
  return { priority: group ? (group.priority ?? 0) : priority, lifo, group: group?.id ?? null };
}

/** The order of a job by its bytes; bytes that are not a Job say nothing. */
export function orderInBytes(bytes: Buffer): Order {
  try {
    const { jobTo } = locateJob(bytes);
    return orderOf(ownOptions(undefined, readExtras(bytes, jobTo)));
  } catch {
    return orderOf({});
  }
}

/** Its priority in words; undefined if it has none. */
export function priorityText({ priority, lifo }: Order): string | undefined {
  if (priority > 0) return String(priority);
  return lifo ? 'lifo' : undefined;
}

/** Group and priority as names and values, those that the job has. */
export function orderPairs(order: Order): [name: string, value: string][] {
  const priority = priorityText(order);
  return [
    ...(order.group === null ? [] : [['group', cell(order.group)] as [string, string]]),
    ...(priority === undefined ? [] : [['priority', priority] as [string, string]]),
  ];
}
