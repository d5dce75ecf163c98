import { describe, expect, it } from 'vitest';
import { RepeatPattern } from '../../lib/engine/timers/repeat/pattern.js';

/*
 * Whole years against a calculation of another kind: walk through the year minute by minute, read the clock on the wall
 * from Intl, and keep the furthest that it has shown. Each minute that the clock shows or jumps over for the first time
 * belongs to the present instant: so a repeated hour counts the first time only, and what is skipped counts at the shift.
 */

const MINUTE = 60_000;
const QUARTER = 15 * MINUTE;

type Wall = Date;
const PATTERNS: [expression: string, matches: (wall: Wall) => boolean][] = [
  ['*/15 * * * *', (w) => w.getUTCMinutes() % 15 === 0],
  ['30 2 * * *', (w) => w.getUTCHours() === 2 && w.getUTCMinutes() === 30],
  ['10 2,1 * * *', (w) => [1, 2].includes(w.getUTCHours()) && w.getUTCMinutes() === 10],
  ['0 0 * * *', (w) => w.getUTCHours() === 0 && w.getUTCMinutes() === 0],
  [
    '0 1-3 * * SUN',
    (w) => w.getUTCDay() === 0 && [1, 2, 3].includes(w.getUTCHours()) && w.getUTCMinutes() === 0,
  ],
  [
    '45 1 1,15 * 0',
    (w) =>
      (w.getUTCDay() === 0 || [1, 15].includes(w.getUTCDate())) &&
      w.getUTCHours() === 1 &&
      w.getUTCMinutes() === 45,
  ],
  [
    '59 23 L * *',
    (w) =>
      new Date(w.getTime() + MINUTE).getUTCDate() === 1 && w.getUTCHours() === 23 && w.getUTCMinutes() === 59,
  ],
];

/** Zone, year, and how many minutes its clock skips and repeats, to see that the years have the edges they are there for. */
const YEARS: [zone: string, year: number, skipped: number, repeated: number][] = [
  ['America/New_York', 2026, 60, 60],
  ['Europe/Madrid', 2025, 60, 60],
  ['Australia/Sydney', 2026, 60, 60],
  ['Australia/Lord_Howe', 2026, 30, 30],
  ['America/St_Johns', 2024, 60, 60],
  ['America/Santiago', 2026, 60, 60],
  ['Africa/Casablanca', 2026, 60, 60],
  ['Asia/Kolkata', 2026, 0, 0],
  ['Antarctica/Troll', 2026, 120, 120],
];

interface Walk {
  fires: Map<string, number[]>;
  skipped: number;
  repeated: number;
}

function walk(zone: string, from: number, to: number): Walk {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  const wallAt = (instant: number): number => Date.parse(`${format.format(instant).replace(' ', 'T')}Z`);
  const fires = new Map<string, number[]>(PATTERNS.map(([expression]) => [expression, []]));
  let furthest = wallAt(from);
  let skipped = 0;
  let repeated = 0;
  // Clocks change at quarters of an hour, so between two of them the wall is as far as the time.
  for (let quarter = from; quarter < to; quarter += QUARTER) {
    const wallOfQuarter = wallAt(quarter);
    for (let instant = quarter; instant < quarter + QUARTER; instant += MINUTE) {
      const wall = wallOfQuarter + (instant - quarter);
      if (instant > from && wall <= furthest) repeated += 1;
      if (wall > furthest + MINUTE) skipped += (wall - furthest) / MINUTE - 1;
      for (let shown = furthest + MINUTE; shown <= wall; shown += MINUTE) {
        const date = new Date(shown);
        for (const [expression, matches] of PATTERNS) {
          const found = fires.get(expression)!;
          if (matches(date) && found.at(-1) !== instant) found.push(instant);
        }
      }
      furthest = Math.max(furthest, wall);
    }
  }
  return { fires, skipped, repeated };
}

function fromEngine(expression: string, zone: string, from: number, to: number): number[] {
  const pattern = RepeatPattern.cron(expression, zone);
  const slots: number[] = [];
  for (let slot = pattern.next(from); slot !== undefined && slot < to; slot = pattern.next(slot))
    slots.push(slot);
  return slots;
}

describe.each(YEARS)('%s in %i', (zone, year, skipped, repeated) => {
  it('fires at the instants that the clock on the wall gives', { timeout: 60_000 }, () => {
    // An hour before the year, so that the first slot is not the first minute.
    const from = Date.UTC(year, 0, 1) - 60 * MINUTE;
    const to = Date.UTC(year + 1, 0, 1);
    const expected = walk(zone, from, to);
    expect({ skipped: expected.skipped, repeated: expected.repeated }).toEqual({ skipped, repeated });
    for (const [expression, instants] of expected.fires) {
      expect(fromEngine(expression, zone, from, to), expression).toEqual(instants);
    }
  });
});
