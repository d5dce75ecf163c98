import { describe, expect, test } from 'vitest';
import { Book } from '../support/live-gate/book.js';
import { judgeOrder } from '../support/live-gate/judge.js';
import type { Spec } from '../support/live-gate/steps.js';

/** Since when all jobs wait, in ms. Redis delivers them one ms after the other, later than that. */
const ADDED_AT = 1_000;

const plain = { kind: 'plain', delay: 0, attempts: 3, fails: 0, ms: 0, ownId: false, dedup: '' } as const;

/** What is wrong if these jobs are delivered in this order. A job whose name comes again was given back, or has failed. */
function faultsOf(jobs: Record<string, Partial<Spec>>, order: string): string[] {
  const book = new Book(false);
  const planned = Object.entries(jobs).map(([name, spec]) => {
    const job = book.plan({ ...plain, group: '', ...spec });
    job.addedAt = ADDED_AT;
    return [name, job] as const;
  });
  const byName = new Map(planned);
  for (const [at, name] of order.split(' ').entries())
    book.deliveries.set(`${String(ADDED_AT + 1 + at)}-0`, byName.get(name)!);
  judgeOrder(book);
  return book.faults;
}

const GROUPED = {
  a1: { group: 'a' },
  a2: { group: 'a' },
  b1: { group: 'b' },
  b2: { group: 'b' },
  c1: { group: 'c' },
};

describe('the judge of the turns of groups', () => {
  test('accepts one start of each other group before a group that waits', () => {
    expect(faultsOf(GROUPED, 'a1 b1 c1 a2 b2')).toEqual([]);
  });

  test('reports a group that starts twice while others wait', () => {
    expect(faultsOf(GROUPED, 'a1 a2 b1 c1 b2')).toEqual([
      'a started 2 times while b waited',
      'a started 2 times while c waited',
    ]);
  });

  test('counts a job that was given back as the turn of its group', () => {
    expect(faultsOf(GROUPED, 'c1 a1 b1 c1 a2 b2')).toEqual([]);
    expect(faultsOf(GROUPED, 'a1 b1 a1 c1 b2 a2')).toEqual(['a started 2 times while c waited']);
  });

  test('does not know since when a job has waited that was given back', () => {
    expect(faultsOf(GROUPED, 'c1 a1 b1 a2 b2 c1')).toEqual([]);
  });
});

describe('the judge of the order', () => {
  const ranked = {
    lifo: { kind: 'lifo' },
    best: { kind: 'priority 1' },
    equal: { kind: 'priority 1' },
    worse: { kind: 'priority 2' },
    grouped: { group: 'a' },
  } as const;

  test('accepts the order of a sorted list', () => {
    expect(faultsOf(ranked, 'lifo best equal worse grouped')).toEqual([]);
    expect(faultsOf(ranked, 'lifo best best equal worse grouped')).toEqual([]);
  });

  test('reports a job that was delivered before a better one', () => {
    expect(faultsOf(ranked, 'lifo equal best worse grouped')).toEqual([
      '2 was delivered before 1, which is better and waited',
    ]);
    expect(faultsOf(ranked, 'lifo best equal grouped worse')).toEqual([
      '4 was delivered before 3, which is better and waited',
    ]);
  });
});
