import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ListSchedulesOptions {
  /** Counted from 0, in the order of their next slot. */
  from: number;
  count: number;
  /** `asc`: the earliest slot first. */
  order: 'asc' | 'desc';
  /** The fields of each schedule to read. */
  fields: readonly string[];
}

export interface ListedSchedule {
  readonly key: string;
  /** Its next slot, in unix ms; of a paused schedule, a time that never comes. */
  readonly slot: number;
  /** In the order of the fields asked for. */
  readonly values: readonly (Buffer | null)[];
}

export interface ListSchedulesReply {
  /** How many schedules there are. */
  total: number;
  /** Fewer than `count` if they are large: ask for the rest. */
  rows: ListedSchedule[];
}

type Row = [key: Buffer, slot: Buffer, ...values: (Buffer | null)[]];

/** Reads schedules in the order of their next slot. */
export async function listSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  { from, count, order, fields }: ListSchedulesOptions,
): Promise<ListSchedulesReply> {
  const reply = await runner.run('list-schedules', keys, [from, count, order, ...fields], { buffers: true });
  const [total, ...rows] = reply as [number, ...Row[]];
  return {
    total,
    rows: rows.map(([key, slot, ...values]) => ({ key: String(key), slot: Number(slot), values })),
  };
}
