import type { DelayedMember, JobRow, RoomJob, WorkEntry } from '../../../redis/scripts/lib/job-rows.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { EXTRAS, readExtras } from '../../codec/extras.js';
import type { Extras } from '../../codec/extras.js';
import { decodePayload } from '../../codec/payload.js';
import { locateJob } from '../../codec/read-envelope.js';
import { readRoomMember } from '../../codec/room.js';
import type { RoomMember } from '../../codec/room.js';
import type { DlqReason } from '../../base/metrics.js';
import type { JobsOptions } from '../../config/options.js';
import type { JobPlace } from '../../job/job-actions.js';
import { Job } from '../../job/job.js';
import type { JobOwner, JobState } from '../../job/job.js';
import { ownOptions } from '../../job/own-options.js';
import { toDlqEntry } from '../dlq.js';
import { EXPIRED, RELEASED } from '../ownerless.js';
import { applyTracked } from '../tracked.js';
import type { Tracked } from '../tracked.js';

/** What the bytes of a job say. Bytes that are not a Job say nothing; data that cannot be decoded is undefined. */
interface Decoded {
  readonly id: string;
  readonly data: unknown;
  readonly timestamp: number;
  /** Attempts used. */
  readonly attempt: number;
  readonly opts: JobsOptions;
  readonly extras: Extras | undefined;
  readonly unreadable?: JobPlace['unreadable'];
}

/** The job of a row. @param now Redis's clock, unix ms */
export function toJob(owner: JobOwner, row: JobRow, now: number): Job {
  switch (row.kind) {
    case 'entry':
      return fromEntry(owner, row);
    case 'member':
      return fromMember(owner, row, now);
    case 'room':
      return fromRoom(owner, row);
    case 'letter':
      return fromLetter(owner, row.letter);
  }
}

/** The id of the job in a row; '' if its bytes have none. */
export function idOf(row: JobRow): string {
  return row.kind === 'letter' ? (toDlqEntry(row.letter).jobId ?? '') : row.id;
}

/** The state of the job in a row. */
export function stateOf(row: JobRow): JobState {
  if (row.kind === 'letter') return 'failed';
  if (row.kind === 'member') return 'delayed';
  if (row.kind === 'room') return stateInRoom(readRoomMember(row.member));
  return row.consumer === undefined ? 'waiting' : 'active';
}

function fromEntry(owner: JobOwner, entry: WorkEntry): Job {
  const { bytes, name, id, consumer, starts, entryId } = entry;
  const decoded = decode(bytes, id, timeOf(entryId));
  const job = newJob(owner, stateOf(entry), name, decoded, { entryId }, decoded.attempt + starts);
  if (consumer !== undefined && consumer !== RELEASED && consumer !== EXPIRED) job.processedBy = consumer;
  return job;
}

function fromMember(owner: JobOwner, { member, id, score }: DelayedMember, now: number): Job {
  // Other bytes than a delayed member have no name.
  const length = member.length >= 4 ? member.readUInt32LE() : 0;
  const isMember = 4 + length <= member.length;
  const name = isMember ? member.toString('utf8', 4, 4 + length) : '';
  const decoded = decode(isMember ? member.subarray(4 + length) : member, id);
  return newJob(
    owner,
    'delayed',
    name,
    decoded,
    { member },
    decoded.attempt,
    Math.max(0, Number(score) - now),
  );
}

function fromRoom(owner: JobOwner, { member, id }: RoomJob): Job {
  const place = readRoomMember(member);
  const decoded = decode(place?.job ?? member, id, place?.since);
  return newJob(owner, stateInRoom(place), place?.name ?? '', decoded, { member }, decoded.attempt);
}

/** Jobs of groups wait for the turn of their group, whatever their priority inside it. */
function stateInRoom(place: RoomMember | undefined): JobState {
  return place?.group === '' && place.priority > 0 ? 'prioritized' : 'waiting';
}

function fromLetter(owner: JobOwner, letter: StreamEntry): Job {
  const {
    dlqId,
    sourceId,
    payload,
    jobId = '',
    name,
    attempts,
    reason,
    detail,
    stack,
    failedAt,
  } = toDlqEntry(letter);
  const decoded = decode(payload, jobId, timeOf(sourceId) || timeOf(dlqId));
  const job = newJob(owner, 'failed', name, decoded, { dlqId }, attempts ?? decoded.attempt);
  job.failedReason = detail ?? reason;
  job.deadLetterReason = reason as DlqReason;
  if (stack !== undefined) job.stacktrace = [stack];
  job.finishedOn = failedAt;
  return job;
}

/** A completed job that is kept; undefined if it is not, or not any more. */
export function completedJob(owner: JobOwner, id: string, tracked: Tracked): Job | undefined {
  const { end } = tracked;
  if (end?.state !== 'completed') return undefined;
  const job = newJob(owner, 'completed', end.name, decode(end.bytes, id), {}, end.attemptsMade);
  applyTracked(job, tracked);
  return job;
}

function newJob(
  owner: JobOwner,
  state: JobState,
  name: string,
  { id, data, opts, timestamp, extras, unreadable }: Decoded,
  at: JobPlace,
  attemptsMade: number,
  delay = 0,
): Job {
  const place = unreadable ? { ...at, unreadable } : at;
  const job = new Job(owner, { id, name, data, opts, attemptsMade, timestamp, delay, place });
  job.state = state;
  if (extras) job[EXTRAS] = extras;
  return job;
}

/** The time in the id of an entry, in unix ms; 0 for other text. */
function timeOf(entryId: string): number {
  return Number(/^(\d{1,15})-/.exec(entryId)?.[1] ?? 0);
}

/** @param since when the job came to its place, for the case that its bytes do not say when it was added */
function decode(bytes: Buffer, id: string, since = 0): Decoded {
  const unreadable = { bytes, since };
  try {
    const { payloadFrom, payloadTo, createdAtMs, attempt, retry, jobTo, id: jobId } = locateJob(bytes);
    const extras = jobTo < bytes.length ? readExtras(bytes, jobTo) : undefined;
    const opts = ownOptions(retry, extras);
    const data = dataOf(bytes, payloadFrom, payloadTo);
    const decoded = { id: jobId, data, timestamp: createdAtMs, attempt, opts, extras };
    return jobId === '' ? { ...decoded, unreadable } : decoded;
  } catch {
    return { id, data: undefined, timestamp: 0, attempt: 0, opts: {}, extras: undefined, unreadable };
  }
}

function dataOf(bytes: Buffer, from: number, to: number): unknown {
  try {
    return decodePayload(bytes, from, to);
  } catch {
    return undefined;
  }
}
