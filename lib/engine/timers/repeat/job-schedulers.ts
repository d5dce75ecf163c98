import type { QueueKeys } from '../../../redis/keys.js';
import type { ListedSchedule } from '../../../redis/scripts/list-schedules.js';
import { pauseSchedule as pause } from '../../../redis/scripts/pause-schedule.js';
import { readSchedule } from '../../../redis/scripts/read-schedule.js';
import { resumeSchedule as resume } from '../../../redis/scripts/resume-schedule.js';
import { ScheduleNotFoundError } from '../../base/errors.js';
import { readExtras } from '../../codec/extras.js';
import { decodePayload } from '../../codec/payload.js';
import { decodeRetry } from '../../codec/read-envelope.js';
import type { JobSchedulerJson } from '../../config/options.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { NewJob } from '../../enqueue/new-job.js';
import { ownOptions } from '../../job/own-options.js';
import { idOfJob } from './from-template.js';
import { slotAfterPause } from './plan-fires.js';
import { readRows, redisNow, toText } from './schedules.js';
import { TIMING_FIELDS, decodeMissed, decodeTiming, isPaused } from './stored-schedule.js';

/** What {@link toJson} reads of a schedule. */
const FIELDS = [
  ...[
    'name',
    'payload',
    'retry',
    'extras',
    'fired',
    'limit',
    'start',
    'end',
    'tz',
    'pattern',
    'every',
    'offset',
  ],
  ...['missed', 'overlap', 'owner', 'paused'],
] as const;

/** @throws DecodeError (CMQ-003) never: what cannot be decoded is left out */
function toJson({ key, slot, values }: ListedSchedule, fields: readonly string[]): JobSchedulerJson {
  const of = (field: string): Buffer | undefined => values[fields.indexOf(field)] ?? undefined;
  const text = (field: string): string | undefined => of(field)?.toString();
  const number = (field: string): number | undefined => {
    const value = text(field);
    return value === undefined ? undefined : Number(value);
  };
  const paused = isPaused(slot);
  const json: Record<keyof JobSchedulerJson, unknown> = {
    key,
    id: key,
    name: text('name') ?? '',
    iterationCount: number('fired') ?? 0,
    limit: number('limit'),
    startDate: number('start'),
    endDate: number('end'),
    tz: text('tz'),
    pattern: text('pattern'),
    every: number('every'),
    offset: number('offset'),
    next: paused ? undefined : slot,
    template: templateOf(of('payload'), of('retry'), of('extras')),
    paused,
    pausedSince: paused ? sinceOf(number('paused')) : undefined,
    skipIfRunning: text('overlap') === 'skip',
    missedFires: orUndefined(() => decodeMissed(text('missed') ?? null)),
    owner: text('owner'),
  };
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined)) as never;
}

/** 0: nothing says since when it is paused. */
function sinceOf(paused: number | undefined): number | undefined {
  return paused === 0 ? undefined : paused;
}

function templateOf(
  payload: Buffer | undefined,
  retry: Buffer | undefined,
  extras: Buffer | undefined,
): JobSchedulerJson['template'] {
  const template: JobSchedulerJson['template'] = {};
  const data = payload && orUndefined(() => ({ data: decodePayload(payload) }));
  if (data) Object.assign(template, data);
  const wireRetry = retry && orUndefined(() => decodeRetry(retry));
  const opts = ownOptions(wireRetry, extras && readExtras(extras));
  if (Object.keys(opts).length > 0) template.opts = opts;
  return template;
}

/** Another program may have written the hash. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** One schedule, with its template; undefined if there is none of this id. */
export async function getJobScheduler(
  link: CommandLink,
  keys: QueueKeys,
  id: string,
): Promise<JobSchedulerJson | undefined> {
  const row = await readSchedule(link, keys, id, FIELDS);
  return row && toJson(row, FIELDS);
}

/** Schedules in the order of their next run. Positions count from 0; negative ones from the end, -1 being the last. */
export async function getJobSchedulers(
  link: CommandLink,
  keys: QueueKeys,
  { start, end, asc }: { start: number; end: number; asc: boolean },
): Promise<JobSchedulerJson[]> {
  const isRelative = start < 0 || end < 0;
  const total = isRelative ? await countSchedules(link, keys) : 0;
  const from = start < 0 ? Math.max(0, total + start) : start;
  const to = end < 0 ? total + end : end;
  if (to < from) return [];
  const order = asc ? 'asc' : 'desc';
  const rows = await readRows(link, keys, { from, count: to - from + 1, order, fields: FIELDS });
  return rows.map((row) => toJson(row, FIELDS));
}

export async function countSchedules(link: CommandLink, keys: QueueKeys): Promise<number> {
  return (await link.call('ZCARD', [keys.repeat])) as number;
}

/**
 * True if it was not paused before.
 * @throws ScheduleNotFoundError (CMQ-111)
 */
export async function pauseSchedule(link: CommandLink, keys: QueueKeys, id: string): Promise<boolean> {
  const outcome = await pause(link, keys, id);
  if (outcome === 'unknown') throw new ScheduleNotFoundError(id, keys.queue, 'pauseJobScheduler');
  return outcome === 'changed';
}

/** What {@link resumeSchedule} reads of a schedule. */
const RESUME_FIELDS = ['revision', 'slot', 'start', ...TIMING_FIELDS] as const;

/**
 * True if it was paused before.
 * @throws ScheduleNotFoundError (CMQ-111), ConfigError (CMQ-004) if this runtime cannot read its pattern
 */
export async function resumeSchedule(link: CommandLink, keys: QueueKeys, id: string): Promise<boolean> {
  for (;;) {
    const row = await readSchedule(link, keys, id, RESUME_FIELDS);
    if (!row) throw new ScheduleNotFoundError(id, keys.queue, 'resumeJobScheduler');
    if (!isPaused(row.slot)) return false;
    const [revision = null, pausedSlot = null, start = null, ...timing] = row.values.map(toText);
    const schedule = { ...decodeTiming(timing), startAfterMs: start === null ? undefined : Number(start) };
    const slot = pausedSlot === null || isPaused(Number(pausedSlot)) ? undefined : Number(pausedSlot);
    const next = slotAfterPause(schedule, slot, await redisNow(link));
    const outcome = await resume(link, keys, { key: id, revision: revision ?? '', next });
    if (outcome === 'unknown') throw new ScheduleNotFoundError(id, keys.queue, 'resumeJobScheduler');
    // Its definition was replaced in between: the next slot follows from the new one.
    if (outcome !== 'replaced') return outcome === 'changed';
  }
}

/** How long the id of a job stays taken after it, in ms, where a schedule runs one job at a time: see fire-schedules.lua. */
const SKIP_UNIQUE_MS = 1;

/** What {@link jobOfSchedule} reads of a schedule. */
const JOB_FIELDS = ['name', 'payload', 'retry', 'extras', 'overlap', 'tracked'] as const;

/**
 * A job as the schedule adds it, for a run out of turn. Its id cannot be that of a slot, except if the schedule runs one job
 * at a time: then all its jobs have the same id.
 * @throws ScheduleNotFoundError (CMQ-111), DecodeError (CMQ-003) if another program wrote the schedule
 */
export async function jobOfSchedule(
  link: CommandLink,
  keys: QueueKeys,
  id: string,
): Promise<{ job: NewJob; data: unknown }> {
  const row = await readSchedule(link, keys, id, JOB_FIELDS);
  if (!row) throw new ScheduleNotFoundError(id, keys.queue, 'runJobScheduler');
  const [name, payload, retry, extras, overlap, tracked] = row.values;
  const skipIfRunning = overlap?.toString() === 'skip';
  const now = Date.now();
  const job: NewJob = {
    id: idOfJob(id, skipIfRunning, `now:${String(now)}-${suffix()}`),
    name: name?.toString() ?? '',
    payload: payload ?? Buffer.alloc(0),
    createdAtMs: now,
    attempt: 0,
    retry: retry ? decodeRetry(retry) : undefined,
  };
  const data = decodePayload(job.payload);
  if (extras) job.extras = extras;
  if (skipIfRunning) {
    job.uniqueMs = SKIP_UNIQUE_MS;
  } else if (tracked) {
    // As fire-schedules.lua: the job is located by its id.
    job.uniqueMs = 0;
    job.isNewId = true;
  }
  return { job, data };
}

/** Six characters. With them, an id has at most 512 bytes. */
function suffix(): string {
  return Math.random().toString(36).slice(2, 8).padEnd(6, '0');
}
