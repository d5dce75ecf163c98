import { describe, expect, it } from 'vitest';
import type { Backlog, WorkerHealth } from '../../lib/engine/index.js';
import { faultsOf as faultsOfBacklog } from '../../lib/health/backlog.check.js';
import { faultsOf as faultsOfWorker } from '../../lib/health/workers.check.js';

const WELL: WorkerHealth = {
  state: 'running',
  running: 3,
  concurrency: 3,
  paused: false,
  queuePaused: false,
  blockMs: 5_000,
  lastReadAgeMs: 100,
  disconnectedMs: 0,
  unansweredMs: 100,
  fullMs: 0,
  failures: 0,
  lastError: undefined,
  fastReads: true,
  leasesLost: 0,
  lastLeaseLostAgeMs: undefined,
  dlqEvicted: 0,
  lastDlqEvictedAgeMs: undefined,
};

describe('what is wrong with a worker', () => {
  it.each([
    ['nothing', {}, {}, []],
    ['a long block', { unansweredMs: 14_000 }, {}, []],
    ['no answer', { unansweredMs: 15_100 }, {}, ['no answer from Redis for 15.1 s and fetches no jobs']],
    ['no answer, with why', { unansweredMs: 20_000, lastError: 'ECONNREFUSED' }, {}, ['(ECONNREFUSED)']],
    ['no answer, by choice', { unansweredMs: 2_000 }, { maxUnansweredMs: 1_000 }, ['no answer']],
    ['full, which is no fault', { fullMs: 600_000 }, {}, []],
    [
      'full for too long',
      { fullMs: 600_000 },
      { maxFullMs: 60_000 },
      ['full for 600.0 s (3 of 3 handlers run)'],
    ],
    ['a lost lease, which is over', { leasesLost: 1, lastLeaseLostAgeMs: 10 }, {}, []],
    [
      'a lost lease, of late',
      { leasesLost: 2, lastLeaseLostAgeMs: 1_000 },
      { leaseLostWithinMs: 60_000 },
      ['lost a lease 1.0 s ago (2 since it started)'],
    ],
    [
      'a lost lease, long ago',
      { leasesLost: 2, lastLeaseLostAgeMs: 70_000 },
      { leaseLostWithinMs: 60_000 },
      [],
    ],
    ['dead letters dropped, which is no fault', { dlqEvicted: 7, lastDlqEvictedAgeMs: 10 }, {}, []],
    [
      'dead letters dropped, of late',
      { dlqEvicted: 7, lastDlqEvictedAgeMs: 10 },
      { dlqEvictedWithinMs: 60_000 },
      ['dropped old dead letters 0.0 s ago (7 since it started)'],
    ],
    ['closing', { state: 'closing', unansweredMs: 99_000 }, {}, []],
    ['closed, where it must run', { state: 'closed' }, { requireRunning: true }, ['does not run (closed)']],
    [
      'several things',
      { unansweredMs: 99_000, fullMs: 5, leasesLost: 1, lastLeaseLostAgeMs: 1 },
      { maxFullMs: 1, leaseLostWithinMs: 5 },
      ['no answer', 'full', 'lost a lease'],
    ],
  ] as const)('%s', (_what, health, options, faults) => {
    expect(faultsOfWorker('mail', { ...WELL, ...health }, options)).toEqual(
      faults.map((fault) => expect.stringContaining(fault) as string),
    );
  });
});

const BACKLOG: Backlog = {
  waiting: 10,
  oldestWaitingMs: 20,
  active: 30,
  delayed: 40,
  due: 50,
  overdueMs: 60,
  deadLetters: 70,
  dueSchedules: 80,
  schedulesOverdueMs: 90,
  prioritized: 0,
  startable: 0,
  paused: false,
  pausedSince: undefined,
};

describe('what is wrong with a backlog', () => {
  it.each([
    [{}, []],
    [{ maxWaiting: 10, maxOldestWaitingMs: 20, maxDelayed: 40, maxOverdueMs: 60, maxDeadLetters: 70 }, []],
    [{ maxWaiting: 9 }, ['waiting is 10, above maxWaiting (9): add workers']],
    [
      { maxOldestWaitingMs: 19 },
      ['oldestWaitingMs is 20, above maxOldestWaitingMs (19): check that workers run'],
    ],
    [{ maxDelayed: 39 }, ['delayed is 40, above maxDelayed (39): look for jobs that fail']],
    [{ maxOverdueMs: 59 }, ['overdueMs is 60, above maxOverdueMs (59): check that a worker']],
    [{ maxSchedulesOverdueMs: 90 }, []],
    [
      { maxSchedulesOverdueMs: 89 },
      ['schedulesOverdueMs is 90, above maxSchedulesOverdueMs (89): check that a worker'],
    ],
    [
      { maxDeadLetters: 69, maxWaiting: 0 },
      ['waiting is 10', 'deadLetters is 70, above maxDeadLetters (69)'],
    ],
  ])('%j', (options, faults) => {
    expect(faultsOfBacklog('mail', BACKLOG, options)).toEqual(
      faults.map((fault) => expect.stringContaining(fault) as string),
    );
  });

  it('of a paused queue: that jobs wait is no fault, everything else is', () => {
    const paused = { ...BACKLOG, paused: true, pausedSince: 1 };
    const strict = {
      maxWaiting: 0,
      maxOldestWaitingMs: 0,
      maxDelayed: 0,
      maxOverdueMs: 0,
      maxDeadLetters: 0,
      maxSchedulesOverdueMs: 0,
    };
    expect(faultsOfBacklog('mail', paused, strict).map((fault) => / (\w+) is /.exec(fault)?.[1])).toEqual([
      'delayed',
      'overdueMs',
      'deadLetters',
      'schedulesOverdueMs',
    ]);
  });
});
