import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface CountJobsOptions {
  /** Unix ms: only delayed jobs that are due before it. Default: all delayed jobs. */
  dueBefore?: number | undefined;
}

export interface JobTotals {
  /** Jobs that no consumer has and that are not prioritized, also while the queue is paused. */
  waiting: number;
  /** Jobs with a priority and without a group. */
  prioritized: number;
  /** How many of `waiting` are in groups. */
  grouped: number;
  active: number;
  delayed: number;
  deadLetters: number;
  /** Completed jobs that are kept. */
  completed: number;
  schedules: number;
  isPaused: boolean;
}

/** Counts the jobs of a queue at one instant. */
export async function countJobs(
  runner: ScriptRunner,
  keys: QueueKeys,
  { dueBefore }: CountJobsOptions = {},
): Promise<JobTotals> {
  const reply = (await runner.run('count-jobs', keys, [dueBefore ?? ''])) as number[];
  const [
    waiting = 0,
    active = 0,
    delayed = 0,
    deadLetters = 0,
    completed = 0,
    schedules = 0,
    paused,
    ...room
  ] = reply;
  const [prioritized = 0, grouped = 0] = room;
  const counts = { waiting, prioritized, grouped, active, delayed, deadLetters, completed, schedules };
  return { ...counts, isPaused: paused === 1 };
}
