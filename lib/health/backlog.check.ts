import type { Backlog, Queue } from '../engine/index.js';
import { unreachable } from './connection.check.js';
import type { Finding } from './finding.js';
import type { BacklogCheckOptions } from './options.js';
import { within } from './within.js';

interface Threshold {
  readonly option: keyof BacklogCheckOptions & `max${string}`;
  readonly of: keyof Backlog;
  readonly remedy: string;
}

const THRESHOLDS: readonly Threshold[] = [
  {
    option: 'maxWaiting',
    of: 'waiting',
    remedy: 'add workers or raise their concurrency',
  },
  {
    option: 'maxOldestWaitingMs',
    of: 'oldestWaitingMs',
    remedy: 'check that workers run, or add some',
  },
  {
    option: 'maxDelayed',
    of: 'delayed',
    remedy: 'look for jobs that fail and are retried, or for a producer gone wild',
  },
  {
    option: 'maxOverdueMs',
    of: 'overdueMs',
    remedy: 'check that a worker with delayedEnabled runs',
  },
  {
    option: 'maxDeadLetters',
    of: 'deadLetters',
    remedy: 'look at them with peekDlq, mend the cause, replay them',
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
    const begun = performance.now();
    // The PING, which is shared, goes first: while Redis hangs, probes leave nothing behind that it must do later.
    await within(queue.ping(), target.timeoutMs);
    const left = target.timeoutMs - (performance.now() - begun);
    const backlog = await within(queue.getBacklog(target.group), left);
    return { name, details: backlog, faults: faultsOf(name, backlog, options) };
  } catch (error) {
    return { name, details: {}, faults: [unreachable(target.connection, queue, error)] };
  }
}

/** A pure function of what the queue holds. */
export function faultsOf(queue: string, backlog: Backlog, options: BacklogCheckOptions): string[] {
  return THRESHOLDS.flatMap(({ option, of, remedy }) => {
    const most = options[option];
    const value = backlog[of];
    if (most === undefined || value <= most) return [];
    return [`Queue "${queue}": ${of} is ${value} and ${option} is ${most}: ${remedy}.`];
  });
}
