import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface ResumeScheduleOptions {
  key: string;
  /** As it was read; '' = another program wrote the schedule. */
  revision: string;
  /** The slot at which it goes on, in unix ms; undefined = none is left, so it is removed. */
  next: number | undefined;
}

const OUTCOMES = ['unknown', 'unchanged', 'changed', 'replaced'] as const;

/**
 * `unknown`: there is no such schedule. `unchanged`: it is not paused. `replaced`: its definition was replaced since it was
 * read, and nothing was written.
 */
export async function resumeSchedule(
  runner: ScriptRunner,
  keys: QueueKeys,
  { key, revision, next }: ResumeScheduleOptions,
): Promise<(typeof OUTCOMES)[number]> {
  const [outcome] = (await runner.run('resume-schedule', keys, [key, revision, next ?? ''])) as [
    0 | 1 | 2 | 3,
  ];
  return OUTCOMES[outcome];
}
