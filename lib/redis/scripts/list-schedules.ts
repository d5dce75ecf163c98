import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ListSchedulesOptions {
  /** Counted from 0, in the order of their next slot. */
  from: number;
  count: number;
  /** The fields of each schedule to read. */
  fields: readonly string[];
}

export interface ListedSchedule {
  readonly key: string;
  /** Unix ms. */
  readonly next: number;
  /** In the order of the fields asked for. */
  readonly values: readonly (string | null)[];
}

type Row = [key: string, slot: string, ...values: (string | null)[]];

/** Reads schedules in the order of their next slot. */
export async function listSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, count, fields }: ListSchedulesOptions,
): Promise<ListedSchedule[]> {
  const rows = (await runner.run('list-schedules', keys, [from, count, ...fields])) as Row[];
  return rows.map(([key, slot, ...values]) => ({ key, next: Number(slot), values }));
}
