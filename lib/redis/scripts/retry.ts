import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';
import { addColumn, endColumns, startColumns } from './lib/event-batch.js';
import type { EndedJob, EventOptions } from './lib/event-batch.js';
import { endingArgs, unsettledOf } from './lib/fence.js';
import type { EndingBatch, EntryId, Unsettled } from './lib/fence.js';
import { packAttempts, writeText16 } from './lib/tracked.js';
import type { TrackedAttempt } from './lib/tracked.js';

/** A job as its worker has it, with the bytes of its entry. */
export interface RetriedDelivery extends EndedJob, EntryId {
  /** Where the bytes of the Job stand, in other bytes. */
  readonly from: number;
  readonly to: number;
  /** For how many ms the id stays taken, if it is the caller's. */
  readonly uniqueMs: string | undefined;
}

export interface RetriedJob<T extends RetriedDelivery> {
  readonly delivery: T;
  readonly backoffMs: number;
  /** The handler was rate-limited: while the limit holds, a job of the room goes to its old place there instead. */
  readonly isRateLimited?: boolean;
  /** What the Job says from now on: how many attempts it has used. */
  readonly attemptsUsed: number;
  /** Why the attempt failed, for the event. */
  readonly reason: string;
}

/** Writes a member of the delayed set at a position of a buffer; returns the position behind it. */
export type WriteMember<T> = (
  to: Buffer,
  at: number,
  name: string,
  delivery: T,
  attemptsUsed: number,
) => number;

export interface RetryOptions<T extends RetriedDelivery> extends EndingBatch, EventOptions, RepeatableCall {
  jobs: readonly RetriedJob<T>[];
  /** `failed`: the attempt has failed, and the next one is a retry. `delayed`: the job was put back, and goes on later. */
  event: 'failed' | 'delayed';
  /** A job of a strict group goes on before all others of its group, which wait for it. */
  keepsTurn: boolean;
  /** Writes at most the bytes of the Job, three for each character of the name, and {@link MEMBER_SLACK}. */
  writeMember: WriteMember<T>;
  /** Wake a promoter when one of the jobs is due earlier than all others: the worker has no promoter of its own. */
  wakePromoter: boolean;
  /** Some of the jobs have a place in the room. */
  hasPlaces: boolean;
  /** The attempts of the tracked jobs among them. */
  attempts: readonly TrackedAttempt[];
}

export interface RetryReply extends Unsettled {
  /** When the earliest of the jobs is due, in unix ms by Redis's clock; undefined if none was scheduled. */
  readonly due: number | undefined;
}

/** Moves jobs from the work stream to the delayed set, for their next attempt or for their next start. */
export async function retry<T extends RetriedDelivery>(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: RetryOptions<T>,
): Promise<RetryReply> {
  const { jobs, event, eventsCap, eventsBatchFrom, gaps, call } = options;
  const args = endingArgs(options, jobs.length);
  const { frames, large } = pack(jobs, options.writeMember);
  const columns = eventsCap > 0 ? columnsOf(jobs, event) : [];
  args.push(
    eventsCap,
    eventsBatchFrom,
    (options.wakePromoter ? 'w' : '') + (options.hasPlaces ? 'r' : '') + (options.keepsTurn ? 'h' : ''),
    frames,
    event === 'failed' ? 'failed,retry-scheduled' : event,
    columns.length,
    ...columns,
    ...large,
    packAttempts(options.attempts),
    gaps,
  );
  const [due, ...rest] = (await runner.run('retry', keys, args, { call })) as [string, ...number[]];
  const { lost, cancelled } = unsettledOf(rest);
  return { due: due === '' ? undefined : Number(due), lost, cancelled };
}

function columnsOf<T extends RetriedDelivery>(
  jobs: readonly RetriedJob<T>[],
  event: 'failed' | 'delayed',
): ScriptArgument[] {
  const deliveries = jobs.map(({ delivery }) => delivery);
  if (event === 'delayed') {
    const columns = startColumns(deliveries);
    addColumn(columns, 'delays_ms', jobs, ({ backoffMs }) => backoffMs);
    return columns;
  }
  const columns = endColumns(deliveries);
  addColumn(columns, 'reasons', jobs, ({ reason }) => reason);
  addColumn(columns, 'backoffs_ms', jobs, ({ backoffMs }) => backoffMs);
  return columns;
}

/** Larger jobs are arguments of their own: the script would have to copy them out of the frame. */
const LARGE_BYTES = 4_096;
/** Bytes that a delayed member may need beside the Job and the name. */
const MEMBER_SLACK = 16;

/** One frame per job in one buffer, and the delayed members that are too large for it: see lua/retry.lua. */
function pack<T extends RetriedDelivery>(
  jobs: readonly RetriedJob<T>[],
  writeMember: WriteMember<T>,
): { frames: Buffer; large: Buffer[] } {
  let bound = 0;
  for (const { delivery } of jobs) {
    const { name, jobId, from, to } = delivery;
    const size = to - from;
    bound += 80 + (size > LARGE_BYTES ? 0 : size) + (name.length + jobId.length) * 3;
  }
  const frames = Buffer.allocUnsafe(bound);
  const large: Buffer[] = [];
  let at = 0;
  for (const { delivery, backoffMs, isRateLimited, attemptsUsed } of jobs) {
    const { jobId, name, uniqueMs, from, to } = delivery;
    at = writeEntryId(frames, at, delivery);
    at = frames.writeDoubleBE(isRateLimited ? -backoffMs : backoffMs, at);
    at = writeText16(frames, at, uniqueMs === undefined ? '' : jobId);
    if (to - from > LARGE_BYTES) {
      const member = Buffer.allocUnsafe(MEMBER_SLACK + name.length * 3 + to - from);
      large.push(member.subarray(0, writeMember(member, 0, name, delivery, attemptsUsed)));
      at = frames.writeUInt32BE(0, at);
    } else {
      const end = writeMember(frames, at + 4, name, delivery, attemptsUsed);
      frames.writeUInt32BE(end - at - 4, at);
      at = end;
    }
  }
  return { frames: frames.subarray(0, at), large };
}

function writeEntryId(to: Buffer, at: number, { idSource, idFrom, idTo }: EntryId): number {
  to[at++] = idTo - idFrom;
  for (let i = idFrom; i < idTo; i++) to[at++] = idSource[i] as number;
  return at;
}
