import type { QueueKeys } from '../../redis/keys.js';
import { beginSweep } from '../../redis/scripts/begin-sweep.js';
import type { SweepStart } from '../../redis/scripts/begin-sweep.js';
import type { SweepStep, SweepStepOptions } from '../../redis/scripts/lib/sweep-step.js';
import { sweepCompleted } from '../../redis/scripts/sweep-completed.js';
import { sweepDelayed } from '../../redis/scripts/sweep-delayed.js';
import { readGroup } from '../../redis/scripts/read-group.js';
import type { RoomPart } from '../../redis/scripts/read-room.js';
import { sweepRoom } from '../../redis/scripts/sweep-room.js';
import { sweepWaiting } from '../../redis/scripts/sweep-waiting.js';
import type { CleanType, OperationOptions } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import { dropLetters } from './dlq.js';
import { Operation, STEP_JOBS } from './operation.js';

// Removes many jobs, step by step. Jobs that are active are never touched.

/** What a sweep removes. */
interface Sweep {
  /** Only jobs that are older than so many ms; 0 = all. */
  grace: number;
  /** The most jobs that are removed. */
  limit: number;
  withIds: boolean;
  eventsCap: number;
}

/** Removes all jobs that wait; with `delayed`, the delayed ones too. Jobs that are added during the call stay in the stream. */
export async function drain(
  link: CommandLink,
  keys: QueueKeys,
  { delayed, eventsCap }: { delayed: boolean; eventsCap: number },
  options: OperationOptions,
): Promise<void> {
  const start = await beginSweep(link, keys);
  const waiting = waitingOf(start) + start.prioritized;
  const operation = new Operation(options, waiting + (delayed ? start.delayed : 0));
  const sweep = { grace: 0, withIds: false, eventsCap };
  await cleanWaiting(link, keys, start, { ...sweep, limit: Infinity }, operation);
  await cleanRoom(link, keys, start, { ...sweep, limit: Infinity }, operation, ['prioritized']);
  // Workers schedule retries meanwhile, so without a limit this might never end.
  if (delayed) await cleanDelayed(link, keys, start, { ...sweep, limit: start.delayed }, operation);
}

/** Removes all jobs of one group that wait; with `delayed`, the delayed ones too. Resolves with how many. */
export async function drainGroup(
  link: CommandLink,
  keys: QueueKeys,
  { group, delayed, eventsCap }: { group: string; delayed: boolean; eventsCap: number },
  options: OperationOptions,
): Promise<number> {
  const start = await beginSweep(link, keys);
  const { jobs } = await readGroup(link, keys, { group });
  // How many of the delayed jobs are of the group is known when all have been looked at.
  const operation = new Operation(options, delayed ? undefined : jobs);
  const sweep = { grace: 0, withIds: false, eventsCap };
  if (jobs > 0) await cleanRoom(link, keys, start, { ...sweep, limit: Infinity }, operation, [{ group }]);
  if (delayed) await cleanDelayed(link, keys, start, { ...sweep, limit: start.delayed }, operation, group);
  return operation.done;
}

/** Removes jobs of one type that are older than `grace` ms. Resolves with their ids. */
export async function clean(
  link: CommandLink,
  keys: QueueKeys,
  type: Exclude<CleanType, 'active'>,
  sweep: Omit<Sweep, 'withIds'>,
  options: OperationOptions,
): Promise<string[]> {
  const start = await beginSweep(link, keys);
  const all = { ...sweep, withIds: true };
  const begin = (total: number): Operation => new Operation(options, Math.min(total, sweep.limit));
  switch (type) {
    case 'completed':
      return cleanCompleted(link, keys, start, all, begin(start.completed));
    case 'failed':
      return cleanFailed(link, keys, start, all, begin(start.failed));
    case 'delayed':
      return cleanDelayed(link, keys, start, all, begin(start.delayed));
    case 'wait':
    case 'waiting':
      return cleanWaiting(link, keys, start, all, begin(waitingOf(start)));
    case 'paused':
      return start.isPaused ? cleanWaiting(link, keys, start, all, begin(waitingOf(start))) : [];
    case 'prioritized':
      return cleanRoom(link, keys, start, all, begin(start.prioritized), ['prioritized']);
  }
}

/** Jobs that wait and are not prioritized. */
function waitingOf({ waiting, lifo, grouped }: SweepStart): number {
  return waiting + lifo + grouped;
}

async function cleanWaiting(
  link: CommandLink,
  keys: QueueKeys,
  start: SweepStart,
  sweep: Sweep,
  operation: Operation,
): Promise<string[]> {
  const to = start.newestEntry;
  const before = timeOf(start, sweep);
  const ids =
    to === undefined
      ? []
      : await inSteps(sweep, operation, (from = '-', step) =>
          sweepWaiting(link, keys, { ...step, from, to, before }),
        );
  const left = { ...sweep, limit: sweep.limit - ids.length };
  return [...ids, ...(await cleanRoom(link, keys, start, left, operation, ['lifo', 'grouped']))];
}

async function cleanRoom(
  link: CommandLink,
  keys: QueueKeys,
  start: SweepStart,
  sweep: Sweep,
  operation: Operation,
  parts: readonly RoomPart[],
): Promise<string[]> {
  const { number } = start;
  const before = timeOf(start, sweep);
  const ids: string[] = [];
  for (const part of parts) {
    if (typeof part === 'string' && start[part] === 0) continue;
    const left = { ...sweep, limit: sweep.limit - ids.length };
    const removed = await inSteps(left, operation, (from, step) =>
      sweepRoom(link, keys, { ...step, part, from, before, number }),
    );
    ids.push(...removed);
  }
  return ids;
}

async function cleanDelayed(
  link: CommandLink,
  keys: QueueKeys,
  start: SweepStart,
  sweep: Sweep,
  operation: Operation,
  group?: string,
): Promise<string[]> {
  const before = timeOf(start, sweep);
  return inSteps(sweep, operation, (from, step) =>
    sweepDelayed(link, keys, { ...step, from, before, group }),
  );
}

async function cleanCompleted(
  link: CommandLink,
  keys: QueueKeys,
  start: SweepStart,
  sweep: Sweep,
  operation: Operation,
): Promise<string[]> {
  const until = start.now - sweep.grace;
  return inSteps(sweep, operation, (_, step) => sweepCompleted(link, keys, { ...step, until }));
}

async function cleanFailed(
  link: CommandLink,
  keys: QueueKeys,
  start: SweepStart,
  { grace, limit, eventsCap }: Sweep,
  operation: Operation,
): Promise<string[]> {
  if (grace > start.now) return [];
  const ids: string[] = [];
  // Dead letters of the same millisecond are old enough.
  const selection = { until: start.now - grace + 1 };
  const options = { limit, eventsCap, event: 'cleaned' } as const;
  for await (const dropped of dropLetters(link, keys, selection, options, operation)) ids.push(...dropped);
  return ids;
}

/** The clock of a producer may be ahead of Redis's, so a grace of 0 does not compare times. */
function timeOf({ now }: SweepStart, { grace }: Sweep): number | undefined {
  return grace === 0 ? undefined : now - grace + 1;
}

/** Repeats a step until there is nothing left. `from`: where the step before ended; undefined = begin. */
async function inSteps(
  { limit, withIds, eventsCap }: Sweep,
  operation: Operation,
  take: (from: string | undefined, step: SweepStepOptions) => Promise<SweepStep>,
): Promise<string[]> {
  const ids: string[] = [];
  let left = limit;
  let from: string | undefined;
  while (left > 0) {
    operation.begin();
    const step = await take(from, { most: Math.min(STEP_JOBS, left), withIds, eventsCap });
    ids.push(...step.ids);
    left -= step.removed;
    await operation.advance(step.removed);
    from = step.next;
    if (from === undefined) break;
  }
  return ids;
}
