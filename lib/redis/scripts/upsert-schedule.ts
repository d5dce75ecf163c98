import type { QueueKeys } from '../keys.js';
import type { ScheduleClaim } from './claim-schedules.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';

export interface UpsertScheduleOptions extends RepeatableCall {
  key: string;
  /** The slot at which a new schedule fires first, in unix ms. */
  first: number;
  /** Digest of the fields that say when it fires. */
  schedule: string;
  /** Digest of all fields. */
  revision: string;
  /** Unix ms; undefined in tests that have a clock of their own. */
  now: number | undefined;
  /**
   * Register only a schedule that was lost with Redis's data: how often it had fired, when its definition was stored, and
   * since when it was paused. undefined = register in any case.
   */
  lost: { fired: number; storedMs: number; pausedMs: number | undefined } | undefined;
  /** The count of a schedule that starts. */
  count: number;
  /** The caller has claimed the schedules of this owner: nothing is written if a newer deployment has claimed them since. */
  claim: ScheduleClaim | undefined;
  /** Change only a schedule that still has this revision. It keeps its count. Default: register in any case. */
  expected?: string | undefined;
  fields: readonly (readonly [field: string, value: string | Buffer])[];
}

const OUTCOMES = ['unchanged', 'started', 'updated', 'gone', 'superseded', 'changed'] as const;

export interface UpsertScheduleReply {
  /**
   * `unchanged`: it was there, and nothing was written. `started`: it is new, or fires at other times than before: it
   * counts from `count`. `updated`: it fires something else; its next slot and its count stay. `gone`: it was not lost but
   * removed, or it is over, and nothing was written. `superseded`: a newer deployment of the owner has claimed its
   * schedules, and nothing was written. `changed`: it has not the expected revision, and nothing was written.
   */
  outcome: (typeof OUTCOMES)[number];
  /** Unix ms. Of a paused schedule: the slot that it is to fire when it is resumed before it. */
  next: number;
  /** How often it has fired. */
  fired: number;
  /** When the definition that is there now was stored first, in unix ms. */
  storedMs: number;
  /** Since when it is paused, in unix ms; undefined = it is not. */
  pausedMs: number | undefined;
}

type Reply = [outcome: 0 | 1 | 2 | 3 | 4 | 5, next: string, fired: string, stored: string, paused: string];

/** Registers a schedule. */
export async function upsertSchedule(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: UpsertScheduleOptions,
): Promise<UpsertScheduleReply> {
  const { key, first, schedule, revision, now = '', lost, fields, call } = options;
  const { count, claim, expected = '' } = options;
  const args: ScriptArgument[] = [
    key,
    first,
    schedule,
    revision,
    now,
    lost?.fired ?? '',
    lost?.storedMs ?? '',
    lost?.pausedMs ?? '',
    count,
    claim?.owner ?? '',
    claim?.generation ?? '',
    expected,
  ];
  for (const [field, value] of fields) args.push(field, value);
  const reply = await runner.run('upsert-schedule', keys, args, { call });
  const [outcome, next, fired, stored, paused] = reply as Reply;
  return {
    outcome: OUTCOMES[outcome],
    next: Number(next),
    fired: Number(fired),
    storedMs: Number(stored),
    pausedMs: paused === '' ? undefined : Number(paused),
  };
}
