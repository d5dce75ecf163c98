import type { QueueKeys } from '../../../redis/keys.js';
import { countJobs } from '../../../redis/scripts/count-jobs.js';
import type { JobTotals } from '../../../redis/scripts/count-jobs.js';
import type { ScriptRunner } from '../../../redis/script-runner.js';
import type { JobType } from '../../job/job.js';
import { COUNTED_TYPES } from './job-types.js';

/**
 * Counts jobs by type, in one call. The waiting jobs of a paused queue are `paused`, and not `waiting`: who asks for
 * `waiting` gets `paused` too.
 */
export async function getJobCounts(
  runner: ScriptRunner,
  keys: QueueKeys,
  types: readonly JobType[],
): Promise<Record<string, number>> {
  const wanted = new Set(types.length === 0 ? COUNTED_TYPES : types);
  if (wanted.has('waiting') || wanted.has('wait')) wanted.add('paused');
  const totals = await countJobs(runner, keys);
  return Object.fromEntries([...wanted].map((type) => [type, countOf(type, totals)]));
}

/** The number of jobs of any of the types. `wait` and `waiting` are the same jobs, and count once. */
export async function countByTypes(
  runner: ScriptRunner,
  keys: QueueKeys,
  types: readonly JobType[],
): Promise<number> {
  const named = types.map((type) => (type === 'wait' ? 'waiting' : type));
  const counts = await getJobCounts(runner, keys, named);
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** The number of delayed jobs that are due before a time. */
export async function countDelayed(
  runner: ScriptRunner,
  keys: QueueKeys,
  dueBefore: number | undefined,
): Promise<number> {
  return (await countJobs(runner, keys, { dueBefore })).delayed;
}

function countOf(type: JobType, totals: JobTotals): number {
  switch (type) {
    case 'wait':
    case 'waiting':
      return totals.isPaused ? 0 : totals.waiting;
    case 'paused':
      return totals.isPaused ? totals.waiting : 0;
    case 'active':
      return totals.active;
    case 'prioritized':
      return totals.prioritized;
    case 'delayed':
      return totals.delayed;
    case 'failed':
      return totals.deadLetters;
    case 'completed':
      return totals.completed;
    case 'repeat':
      return totals.schedules;
    default:
      return 0;
  }
}
