import type { QueueKeys } from '../../redis/keys.js';
import { readBacklog as readCounts } from '../../redis/scripts/read-backlog.js';
import type { CommandLink } from '../connection/command-link.js';

/** What a queue holds, at one instant. */
export interface Backlog {
  /** Jobs in the work stream that no worker has fetched. */
  waiting: number;
  /** How long ago the oldest of them was added, promoted or released, in ms; 0 if none waits. */
  oldestWaitingMs: number;
  /**
   * Jobs in flight: a worker has fetched them, and runs them or is about to. Redis cannot tell the ones that wait in a worker
   * for a free handler: if all handlers hang, `fullMs` of `worker.health()` shows it.
   */
  active: number;
  /** Jobs in the delayed set, retries among them. */
  delayed: number;
  /** How many of `delayed` are due, and wait only for a promoter. */
  due: number;
  /** By how many ms the earliest of them is late; 0 if none is due. */
  overdueMs: number;
  deadLetters: number;
}

/** Reads the backlog with one call, as the consumer group of this name sees it. */
export function readBacklog(link: CommandLink, keys: QueueKeys, group: string): Promise<Backlog> {
  return readCounts(link, keys, { group });
}
