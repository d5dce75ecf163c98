import type { GroupLimits, Queue, RateLimit, RepeatableJobMeta, WorkerInfo } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { iso } from '../output/values.js';
import { limitsJson } from './group-limits.js';
import { readRates } from './rates.js';
import type { Rates } from './rates.js';

/** What `inspect` shows of a queue. */
export interface QueueFacts {
  readonly name: string;
  readonly isPaused: boolean;
  /** Null where there is no such limit. */
  readonly limits: { readonly concurrency: number | null; readonly rate: RateLimit | null };
  /** The defaults of groups. */
  readonly groupLimits: GroupLimits;
  readonly waiting: number;
  /** How many of those have a priority and no group. */
  readonly prioritized: number;
  /** How many of those wait in groups. */
  readonly grouped: number;
  readonly oldestWaitingMs: number;
  readonly active: number;
  readonly delayed: number;
  /** How many of the delayed are due, and by how much the earliest is late. */
  readonly due: number;
  readonly overdueMs: number;
  readonly failed: number;
  /** Those that are kept. */
  readonly completed: number;
  readonly rates: Rates | undefined;
  readonly workers: readonly WorkerInfo[];
  readonly schedules: number;
  readonly nextSchedule: RepeatableJobMeta | undefined;
}

export async function readQueue(context: Context, queue: Queue): Promise<QueueFacts> {
  const { link } = await context.servers();
  const [backlog, counts, workers, schedules, next, rates, concurrency, rate, groupLimits, grouped] =
    await Promise.all([
      queue.getBacklog(),
      queue.getJobCounts('completed'),
      queue.getWorkers(),
      queue.getJobSchedulersCount(),
      queue.getRepeatableJobs(1),
      readRates(link, queue.name),
      queue.getGlobalConcurrency(),
      queue.getGlobalRateLimit(),
      queue.getGroupDefaults(),
      queue.getGroupsJobsCount(),
    ]);
  const { waiting, prioritized, oldestWaitingMs, active, delayed, due, overdueMs, deadLetters, paused } =
    backlog;
  return {
    name: queue.name,
    isPaused: paused,
    limits: { concurrency, rate },
    groupLimits,
    waiting,
    prioritized,
    grouped,
    oldestWaitingMs,
    active,
    delayed,
    due,
    overdueMs,
    failed: deadLetters,
    completed: counts['completed'] ?? 0,
    rates,
    workers,
    schedules,
    nextSchedule: next[0],
  };
}

/** A queue in JSON. docs/cli.md documents it. */
export function queueJson(facts: QueueFacts): object {
  const { name, isPaused, limits, groupLimits, rates, workers, schedules, nextSchedule, ...numbers } = facts;
  return {
    name,
    paused: isPaused,
    limits: { ...limits, groups: limitsJson(groupLimits) },
    ...numbers,
    perMinute: rates ?? null,
    workers: workers.length,
    concurrency: workers.reduce((sum, { concurrency = 0 }) => sum + concurrency, 0),
    schedules,
    nextSchedule: !nextSchedule || nextSchedule.paused ? null : iso(nextSchedule.nextFireMs),
  };
}
