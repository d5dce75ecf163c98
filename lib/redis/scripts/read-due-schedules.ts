import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ReadDueSchedulesOptions {
  holder: string;
  lockMs: number;
  /** The most schedules of one reply. */
  batch: number;
  /** Unix ms, for tests; undefined = Redis's clock. */
  now: number | undefined;
  /** Lead from now on, even if another process leads: the caller knows of a schedule that is due earlier. */
  lead: boolean;
  group: string;
  /** A leader that has been silent for so many ms while something was due is replaced. */
  silentMs: number;
  /** The fields of each schedule to read. */
  fields: readonly string[];
  /** Wake entries to acknowledge. */
  wakeIds: readonly string[];
}

export interface DueSchedule {
  readonly key: string;
  /** The time that has come, in unix ms, as Redis stores it: fire-schedules compares it. */
  readonly slot: string;
  /** Each fire copies so many bytes of payload. */
  readonly payloadBytes: number;
  readonly revision: string;
  /** How many missed slots are still to be made up for; undefined if that has not begun. */
  readonly owed: number | undefined;
  /** In the order of the fields asked for. */
  readonly values: readonly (string | null)[];
}

export type ReadDueSchedulesReply =
  | {
      leads: true;
      /** Unix ms until which no leader looked: slots up to then may have been missed. */
      gap: number;
      /** Redis's clock, in unix ms. */
      now: number;
      /** The slot of the first schedule that is not in the list, in unix ms; undefined if there is none. */
      next: number | undefined;
      due: readonly DueSchedule[];
    }
  | {
      /** Another process leads, and nothing was read. */
      leads: false;
      /** For how many ms it still leads. */
      ledForMs: number;
      now: number;
    };

type Reply = [leads: number, gap: string, now: string, next: string, ...due: Row[]];
type Row = [
  key: string,
  slot: string,
  payloadBytes: number,
  revision: string,
  owed: string | null,
  ...values: (string | null)[],
];

/** Reads the schedules that are due, for the leader. */
export async function readDueSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReadDueSchedulesOptions,
): Promise<ReadDueSchedulesReply> {
  const { holder, lockMs, batch, now = '', lead, group, silentMs, fields, wakeIds } = options;
  const args = [holder, lockMs, batch, now, lead ? '1' : '0', group, silentMs];
  args.push(fields.length, ...fields, ...wakeIds);
  const reply = await runner.run('read-due-schedules', keys, args);
  const [leads, gap, time, next, ...rows] = reply as Reply;
  if (leads !== 1) return { leads: false, ledForMs: Number(gap), now: Number(time) };
  return {
    leads: true,
    gap: Number(gap),
    now: Number(time),
    next: next === '' ? undefined : Number(next),
    due: rows.map(dueScheduleOf),
  };
}

function dueScheduleOf([key, slot, payloadBytes, revision, owed, ...values]: Row): DueSchedule {
  return { key, slot, payloadBytes, revision, owed: owed === null ? undefined : Number(owed), values };
}
