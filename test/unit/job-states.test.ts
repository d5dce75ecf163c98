import { beforeEach, describe, expect, test } from 'vitest';
import { toDelivery } from '../../lib/engine/worker/lease/delivery.js';
import type { Delivery } from '../../lib/engine/worker/lease/delivery.js';
import { InFlight } from '../../lib/engine/worker/lease/in-flight.js';
import type { JobObserver } from '../../lib/engine/worker/lease/in-flight.js';
import {
  ABANDONED,
  COMPLETED,
  LOST,
  QUEUED,
  RUNNING,
  SETTLING,
  STATE_NAMES,
  isInFlight,
  isLegal,
} from '../../lib/engine/worker/lease/states.js';
import type { State } from '../../lib/engine/worker/lease/states.js';

/** A row per state: the states that may follow it. Columns as in STATE_NAMES. */
const TABLE = `
                 fe qu st ru co se of re | co re de ca rl ha lo ab dr
  fetched         .  x  .  .  .  .  .  . |  .  .  .  .  .  .  x  .  .
  queued          .  .  x  x  .  x  x  x |  .  .  .  .  .  .  x  .  .
  starting        .  x  .  x  .  x  .  x |  .  .  .  .  .  .  x  .  .
  running         .  .  .  .  x  x  .  x |  .  .  .  .  .  .  x  .  .
  concluding      .  .  .  .  .  x  .  x |  .  .  .  .  .  .  x  .  .
  settling        .  .  .  .  .  .  .  . |  x  x  x  x  x  .  x  x  x
  offered         .  x  .  .  .  .  .  . |  .  .  .  .  x  x  .  .  .
  releasing       .  x  .  .  .  x  .  . |  .  .  .  .  x  .  .  x  .
  completed       .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  retried         .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  dead-lettered   .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  cancelled       .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  released        .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  handed-over     .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  lost            .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  abandoned       .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .
  dropped         .  .  .  .  .  .  .  . |  .  .  .  .  .  .  .  .  .`;

const rows = TABLE.trim()
  .split('\n')
  .slice(1)
  .map((row) => row.replace('|', '').trim().split(/\s+/));

const PAIRS = rows.flatMap(([name, ...cells]) =>
  cells.map((cell, to) => ({
    from: STATE_NAMES.indexOf(name as (typeof STATE_NAMES)[number]) as State,
    to: to as State,
    legal: cell === 'x',
    what: `${String(name)} → ${String(STATE_NAMES[to])}`,
  })),
);

let errors: unknown[];
let inFlight: InFlight;

beforeEach(() => {
  errors = [];
  inFlight = new InFlight('mail', (error) => errors.push(error));
});

function delivery(id = '1700000000000-0', state?: State): Delivery {
  const made = toDelivery([Buffer.from(id), [Buffer.from('d'), Buffer.from('job')]], 0);
  inFlight.addRead([made]);
  if (state !== undefined) made.state = state;
  return made;
}

describe('the transitions', () => {
  test('all states are in the table', () => {
    expect(rows.map(([name]) => name)).toEqual([...STATE_NAMES]);
    expect(PAIRS).toHaveLength(STATE_NAMES.length ** 2);
  });

  test.each(PAIRS)('$what: $legal', ({ from, to, legal }) => {
    expect(isLegal(from, to)).toBe(legal);
  });

  test.each(PAIRS.filter(({ legal }) => legal))('$what is made', ({ from, to }) => {
    const job = delivery(undefined, from);
    expect(inFlight.move(job, to)).toBe(true);
    expect(job.state).toBe(to);
    expect(inFlight.size).toBe(isInFlight(to) ? 1 : 0);
    expect(errors).toEqual([]);
  });

  test.each(PAIRS.filter(({ legal, from }) => !legal && isInFlight(from)))(
    '$what is refused and reported, and the job is abandoned',
    ({ from, to }) => {
      const job = delivery(undefined, from);
      expect(inFlight.move(job, to)).toBe(false);
      expect(job.state).toBe(ABANDONED);
      expect(inFlight.size).toBe(0);
      expect(errors).toHaveLength(1);
    },
  );

  test.each(PAIRS.filter(({ from }) => !isInFlight(from)))('$what is refused silently', ({ from, to }) => {
    const job = delivery();
    inFlight.move(job, LOST);
    job.state = from;
    expect(inFlight.move(job, to)).toBe(false);
    expect(job.state).toBe(from);
    expect(inFlight.size).toBe(0);
    expect(errors).toEqual([]);
  });
});

describe('the in-flight jobs', () => {
  test('observers are told of each transition once, in their order, and after it', () => {
    const told: string[] = [];
    const observer = (name: string): JobObserver => ({
      started: ({ state }) => told.push(`${name} started ${STATE_NAMES[state]}`),
      completed: () => told.push(`${name} completed ${inFlight.size}`),
      gone: () => told.push(`${name} gone`),
    });
    inFlight.observe(observer('a'));
    inFlight.observe(observer('b'));
    const job = delivery();
    for (const state of [QUEUED, RUNNING, SETTLING, COMPLETED, LOST] as const) inFlight.move(job, state);
    expect(told).toEqual([
      'a started running',
      'b started running',
      'a completed 0',
      'b completed 0',
      'a gone',
      'b gone',
    ]);
  });

  test('an observer that throws stops neither the job nor the other observers', () => {
    const boom = new Error('boom');
    let told = 0;
    inFlight.observe({
      completed: () => {
        throw boom;
      },
    });
    inFlight.observe({ completed: () => (told += 1) });
    const job = delivery(undefined, SETTLING);
    expect(inFlight.move(job, COMPLETED)).toBe(true);
    expect([errors, told]).toEqual([[boom], 1]);
  });

  test('are found, counted and listed until they end, in any order', () => {
    const jobs = ['1-1', '1-2', '1-3', '1-4'].map((id) => delivery(id));
    expect(inFlight.snapshot()).toEqual(['1-1', '1-2', '1-3', '1-4']);
    for (const at of [1, 3, 0]) inFlight.move(jobs[at]!, LOST);
    expect(inFlight.snapshot()).toEqual(['1-3']);
    expect(inFlight.find('1-3')).toBe(jobs[2]);
    expect(inFlight.find('1-1')).toBeUndefined();
    inFlight.move(jobs[2]!, LOST);
    expect([inFlight.size, inFlight.snapshot()]).toEqual([0, []]);
  });

  test('a job that arrived since the snapshot is known as such, also when it has ended', () => {
    const read = (id: string): void => {
      const job = delivery(id);
      inFlight.wasRead([job]);
      inFlight.move(job, LOST);
    };
    read('5-1');
    inFlight.snapshot();
    expect(inFlight.mayHaveArrived('5-1')).toBe(false);
    read('7-1');
    expect(inFlight.mayHaveArrived('6-9')).toBe(false);
    expect(inFlight.mayHaveArrived('7-1')).toBe(true);
    expect(inFlight.mayHaveArrived('7-2')).toBe(true);
    inFlight.addReclaimed(toDelivery([Buffer.from('2-1'), []], 1));
    expect(inFlight.mayHaveArrived('2-1')).toBe(true);
    expect(inFlight.mayHaveArrived('2-2')).toBe(false);
  });

  test('a cancellation aborts the signal with its reason, asked for before or after', () => {
    const [early, late] = [delivery('1-1'), delivery('1-2')];
    const { signal } = early;
    const reason = inFlight.cancel(early);
    expect(signal.reason).toBe(reason);
    inFlight.cancel(late);
    expect(late.signal.reason).toBe(late.cancelled);
  });
});
