import { nearestKeys } from '../../engine/config/nearest-key.js';
import type { Queue } from '../../engine/index.js';
import type { CliError } from '../frame/errors.js';
import { notFound } from '../frame/errors.js';
import { cell } from '../output/values.js';

/** Most groups that are read for a suggestion. */
const MOST_NAMES = 1_000;

/**
 * Whether Redis has anything of a group but its delayed jobs. A group is nothing but its jobs, its limits and its pause: one that has
 * none of them cannot be told from a wrong id.
 */
export async function isKnownGroup(queue: Queue, group: string): Promise<boolean> {
  const [status, active, concurrency, rate] = await Promise.all([
    queue.getGroupStatus(group),
    queue.getGroupActiveCount(group),
    queue.getGroupConcurrency(group),
    queue.getGroupRateLimit(group),
  ]);
  return status !== 'empty' || active > 0 || concurrency !== null || rate !== null;
}

/** @throws CliError (not found) that names the nearest groups */
export async function requireGroup(queue: Queue, group: string): Promise<void> {
  if (!(await isKnownGroup(queue, group))) throw await groupNotFound(queue, group, 'waits or is active');
}

/** @param doNot what none of its jobs do */
export async function groupNotFound(queue: Queue, group: string, doNot: string): Promise<CliError> {
  return notFound(undefined, absence(queue, group, doNot), await suggestion(queue, group));
}

export function absence(queue: Queue, group: string, doNot = 'waits or is active'): string {
  return `Queue "${cell(queue.name)}" has no group "${cell(group)}": no job of it ${doNot}, and it has no limits and no pause of its own.`;
}

/** The groups whose ids are the most like this one; undefined if none is. */
export async function suggestion(queue: Queue, group: string): Promise<string | undefined> {
  const known = [
    ...(await queue.getGroups(0, MOST_NAMES - 1)),
    ...(await queue.getGroupsByStatus('paused', 0, MOST_NAMES - 1)),
  ].map(({ id }) => id);
  const nearest = nearestKeys(group, [...new Set(known)], 3).map((id) => `"${cell(id)}"`);
  return nearest.length > 0 ? `Did you mean ${nearest.join(', ')}?` : undefined;
}
