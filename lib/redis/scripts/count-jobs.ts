import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface CountJobsOptions {
  /** Unix ms: only delayed jobs that are due before it. Default: all delayed jobs. */
  dueBefore?: number | undefined;
}

export interface JobTotals {
  /** Entries of the work stream that no consumer has, also while the queue is paused. */
  waiting: number;
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
  const [waiting = 0, active = 0, delayed = 0, deadLetters = 0, completed = 0, schedules = 0, paused] = reply;
  return { waiting, active, delayed, deadLetters, completed, schedules, isPaused: paused === 1 };
}
