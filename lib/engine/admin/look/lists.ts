import type { QueueKeys } from '../../../redis/keys.js';
import { countJobs } from '../../../redis/scripts/count-jobs.js';
import { ALL } from '../../../redis/scripts/lib/job-filter.js';
import type { JobFilter } from '../../../redis/scripts/lib/job-filter.js';
import type { DelayedMember, RoomJob } from '../../../redis/scripts/lib/job-rows.js';
import { readDeadLetters } from '../../../redis/scripts/read-dead-letters.js';
import { readDelayed } from '../../../redis/scripts/read-delayed.js';
import { readGroup } from '../../../redis/scripts/read-group.js';
import { readRoom } from '../../../redis/scripts/read-room.js';
import type { RoomPart } from '../../../redis/scripts/read-room.js';
import { readEntries } from '../../../redis/scripts/read-entries.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Job, JobOwner, JobType } from '../../job/job.js';
import { readTracked } from '../tracked.js';
import type { Tracked } from '../tracked.js';
import { getJobCounts } from './counts.js';
import { LETTER_STEP, STEP } from './step.js';
import { completedJob, toJob } from './to-job.js';
import { addTracked } from './with-tracked.js';

/** A part of a list, by index from 0. */
export interface ListRange {
  /** A negative index counts from the end: -1 is the last one. */
  readonly start: number;
  /** The last index of the part, with the same rule. */
  readonly end: number;
  /** The oldest first; of delayed jobs, those that are due first. */
  readonly asc: boolean;
}

/** A part without negative indexes. */
export interface Part {
  readonly skip: number;
  readonly take: number;
  readonly asc: boolean;
  /** Where a stream is entered, as XRANGE or XREVRANGE takes it; `skip` counts from there. Default: its end. */
  readonly at?: string | undefined;
}

/** The states that have a list. */
export type List = 'waiting' | 'prioritized' | 'active' | 'delayed' | 'failed' | 'completed';

/** The list of each type that a caller may name. */
export const LISTS: Readonly<Partial<Record<JobType, List>>> = {
  waiting: 'waiting',
  wait: 'waiting',
  paused: 'waiting',
  prioritized: 'prioritized',
  active: 'active',
  delayed: 'delayed',
  failed: 'failed',
  completed: 'completed',
};

/**
 * The jobs of several types, one type after the other: the range is a part of each. A job that moves between two calls, from
 * one type to another, is returned once, as it was read last.
 */
export async function listJobs(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  types: readonly JobType[],
  range: ListRange,
): Promise<Job[]> {
  const jobs = new Map<string, Job>();
  let unnamed = 0;
  for (const list of await listsOf(link, keys, types)) {
    const part = await toPart(link, keys, list, range);
    if (!part) continue;
    for (const job of await READ[list](owner, link, keys, part)) {
      // Bytes that cannot be decoded or have no id are a job each.
      const key = job.place?.unreadable ? `\n${String((unnamed += 1))}` : job.id;
      jobs.delete(key);
      jobs.set(key, job);
    }
  }
  const found = [...jobs.values()];
  await addTracked(link, keys, found);
  return found;
}

/** The waiting jobs of one group, in the order in which they run. */
export async function listGroupJobs(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  group: string,
  { start, end }: Omit<ListRange, 'asc'>,
): Promise<Job[]> {
  const countJobsOf = async (): Promise<number> => (await readGroup(link, keys, { group })).jobs;
  const part = await partOf({ start, end, asc: true }, countJobsOf);
  const jobs = part ? (await readRoomPart({ group }, owner, link, keys, part)).jobs : [];
  await addTracked(link, keys, jobs);
  return jobs;
}

async function listsOf(
  link: CommandLink,
  keys: QueueKeys,
  types: readonly JobType[],
): Promise<Iterable<List>> {
  const lists = new Set<List>();
  for (const type of types) {
    const list = LISTS[type];
    if (!list) continue;
    // Without `waiting`, `paused` are the waiting jobs of a queue that is paused.
    if (type === 'paused' && !types.includes('waiting') && !types.includes('wait')) {
      if (!(await countJobs(link, keys)).isPaused) continue;
    }
    lists.add(list);
  }
  return lists;
}

async function toPart(
  link: CommandLink,
  keys: QueueKeys,
  list: List,
  range: ListRange,
): Promise<Part | undefined> {
  return partOf(range, async () => {
    const counts = await getJobCounts(link, keys, [list]);
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  });
}

/** The part that a range is of a list; undefined if that is empty. Asks for the length only if an index needs it. */
export async function partOf(
  { start, end, asc }: ListRange,
  lengthOf: () => Promise<number>,
): Promise<Part | undefined> {
  const length = start < 0 || end < -1 ? await lengthOf() : 0;
  const first = start < 0 ? Math.max(0, length + start) : start;
  const last = end === -1 ? Infinity : end < 0 ? length + end : end;
  return first > last ? undefined : { skip: first, take: Math.min(ALL, last - first + 1), asc };
}

type ReadList = (owner: JobOwner, link: CommandLink, keys: QueueKeys, part: Part) => Promise<Job[]>;

const READ: Readonly<Record<List, ReadList>> = {
  waiting: listWaiting,
  prioritized: async (...args) => (await readRoomPart('prioritized', ...args)).jobs,
  active: async (...args) => (await readWork('active', ...args)).jobs,
  delayed: listDelayed,
  failed: async (...args) => (await readFailed(...args)).jobs,
  completed: listCompleted,
};

/** What was read of one place. */
export interface ReadPart {
  readonly jobs: Job[];
  /** How many jobs are still to be passed over: the place has fewer than that. */
  readonly left: number;
  /** Where to enter the stream to read on; undefined at its end. */
  readonly next?: string | undefined;
}

/** In the order in which they run: those with lifo, those of the work stream, then group by group. */
async function listWaiting(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  { skip, take, asc }: Part,
): Promise<Job[]> {
  const places = [
    (part: Part) => readRoomPart('lifo', owner, link, keys, part),
    (part: Part) => readWork('waiting', owner, link, keys, part),
    (part: Part) => readRoomPart('grouped', owner, link, keys, part),
  ];
  const jobs: Job[] = [];
  let left = skip;
  for (const read of asc ? places : places.reverse()) {
    if (jobs.length === take) break;
    const found = await read({ skip: left, take: take - jobs.length, asc });
    jobs.push(...found.jobs);
    left = found.left;
  }
  return jobs;
}

/** Reads a part of the room, slice by slice. */
async function readRoomPart(
  part: RoomPart,
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  { skip, take, asc }: Part,
): Promise<ReadPart> {
  const jobs: Job[] = [];
  let left = skip;
  let after: RoomJob | undefined;
  while (jobs.length < take) {
    const slice = await readRoom(link, keys, {
      part,
      order: asc ? 'first' : 'last',
      skip,
      after,
      take: Math.min(STEP.entries, take - jobs.length),
      bytes: STEP.bytes,
    });
    left = Math.max(0, skip - slice.total);
    for (const job of slice.jobs) jobs.push(toJob(owner, job, 0));
    after = slice.jobs.at(-1);
    if (!after) break;
  }
  return { jobs, left };
}

export async function readWork(
  state: 'waiting' | 'active',
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  part: Part,
): Promise<ReadPart> {
  return walk(part, async (slice) => {
    const { entries, ...rest } = await readEntries(link, keys, { ...STEP, ...slice, state });
    // The time matters only for delayed jobs.
    return { ...rest, jobs: entries.map((entry) => toJob(owner, entry, 0)) };
  });
}

/** What one call reads of a stream. */
interface Slice {
  readonly from: string;
  readonly to: string;
  readonly order: 'oldest' | 'newest';
  readonly skip: number;
  readonly take: number;
  readonly filter: JobFilter;
}

/** Reads a part of a stream, slice by slice. */
async function walk(
  { skip, take, asc, at: entered }: Part,
  read: (slice: Slice) => Promise<{ jobs: Job[]; skipped: number; next: string | undefined }>,
): Promise<ReadPart> {
  const jobs: Job[] = [];
  let left = skip;
  const to = asc ? '+' : '-';
  const order = asc ? 'oldest' : 'newest';
  let at: string | undefined = entered ?? (asc ? '-' : '+');
  while (at !== undefined && jobs.length < take) {
    const slice = await read({ from: at, to, order, skip: left, take: take - jobs.length, filter: {} });
    left -= slice.skipped;
    jobs.push(...slice.jobs);
    at = slice.next;
  }
  return { jobs, left, next: at };
}

async function listDelayed(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  { skip, take, asc }: Part,
): Promise<Job[]> {
  const jobs: Job[] = [];
  let after: DelayedMember | undefined;
  while (jobs.length < take) {
    const { now, members } = await readDelayed(link, keys, {
      order: asc ? 'earliest' : 'latest',
      rank: skip,
      after,
      take: Math.min(STEP.entries, take - jobs.length),
      bytes: STEP.bytes,
    });
    for (const member of members) jobs.push(toJob(owner, member, now));
    after = members.at(-1);
    if (!after) break;
  }
  return jobs;
}

export async function readFailed(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  part: Part,
): Promise<ReadPart> {
  return walk(part, async (slice) => {
    const { letters, ...rest } = await readDeadLetters(link, keys, { ...LETTER_STEP, ...slice });
    return { ...rest, jobs: letters.map((letter) => toJob(owner, { kind: 'letter', letter }, 0)) };
  });
}

/** Most ids of completed jobs that one call reads. */
const IDS_PER_CALL = 1_000;

async function listCompleted(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  { skip, take, asc }: Part,
): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let at = skip; at < skip + take; at += IDS_PER_CALL) {
    const to = Math.min(at + IDS_PER_CALL, skip + take) - 1;
    const ids = await readCompletedIds(link, keys, at, to, asc);
    const tracked = await readTracked(link, keys, ids);
    ids.forEach((id, index) => {
      const job = completedJob(owner, id, tracked[index] as Tracked);
      // It may have been removed since its id was read.
      if (job) jobs.push(job);
    });
    if (ids.length < IDS_PER_CALL) break;
  }
  return jobs;
}

async function readCompletedIds(
  link: CommandLink,
  keys: QueueKeys,
  from: number,
  to: number,
  asc: boolean,
): Promise<string[]> {
  return (await link.call(asc ? 'ZRANGE' : 'ZREVRANGE', [keys.completed, from, to])) as string[];
}
