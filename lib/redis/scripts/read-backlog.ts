import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** What a queue holds, at one instant. */
export interface Backlog {
  /** Jobs that wait for a worker, those with a priority or a group included. */
  waiting: number;
  /** How many of `waiting` have a priority and no group. */
  prioritized: number;
  /**
   * How long ago the oldest of `waiting` was added, promoted or released, in ms; 0 if none waits. Of jobs with a priority and of
   * groups, only some are looked at: those of the highest and the lowest priority, and those of 20 groups.
   */
  oldestWaitingMs: number;
  /**
   * Jobs in flight: a worker has fetched them, and runs them or is about to. Redis cannot tell the ones that wait in a worker
   * for a free handler: if all handlers hang, `fullMs` of `worker.health()` shows it.
   */
  active: number;
  /** Jobs in the delayed set, retries among them. */
  delayed: number;
  /** How many of `delayed` are due, and wait only for a promoter. */
  due: number;
  /** By how many ms the earliest of them is late; 0 if none is due. */
  overdueMs: number;
  deadLetters: number;
  /** Schedules whose next job is due, and that only wait for a worker to add it. */
  dueSchedules: number;
  /** By how many ms the earliest of them is late; 0 if none is due. */
  schedulesOverdueMs: number;
  /**
   * How many of `waiting` and `due` may start within a minute, as far as the pause of the queue and its limits let them. Of more
   * than 100 groups it is an estimate.
   */
  startable: number;
  /** The queue is paused: its waiting jobs wait for `resume()`. */
  paused: boolean;
  /** Since when, in unix ms by Redis's clock; undefined if it is not paused. */
  pausedSince: number | undefined;
}

/** Counts the jobs of a queue at one instant, as one consumer group sees them. */
export async function readBacklog(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group }: { group: string },
): Promise<Backlog> {
  const reply = (await runner.run('read-backlog', keys, [group])) as [...number[], string];
  const counts = reply.slice(0, -1) as number[];
  const [waiting = 0, oldestWaitingMs = 0, active = 0, delayed = 0, due = 0, overdueMs = 0, ...others] =
    counts;
  const [deadLetters = 0, dueSchedules = 0, schedulesOverdueMs = 0, prioritized = 0, startable = 0] = others;
  const since = reply.at(-1) as string;
  const paused = since !== '';
  const pausedSince = paused ? Number(since) : undefined;
  return {
    waiting,
    prioritized,
    oldestWaitingMs,
    active,
    delayed,
    due,
    overdueMs,
    deadLetters,
    dueSchedules,
    schedulesOverdueMs,
    startable,
    paused,
    pausedSince,
  };
}
