import { printable } from '../../engine/base/printable.js';
import { nearestKey } from '../../engine/config/nearest-key.js';
import { readDuration, time } from '../frame/parse.js';
import { usageError } from '../frame/errors.js';
import type { ReadEvent } from './read-entry.js';

/** The events of a queue; docs/cli.md describes each. */
export const EVENTS: readonly string[] = [
  'waiting',
  'delayed',
  'active',
  'completed',
  'failed',
  'retry-scheduled',
  'dlq',
  'drained',
  'progress',
  'removed',
  'cleaned',
  'paused',
  'resumed',
  'stalled',
  'deduplicated',
];

export interface EventFilter {
  readonly event?: readonly string[];
  readonly job?: readonly string[];
  readonly name?: readonly string[];
}

/** @throws CliError (usage) for an event that does not exist */
export function eventFilter({ event, job, name }: EventFilter): (one: ReadEvent) => boolean {
  for (const wanted of event ?? []) {
    if (EVENTS.includes(wanted)) continue;
    const nearest = nearestKey(wanted, EVENTS);
    throw usageError(
      `There is no event "${printable(wanted)}".`,
      nearest === undefined ? `The events are ${EVENTS.join(', ')}.` : `Did you mean "${nearest}"?`,
    );
  }
  return (one) =>
    (!event || event.includes(one.event)) &&
    (!job || job.includes(one.jobId)) &&
    (!name || name.includes(one.name));
}

const ENTRY_ID = /^(\d+)-(\d+)(?::\d+)?$/;

/**
 * After which entry to start: `10m` ago, a time, or the id of an event.
 * @param now Redis's clock, unix ms
 */
export function startAfter(since: string, now: number): string {
  const [, ms, sequence] = ENTRY_ID.exec(since) ?? [];
  if (ms !== undefined && sequence !== undefined) return `${ms}-${sequence}`;
  const ago = readDuration(since);
  const at = ago === undefined ? timeOf(since) : now - ago;
  return at <= 0 ? '0-0' : `${String(at - 1)}-18446744073709551615`;
}

/** @throws CliError (usage) */
function timeOf(since: string): number {
  try {
    return time(since);
  } catch {
    throw usageError(
      `--since "${printable(since)}" is no time.`,
      'It must be a duration such as 15m, ISO 8601, unix ms, or the id of an event.',
    );
  }
}
