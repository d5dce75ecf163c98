import type { QueueKeys } from '../../redis/keys.js';
import { readBacklog } from '../../redis/scripts/read-backlog.js';
import { readPulse } from '../../redis/scripts/read-pulse.js';
import type { ScriptRunner } from '../../redis/script-runner.js';
import type { QueueGauges } from '../base/telemetry.js';
import type { CommandLink } from './command-link.js';

/** The most workers that are counted: the script looks at each. */
const MOST_WORKERS = 1_000;

/**
 * Reads the gauges of a queue, in one round trip. Undefined while Redis cannot be reached. A queue that was not used so far connects:
 * only that tells whether it can.
 */
export function readGauges(
  link: CommandLink,
  keys: QueueKeys,
  group: string,
): Promise<QueueGauges> | undefined {
  if (link.outage || link.isEnded) return undefined;
  if (link.isReady) return countQueue(link, keys, group);
  return link.ready().then(() => countQueue(link, keys, group));
}

/** The same, whatever the state of the connection is. */
export async function countQueue(runner: ScriptRunner, keys: QueueKeys, group: string): Promise<QueueGauges> {
  const [backlog, { workers, completed }] = await Promise.all([
    readBacklog(runner, keys, { group }),
    readPulse(runner, keys, { limit: MOST_WORKERS }),
  ]);
  return {
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
  };
}
