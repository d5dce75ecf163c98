import type { Queue } from '../../engine/index.js';

/** All jobs that wait: also those with a priority or in a group, and those of a paused queue. */
export function countWaiting(queue: Queue): Promise<number> {
  return queue.getJobCountByTypes('waiting', 'prioritized');
}
