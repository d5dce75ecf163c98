import type { QueueKeys } from '../../redis/keys.js';
import { readBacklog } from '../../redis/scripts/read-backlog.js';
import { readPulse } from '../../redis/scripts/read-pulse.js';
import type { QueueGauges } from '../base/telemetry.js';
import type { CommandLink } from './command-link.js';

/** The most workers that are counted: the script looks at each. */
const MOST_WORKERS = 1_000;

/** Reads the gauges of a queue, in one round trip. Undefined while Redis cannot be reached, and before the first connection. */
export function readGauges(
  link: CommandLink,
  keys: QueueKeys,
  group: string,
): Promise<QueueGauges> | undefined {
  if (!link.isReady || link.outage || link.isReleased) return undefined;
  return Promise.all([
    readBacklog(link, keys, { group }),
    readPulse(link, keys, { limit: MOST_WORKERS }),
  ]).then(([backlog, { workers, completed }]) => ({
    waiting: backlog.waiting - backlog.prioritized,
    active: backlog.active,
    delayed: backlog.delayed,
    prioritized: backlog.prioritized,
    deadLetters: backlog.deadLetters,
    completed,
    oldestWaitingMs: backlog.oldestWaitingMs,
    overdueMs: backlog.overdueMs,
    scheduleLagMs: backlog.schedulesOverdueMs,
    workers,
    isPaused: backlog.paused,
  }));
}
