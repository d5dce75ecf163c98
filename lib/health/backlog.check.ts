import type { Backlog, Queue } from '../engine/index.js';
import { backlogWithin } from '../nest/runtime/backlog-within.js';
import { unreachable } from '../nest/runtime/unreachable.js';
import type { Finding } from './finding.js';
import type { BacklogCheckOptions } from './options.js';

interface Threshold {
  readonly option: keyof BacklogCheckOptions & `max${string}`;
  readonly of: Exclude<keyof Backlog, 'paused' | 'pausedSince'>;
  readonly remedy: string;
  /** Not judged while the queue is paused: then jobs wait because somebody wants them to. */
  readonly notWhilePaused?: true;
}

const THRESHOLDS: readonly Threshold[] = [
  {
    option: 'maxWaiting',
    of: 'waiting',
    remedy: 'add workers or raise their concurrency',
    notWhilePaused: true,
  },
  {
    option: 'maxOldestWaitingMs',
    of: 'oldestWaitingMs',
    remedy: 'check that workers run, or add workers',
    notWhilePaused: true,
  },
  {
    option: 'maxDelayed',
    of: 'delayed',
    remedy: 'look for jobs that fail and are retried, or for a producer that adds too many jobs',
  },
  {
    option: 'maxOverdueMs',
    of: 'overdueMs',
    remedy: 'check that a worker runs that has delayedEnabled',
  },
  {
    option: 'maxDeadLetters',
    of: 'deadLetters',
    remedy: 'read them with peekDlq, fix the cause, and replay them',
  },
  {
    option: 'maxSchedulesOverdueMs',
    of: 'schedulesOverdueMs',
    remedy: 'check that a worker runs that has runScheduler',
  },
];

/** @param group the consumer group of the queue's workers */
export async function checkBacklog(
  name: string,
  queue: Queue,
  target: { readonly connection: string; readonly group: string; readonly timeoutMs: number },
  options: BacklogCheckOptions,
): Promise<Finding> {
  try {
    const backlog = await backlogWithin(queue, target.group, target.timeoutMs);
    return { name, details: backlog, faults: faultsOf(name, backlog, options) };
  } catch (error) {
    return { name, details: {}, faults: [unreachable(target.connection, queue, error)] };
  }
}

/** Compares the backlog with the thresholds. A pure function. */
export function faultsOf(queue: string, backlog: Backlog, options: BacklogCheckOptions): string[] {
  return THRESHOLDS.flatMap(({ option, of, remedy, notWhilePaused = false }) => {
    const most = options[option];
    const value = backlog[of];
    if (most === undefined || value <= most || (backlog.paused && notWhilePaused)) return [];
    return [`Queue "${queue}": ${of} is ${value}, above ${option} (${most}): ${remedy}.`];
  });
}
