import { describe, expect, it } from 'vitest';
import { RepeatPattern } from '../../lib/engine/timers/repeat/pattern.js';
import { MAX_FIRES, firstSlot, planFires } from '../../lib/engine/timers/repeat/plan-fires.js';
import type { DueTiming } from '../../lib/engine/timers/repeat/plan-fires.js';

const due = (given: Partial<DueTiming> = {}): DueTiming => ({
  pattern: RepeatPattern.every(1_000),
  slot: 10_000,
  owed: undefined,
  endBeforeMs: undefined,
  missedFires: { kind: 'skip' },
  ...given,
});
const fireAll = (maxCatchup: number): DueTiming['missedFires'] => ({ kind: 'fire-all', maxCatchup });

describe('planFires', () => {
  it('fires a single due slot, however late, under any policy', () => {
    for (const missedFires of [{ kind: 'skip' }, { kind: 'fire-once' }, fireAll(9)] as const) {
      const plan = { fires: [10_000], next: 11_000, owed: undefined };
      expect(planFires(due({ missedFires }), 10_000, 'seen')).toEqual(plan);
      expect(planFires(due({ missedFires }), 10_999, 'missed')).toEqual(plan);
    }
  });

  it('fires all slots that came between two polls', () => {
    const expected = { fires: [10_000, 11_000, 12_000], next: 13_000, owed: undefined };
    expect(planFires(due(), 12_500, 'seen')).toEqual(expected);
    expect(planFires(due({ missedFires: { kind: 'fire-once' } }), 12_500, 'seen')).toEqual(expected);
  });

  it.each([
    ['skip', { kind: 'skip' }, [], 16_000],
    ['fire-once', { kind: 'fire-once' }, [10_000], 16_000],
    ['fire-all within its bound', fireAll(100), [10_000, 11_000, 12_000, 13_000, 14_000, 15_000], 16_000],
    ['fire-all at its bound', fireAll(6), [10_000, 11_000, 12_000, 13_000, 14_000, 15_000], 16_000],
    ['fire-all beyond its bound', fireAll(2), [10_000, 11_000], 16_000],
  ] as const)('missed slots: %s', (_, missedFires, fires, next) => {
    expect(planFires(due({ missedFires }), 15_000, 'missed')).toEqual({
      fires: [...fires],
      next,
      owed: undefined,
    });
  });

  it('keeps a cron on its calendar', () => {
    const pattern = RepeatPattern.cron('0 8 * * *');
    const slot = Date.UTC(2026, 0, 1, 8);
    const plan = planFires(due({ pattern, slot }), Date.UTC(2026, 0, 5, 9), 'missed');
    expect(plan).toEqual({ fires: [], next: Date.UTC(2026, 0, 6, 8), owed: undefined });
  });

  it('continues in later polls, up to the bound', () => {
    const spec = due({ pattern: RepeatPattern.every(1), slot: 0, missedFires: fireAll(MAX_FIRES + 200) });
    const first = planFires(spec, 100_000, 'missed');
    expect(first.fires).toHaveLength(MAX_FIRES);
    expect(first).toMatchObject({ next: MAX_FIRES, owed: 200 });
    const second = planFires({ ...spec, slot: MAX_FIRES, owed: 200 }, 100_000, 'missed');
    expect(second.fires).toHaveLength(200);
    expect(second).toMatchObject({ next: 100_001, owed: undefined });
    const seen = planFires({ ...spec, missedFires: { kind: 'skip' } }, 100_000, 'seen');
    expect(seen.fires).toHaveLength(MAX_FIRES);
    expect(seen).toMatchObject({ next: MAX_FIRES, owed: undefined });
  });

  it('ends after its last slot; one at the end itself still fires', () => {
    expect(planFires(due({ endBeforeMs: 11_000 }), 10_000, 'seen').next).toBe(11_000);
    expect(planFires(due({ endBeforeMs: 10_999 }), 10_000, 'seen').next).toBeUndefined();
    expect(planFires(due({ endBeforeMs: 12_000 }), 20_000, 'seen')).toEqual({
      fires: [10_000, 11_000, 12_000],
      next: undefined,
      owed: undefined,
    });
    expect(planFires(due({ endBeforeMs: 12_000 }), 20_000, 'missed')).toEqual({
      fires: [],
      next: undefined,
      owed: undefined,
    });
  });
});

describe('firstSlot', () => {
  const every = RepeatPattern.every(1_000);
  const cron = RepeatPattern.cron('* * * * *');

  it.each([
    ['an interval after now', every, {}, 6_000],
    ['an interval after a start to come', every, { startAfterMs: 9_000 }, 10_000],
    ['an interval after now where the start is past', every, { startAfterMs: 100 }, 6_000],
    ['on the calendar', cron, {}, 60_000],
    ['at the start itself', cron, { startAfterMs: 120_000 }, 120_000],
    ['after the start', cron, { startAfterMs: 120_001 }, 180_000],
    ['at the end itself', every, { endBeforeMs: 6_000 }, 6_000],
    ['never', every, { endBeforeMs: 5_999 }, undefined],
  ] as const)('%s', (_, pattern, window, slot) => {
    expect(firstSlot({ pattern, endBeforeMs: undefined, ...window }, 5_000)).toBe(slot);
  });
});
