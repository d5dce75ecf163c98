import type { Backlog } from '../engine/index.js';

/** What an autoscaler has to know about a queue. */
export interface ScaleReport {
  queue: string;
  /**
   * How many jobs want a handler now: those in flight, and those that would start within a minute if there were free handlers.
   * Divide it by the concurrency of one worker to get the number of workers. Jobs that a limit of the queue or of their group
   * holds back do not count. In a paused queue nothing starts, so only the jobs in flight and the due schedules count: a
   * schedule needs a worker to fire it.
   */
  jobsWanted: number;
  /**
   * For how many seconds the job that has waited longest could have started: the oldest waiting job, the most overdue delayed
   * job or the most overdue schedule. 0 if nothing waits. In a paused queue, only schedules count.
   */
  backlogSeconds: number;
  /** Jobs that wait for a worker. */
  waiting: number;
  /** Jobs in flight. */
  active: number;
  /** Delayed jobs, retries among them, that are due and wait for a worker to promote them. */
  due: number;
  /** Delayed jobs that are not due. They want no handler yet. */
  delayed: number;
  /** Schedules that are due and wait for a worker to fire them. */
  dueSchedules: number;
  deadLetters: number;
  paused: boolean;
}

/** A pure function. */
export function scaleReport(queue: string, backlog: Backlog): ScaleReport {
  const { waiting, active, due, dueSchedules, deadLetters, startable, paused } = backlog;
  const { oldestWaitingMs, overdueMs, schedulesOverdueMs } = backlog;
  const waitedMs = Math.max(schedulesOverdueMs, paused ? 0 : Math.max(oldestWaitingMs, overdueMs));
  return {
    queue,
    jobsWanted: active + startable + dueSchedules,
    backlogSeconds: waitedMs / 1_000,
    waiting,
    active,
    due,
    delayed: backlog.delayed - due,
    dueSchedules,
    deadLetters,
    paused,
  };
}
