/** Where a job is. `unknown`: Redis has no record of it. */
export type JobState =
  'waiting' | 'active' | 'completed' | 'failed' | 'delayed' | 'prioritized' | 'waiting-children' | 'unknown';

/** What counts and lists are asked for. `wait` is another word for `waiting`; `repeat` are the schedules. */
export type JobType = Exclude<JobState, 'unknown'> | 'paused' | 'wait' | 'repeat';
