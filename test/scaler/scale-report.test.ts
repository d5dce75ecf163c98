import { describe, expect, it } from 'vitest';
import type { Backlog } from '../../lib/engine/index.js';
import { scaleReport } from '../../lib/scaler/scale-report.js';

const EMPTY: Backlog = {
  waiting: 0,
  oldestWaitingMs: 0,
  active: 0,
  delayed: 0,
  due: 0,
  overdueMs: 0,
  deadLetters: 0,
  dueSchedules: 0,
  prioritized: 0,
  startable: 0,
  schedulesOverdueMs: 0,
  paused: false,
  pausedSince: undefined,
};
const PAUSED = { paused: true, pausedSince: 1 };

describe('jobsWanted', () => {
  it.each([
    ['of an empty queue', {}, 0],
    ['waiting jobs that may start', { waiting: 3, startable: 3 }, 3],
    ['not waiting jobs that a limit holds back', { waiting: 30, active: 4, startable: 1 }, 5],
    ['jobs in flight: a worker that runs the last job must not be taken away', { active: 2 }, 2],
    ['due jobs: without a worker, nobody promotes them', { delayed: 5, due: 2, startable: 2 }, 2],
    ['not delayed jobs that are not due', { delayed: 5 }, 0],
    ['due schedules: without a worker, nobody fires them', { dueSchedules: 1 }, 1],
    ['not dead letters', { deadLetters: 9 }, 0],
    ['the sum', { waiting: 1, active: 2, delayed: 9, due: 4, startable: 5, dueSchedules: 8 }, 15],
    ['of a paused queue: jobs in flight', { waiting: 7, active: 2, delayed: 3, due: 3, ...PAUSED }, 2],
    ['of a paused queue: due schedules', { waiting: 7, dueSchedules: 1, ...PAUSED }, 1],
  ])('counts %s', (_, backlog, wanted) => {
    expect(scaleReport('mail', { ...EMPTY, ...backlog }).jobsWanted).toBe(wanted);
  });
});

describe('backlogSeconds', () => {
  it.each([
    ['of an empty queue', {}, 0],
    ['the oldest waiting job', { waiting: 2, oldestWaitingMs: 1_500 }, 1.5],
    [
      'an overdue job that is older',
      { waiting: 2, oldestWaitingMs: 1_500, delayed: 1, due: 1, overdueMs: 4_000 },
      4,
    ],
    ['an overdue schedule', { dueSchedules: 1, schedulesOverdueMs: 2_000 }, 2],
    ['of a paused queue: no job', { waiting: 2, oldestWaitingMs: 9_000, due: 1, overdueMs: 1, ...PAUSED }, 0],
    ['of a paused queue: a schedule', { dueSchedules: 1, schedulesOverdueMs: 2_000, ...PAUSED }, 2],
  ])('is that of %s', (_, backlog, seconds) => {
    expect(scaleReport('mail', { ...EMPTY, ...backlog }).backlogSeconds).toBe(seconds);
  });
});

it('tells delayed jobs from due ones', () => {
  const report = scaleReport('mail', { ...EMPTY, delayed: 5, due: 2, startable: 2, deadLetters: 3 });
  expect(report).toEqual({
    queue: 'mail',
    jobsWanted: 2,
    backlogSeconds: 0,
    waiting: 0,
    active: 0,
    due: 2,
    delayed: 3,
    dueSchedules: 0,
    deadLetters: 3,
    paused: false,
  });
});
