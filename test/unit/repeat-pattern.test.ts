import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../lib/engine/base/errors.js';
import { RepeatPattern } from '../../lib/engine/timers/repeat/pattern.js';

const at = (iso: string): number => Date.parse(iso);
const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace('.000Z', 'Z');

/** The first `count` slots after a time. */
function slots(pattern: RepeatPattern, after: string, count: number): (string | undefined)[] {
  const found: (string | undefined)[] = [];
  let time: number | undefined = at(after);
  for (let i = 0; i < count && time !== undefined; i++) {
    time = pattern.next(time);
    found.push(iso(time));
  }
  return found;
}

describe('signature', () => {
  it.each([
    [RepeatPattern.cron('0 8 * * *'), 'cron:0 8 * * *:UTC'],
    [RepeatPattern.cron(' 0  8 *\t* * ', 'Europe/Madrid'), 'cron:0 8 * * *:Europe/Madrid'],
    [RepeatPattern.cron('@daily', '+05:30'), 'cron:@daily:+05:30'],
    [RepeatPattern.every(60_000), 'every:60000'],
  ])('%# is stable', (pattern, signature) => {
    expect(pattern.signature()).toBe(signature);
  });
});

describe('every', () => {
  it('stays on the grid of its anchor', () => {
    const pattern = RepeatPattern.every(1_000);
    expect(pattern.next(500)).toBe(1_500);
    expect(pattern.next(10_300, 300)).toBe(11_300);
    expect(pattern.next(10_299, 300)).toBe(10_300);
    expect(pattern.next(100, 5_300)).toBe(300);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses %s', (interval) => {
    expect(() => RepeatPattern.every(interval)).toThrow(ConfigError);
  });
});

describe('cron', () => {
  it('takes 5 fields, 6 fields and nicknames', () => {
    expect(slots(RepeatPattern.cron('30 9 * * MON-FRI'), '2026-01-02T09:30:00Z', 2)).toEqual([
      '2026-01-05T09:30:00Z',
      '2026-01-06T09:30:00Z',
    ]);
    expect(slots(RepeatPattern.cron('*/20 * * * * *'), '2026-01-01T00:00:15Z', 3)).toEqual([
      '2026-01-01T00:00:20Z',
      '2026-01-01T00:00:40Z',
      '2026-01-01T00:01:00Z',
    ]);
    expect(slots(RepeatPattern.cron('@weekly'), '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-04T00:00:00Z']);
  });

  it('looks after a time to the ms', () => {
    const pattern = RepeatPattern.cron('* * * * *', 'Europe/Madrid');
    expect(iso(pattern.next(at('2026-01-01T00:00:00Z') - 1))).toBe('2026-01-01T00:00:00Z');
    expect(iso(pattern.next(at('2026-01-01T00:00:00Z')))).toBe('2026-01-01T00:01:00Z');
    expect(iso(pattern.next(at('2026-01-01T00:00:00Z') + 999))).toBe('2026-01-01T00:01:00Z');
  });

  it('ends where nothing matches any more', () => {
    expect(RepeatPattern.cron('0 0 31 2 *').next(at('2026-01-01T00:00:00Z'))).toBeUndefined();
    expect(slots(RepeatPattern.cron('0 0 29 2 *'), '2026-01-01T00:00:00Z', 1)).toEqual([
      '2028-02-29T00:00:00Z',
    ]);
  });

  it.each([
    ['0 0 * 13 *', 'the month is 1 to 12, or JAN to DEC, not "13".'],
    ['0 0 0 * *', 'the day is 1 to 31, or L, not "0".'],
    ['0 0 1-32 * *', 'the day is 1 to 31, or L, not "1-32".'],
    ['* 24 * * *', 'the hour is 0 to 23, not "24".'],
    ['61 * * * * *', 'the second is 0 to 59, not "61".'],
    ['*/0 * * * *', 'the minute is 0 to 59, not "*/0" (Syntax error, illegal stepping: 0).'],
  ])('names the field of %j and its value as they were written', (expression, message) => {
    expect(() => RepeatPattern.cron(expression)).toThrow(
      `repeat: pattern "${expression}" is not a cron expression: ${message}`,
    );
  });

  it('has no slot after the end of the calendar', () => {
    expect(RepeatPattern.cron('* * * * *').next(8.64e15)).toBeUndefined();
  });

  it.each([
    ['', 'field'],
    ['* * *', '3 field(s)'],
    ['* * * * * * *', '7 field(s)'],
    ['61 * * * *', '61'],
    ['a b c d e', 'a b c d e'],
    ['5/15 * * * *', '5/15'],
    ['@reboot', '@reboot'],
    ['2030-01-01T00:00:00', '2030-01-01T00:00:00'],
    [`${'1,'.repeat(200)}1 * * * *`, 'longer than'],
  ])('refuses %j and says why', (expression, reason) => {
    expect(() => RepeatPattern.cron(expression)).toThrow(ConfigError);
    expect(() => RepeatPattern.cron(expression)).toThrow(reason);
    expect(() => RepeatPattern.cron(expression)).toThrow('repeat: pattern "');
  });
});

describe('time zones', () => {
  it.each([
    [undefined, '2026-06-01T08:00:00Z'],
    ['UTC', '2026-06-01T08:00:00Z'],
    ['Z', '2026-06-01T08:00:00Z'],
    ['+05:30', '2026-06-01T02:30:00Z'],
    ['+0530', '2026-06-01T02:30:00Z'],
    ['-08:00', '2026-06-01T16:00:00Z'],
    ['-0330', '2026-06-01T11:30:00Z'],
    ['Europe/Madrid', '2026-06-01T06:00:00Z'],
    ['america/new_york', '2026-06-01T12:00:00Z'],
    ['US/Eastern', '2026-06-01T12:00:00Z'],
    ['Asia/Kathmandu', '2026-06-01T02:15:00Z'],
  ])('08:00 in %s is %s', (tz, instant) => {
    expect(slots(RepeatPattern.cron('0 8 1 6 *', tz), '2026-01-01T00:00:00Z', 1)).toEqual([instant]);
  });

  it.each(['Mars/Olympus', '', '+25:00', '+5', '05:30', 'UTC+5', '+05:99'])('refuses %j by name', (tz) => {
    expect(() => RepeatPattern.cron('* * * * *', tz)).toThrow(ConfigError);
    expect(() => RepeatPattern.cron('* * * * *', tz)).toThrow(`time zone ${JSON.stringify(tz)}`);
  });
});

describe('changes of the clock', () => {
  it('fires a skipped local time once, at the shift', () => {
    const shift = '2026-03-08T07:00:00Z';
    const zone = 'America/New_York';
    expect(slots(RepeatPattern.cron('30 2 * * *', zone), '2026-03-07T12:00:00Z', 2)).toEqual([
      shift,
      '2026-03-09T06:30:00Z',
    ]);
    // 02:00, 02:10 … are skipped, and 03:00 is the shift itself.
    expect(slots(RepeatPattern.cron('*/10 2,3 * * *', zone), '2026-03-08T06:00:00Z', 3)).toEqual([
      shift,
      '2026-03-08T07:10:00Z',
      '2026-03-08T07:20:00Z',
    ]);
  });

  it('takes the earlier instant of an ambiguous local time, once', () => {
    const zone = 'America/New_York';
    expect(slots(RepeatPattern.cron('30 1 * * *', zone), '2026-10-31T12:00:00Z', 2)).toEqual([
      '2026-11-01T05:30:00Z',
      '2026-11-02T06:30:00Z',
    ]);
    expect(slots(RepeatPattern.cron('*/30 * * * *', zone), '2026-11-01T05:00:00Z', 2)).toEqual([
      '2026-11-01T05:30:00Z',
      '2026-11-01T07:00:00Z',
    ]);
  });

  it('finds its way from inside the second run of a repeated hour', () => {
    const pattern = RepeatPattern.cron('* * * * * *', 'America/New_York');
    expect(iso(pattern.next(at('2026-11-01T06:00:00Z')))).toBe('2026-11-01T07:00:00Z');
    expect(iso(pattern.next(at('2026-11-01T06:59:59.999Z')))).toBe('2026-11-01T07:00:00Z');
  });

  it('knows a change at midnight, of half an hour, and of a whole day', () => {
    // Havana: 00:00 → 01:00; the day begins at 01:00.
    expect(slots(RepeatPattern.cron('0 0 * * *', 'America/Havana'), '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T05:00:00Z',
      '2026-03-09T04:00:00Z',
    ]);
    // Havana: 01:00 → 00:00; midnight comes twice.
    expect(slots(RepeatPattern.cron('0 0 * * *', 'America/Havana'), '2026-10-31T12:00:00Z', 2)).toEqual([
      '2026-11-01T04:00:00Z',
      '2026-11-02T05:00:00Z',
    ]);
    // Lord Howe: 02:00 → 02:30 in October, 02:00 → 01:30 in April.
    expect(slots(RepeatPattern.cron('15 2 * * *', 'Australia/Lord_Howe'), '2026-10-02T16:00:00Z', 2)).toEqual(
      ['2026-10-03T15:30:00Z', '2026-10-04T15:15:00Z'],
    );
    expect(slots(RepeatPattern.cron('45 1 * * *', 'Australia/Lord_Howe'), '2026-04-04T12:00:00Z', 2)).toEqual(
      ['2026-04-04T14:45:00Z', '2026-04-05T15:15:00Z'],
    );
    // Samoa had no 30 December 2011.
    expect(slots(RepeatPattern.cron('0 12 * * *', 'Pacific/Apia'), '2011-12-29T12:00:00Z', 3)).toEqual([
      '2011-12-29T22:00:00Z',
      '2011-12-30T10:00:00Z',
      '2011-12-30T22:00:00Z',
    ]);
  });
});
