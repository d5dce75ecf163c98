import { ConfigError } from '../../base/errors.js';
import { show } from '../../config/checks.js';
import { nearestKey } from '../../config/nearest-key.js';
import type { JobType } from '../../job/job.js';

/** What `getJobCounts` counts if no type is named. */
export const COUNTED_TYPES = [
  'active',
  'completed',
  'delayed',
  'failed',
  'paused',
  'prioritized',
  'waiting',
  'waiting-children',
] as const satisfies readonly JobType[];

/** What `getJobCounts()` returns. */
export type JobCounts = Record<(typeof COUNTED_TYPES)[number], number>;

/** Every type that can be listed. `wait` is another word for `waiting`. */
const LISTED_TYPES: readonly JobType[] = [...COUNTED_TYPES, 'wait'];
const ALL_TYPES: readonly JobType[] = [...LISTED_TYPES, 'repeat'];

/** @throws ConfigError (CMQ-004) for a type that cannot be counted; it names the nearest one that can */
export function checkCountedTypes(
  method: string,
  types: readonly unknown[],
): asserts types is readonly JobType[] {
  checkTypes(method, types, ALL_TYPES);
}

/** @throws ConfigError (CMQ-004) for a type that cannot be listed; it names the nearest one that can */
export function checkListedTypes(
  method: string,
  types: readonly unknown[],
): asserts types is readonly JobType[] {
  if (types.includes('repeat')) {
    throw new ConfigError(`${method}: schedules are not jobs. getJobSchedulers() lists them.`);
  }
  checkTypes(method, types, LISTED_TYPES);
}

function checkTypes(method: string, types: readonly unknown[], known: readonly JobType[]): void {
  for (const type of types) {
    if (known.includes(type as JobType)) continue;
    const nearest = typeof type === 'string' ? nearestKey(type, known) : undefined;
    const hint = nearest === undefined ? `Known: ${known.join(', ')}.` : `Did you mean "${nearest}"?`;
    throw new ConfigError(`${method}: there is no job type ${show(type)}. ${hint}`);
  }
}
