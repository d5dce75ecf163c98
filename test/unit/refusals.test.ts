import { expect, test } from 'vitest';
import type { Delivery } from '../../lib/engine/worker/lease/delivery.js';
import { Refusals } from '../../lib/engine/worker/run/refusals.js';

function refusals() {
  let now = 0;
  const reports: string[] = [];
  const kept = new Refusals({ monotonic: () => now }, ({ message }) => reports.push(message));
  return {
    reports,
    pass: (ms: number) => (now += ms),
    refuse: (jobId: string, name = 'new') => kept.delayOf({ jobId, name } as Delivery),
  };
}

test('a job waits twice as long each time, up to 30 seconds, and then it is reported', () => {
  const { refuse, pass, reports } = refusals();
  const delays = Array.from({ length: 9 }, () => {
    const delay = refuse('7');
    pass(delay);
    return delay;
  });
  expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  expect(reports).toEqual([expect.stringContaining('job 7 ("new")')]);
});

test('a name is reported once in ten minutes, whatever the number of its jobs', () => {
  const { refuse, pass, reports } = refusals();
  for (let minute = 0; minute < 25; minute++) {
    for (let i = 0; i < 7; i++) for (const id of ['a', 'b', 'c']) refuse(id);
    pass(60_000);
  }
  expect(reports).toHaveLength(3);
});

test('one that has not come back for two minutes begins anew', () => {
  const { refuse, pass } = refusals();
  refuse('7');
  expect(refuse('7')).toBe(1_000);
  pass(120_000);
  refuse('8');
  expect(refuse('7')).toBe(500);
});

test('more jobs than are remembered go round slowly', () => {
  const { refuse, pass } = refusals();
  for (let i = 0; i < 10_000; i++) expect(refuse(String(i))).toBe(500);
  expect(refuse('one more')).toBe(30_000);
  pass(120_000);
  expect(refuse('one more')).toBe(500);
});
