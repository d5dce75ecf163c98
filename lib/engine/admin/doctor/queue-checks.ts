import type { Backlog } from '../../../redis/scripts/read-backlog.js';
import type { Findings } from './finding.js';
import type { WrongType } from './key-types.js';

/** A consumer group of the work stream. */
export interface GroupFacts {
  readonly name: string;
  readonly pending: number;
  /** Entries before the group's position that no consumer has: no worker ever gets them. */
  readonly skipped: number;
  readonly consumers: readonly ConsumerFacts[];
}

export interface ConsumerFacts {
  readonly name: string;
  readonly pending: number;
  readonly idleMs: number;
  /** It has reported itself, or Redis has heard from it, within its lease. */
  readonly isAlive: boolean;
}

export interface ScheduleFacts {
  readonly key: string;
  readonly owner: string | undefined;
}

/** What is known of a queue. */
export interface QueueFacts {
  /** Keys that have another type than they should. */
  readonly wrongTypes: readonly WrongType[];
  readonly isSealed: boolean;
  readonly groups: readonly GroupFacts[];
  /** As the group `default`, or the only group, sees it. */
  readonly backlog: Backlog;
  /** Dead letters that the cap has dropped. */
  readonly evicted: number;
  /** By how many ms the earliest schedule is late; 0 if none is. */
  readonly scheduleLateMs: number;
  /** Schedules whose owner no deployment has claimed. */
  readonly orphaned: readonly ScheduleFacts[];
}

const MINUTE = 60_000;
const DAY = 86_400_000;
const LATE_MS = 5_000;
/** The default cap of dead letters. */
const DLQ_CAP = 100_000;

export function checkKeyTypes(findings: Findings, { wrongTypes }: Pick<QueueFacts, 'wrongTypes'>): boolean {
  for (const { key, type, wanted } of wrongTypes) {
    findings.error(
      'key-types',
      `${key} is a ${type}, and must be a ${wanted}: something else wrote to it.`,
      'Find the program that uses the same key, and rename or delete the key.',
    );
  }
  if (wrongTypes.length === 0) findings.ok('key-types', 'All keys have the type that they should have.');
  return wrongTypes.length === 0;
}

export function checkStream(findings: Findings, { isSealed }: QueueFacts): void {
  if (!isSealed) return;
  findings.error(
    'sealed-stream',
    'The work stream is sealed: somebody wrote an entry with the greatest possible id, so no job can be added.',
    'Move the jobs to another queue, then obliterate this one: chasqui inspect shows what it holds.',
  );
}

export function checkGroups(findings: Findings, { groups, backlog }: QueueFacts): void {
  const check = 'groups';
  if (groups.length === 0) {
    if (backlog.waiting > 0) {
      findings.warning(
        check,
        'There is no consumer group: no worker has ever run.',
        'Start a worker of this queue.',
      );
    }
    return;
  }
  if (groups.length > 1) {
    findings.warning(
      check,
      `There are ${String(groups.length)} consumer groups (${groups.map(({ name }) => name).join(', ')}): each of them gets every job.`,
      'All workers of a queue need the same "group". Remove what is wrong: XGROUP DESTROY.',
    );
  } else findings.ok(check, `There is one consumer group, ${groups[0]?.name ?? ''}.`);
  for (const { name, skipped } of groups) {
    if (skipped === 0) continue;
    findings.error(
      'skipped-jobs',
      `At least ${String(skipped)} jobs lie before the position of group ${name}, and no worker ever gets them.`,
      `Set the group back: XGROUP SETID {chasqui:<queue>}:stream ${name} 0. See docs/operations.md.`,
    );
  }
}

export function checkWorkers(findings: Findings, { groups, backlog }: QueueFacts): void {
  const consumers = groups.flatMap((group) => group.consumers);
  const alive = consumers.filter(({ isAlive }) => isAlive);
  const dead = consumers.filter(({ isAlive }) => !isAlive);
  const stuck = dead.reduce((sum, { pending }) => sum + pending, 0);
  const jobs = backlog.waiting + backlog.due + stuck;
  if (alive.length === 0 && jobs > 0) {
    findings.error(
      'workers',
      `No worker runs, and ${String(jobs)} jobs wait.`,
      'Start a worker of this queue.',
    );
  } else if (alive.length === 0) findings.info('workers', 'No worker runs.');
  else
    findings.ok('workers', alive.length === 1 ? 'One worker runs.' : `${String(alive.length)} workers run.`);
  if (stuck > 0) {
    findings.warning(
      'dead-workers',
      `${String(dead.filter(({ pending }) => pending > 0).length)} dead workers have ${String(stuck)} jobs whose lease is over.`,
      alive.length > 0
        ? 'The other workers take them over, as soon as one has a free handler and the rate limits let them start. If this stays, all handlers are busy or hang.'
        : 'They run again when a worker starts.',
    );
  }
  const old = dead.filter(({ pending, idleMs }) => pending === 0 && idleMs > DAY);
  if (old.length > 0) {
    findings.info(
      'old-consumers',
      `${String(old.length)} consumers without jobs have been silent for more than a day.`,
      'Workers remove them in time. They cost nothing but a line in XINFO.',
    );
  }
}

export function checkBacklog(findings: Findings, { backlog }: QueueFacts): void {
  const { paused, pausedSince = 0, waiting, oldestWaitingMs, due, overdueMs } = backlog;
  if (paused) {
    const since = new Date(pausedSince).toISOString();
    const message = `The queue is paused since ${since}; ${String(waiting)} jobs wait.`;
    if (waiting > 0)
      findings.warning('paused', message, 'Resume it when the reason is gone: chasqui resume.');
    else findings.info('paused', message, 'Resume it when the reason is gone: chasqui resume.');
  } else if (waiting > 0 && oldestWaitingMs > 10 * MINUTE) {
    findings.warning(
      'backlog',
      `The oldest of ${String(waiting)} waiting jobs has waited for ${String(Math.round(oldestWaitingMs / MINUTE))} minutes.`,
      'Add workers or raise their concurrency. Check that their handlers do not hang.',
    );
  } else findings.ok('backlog', `${String(waiting)} jobs wait.`);
  if (due > 0 && overdueMs > LATE_MS) {
    findings.error(
      'overdue-jobs',
      `${String(due)} delayed jobs are due, the first for ${String(Math.round(overdueMs / 1000))} seconds, and nobody promotes them.`,
      'Start a worker with "delayedEnabled" (the default), or a Promoter.',
    );
  }
}

export function checkDeadLetters(findings: Findings, { backlog, evicted }: QueueFacts): void {
  const check = 'dead-letters';
  const { deadLetters } = backlog;
  if (evicted > 0) {
    findings.warning(
      check,
      `${String(evicted)} dead letters were dropped, because there were more than the workers keep (dlqMaxStreamLen).`,
      'Replay or drop dead letters in time (chasqui dlq), or raise dlqMaxStreamLen.',
    );
  }
  if (deadLetters >= DLQ_CAP * 0.9) {
    findings.warning(
      check,
      `There are ${String(deadLetters)} dead letters. At the cap of the workers (dlqMaxStreamLen, by default ${String(DLQ_CAP)}) the oldest are dropped.`,
      'See what they are (chasqui dlq histogram), then replay, export or drop them.',
    );
  } else if (deadLetters > 0) {
    findings.info(check, `There are ${String(deadLetters)} dead letters.`, 'chasqui dlq histogram says why.');
  } else if (evicted === 0) findings.ok(check, 'There are no dead letters.');
}

export function checkSchedules(findings: Findings, { scheduleLateMs, orphaned }: QueueFacts): void {
  if (scheduleLateMs > LATE_MS) {
    findings.error(
      'overdue-schedules',
      `A schedule is late by ${String(Math.round(scheduleLateMs / 1000))} seconds: no scheduler runs.`,
      'Start a worker with "runScheduler" (the default), or a Scheduler.',
    );
  }
  if (orphaned.length > 0) {
    const names = orphaned.slice(0, 5).map(({ key, owner }) => `${key} (${owner ?? ''})`);
    findings.warning(
      'old-schedules',
      `${String(orphaned.length)} schedules belong to an owner that no deployment has claimed: ${names.join(', ')}${orphaned.length > 5 ? ' …' : ''}.`,
      'If the application that declared them is gone, remove them: chasqui repeatable remove.',
    );
  }
}
