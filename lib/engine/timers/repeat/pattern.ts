import { Cron } from 'croner';
import { ConfigError, messageOf } from '../../base/errors.js';
import { checkOption } from '../../config/check-options.js';
import { whole } from '../../config/checks.js';
import { zoneOf } from './zone.js';
import type { Zone } from './zone.js';

/** When a schedule fires: a cron expression in a time zone, or a fixed interval. Immutable. */
export abstract class RepeatPattern {
  abstract readonly kind: 'cron' | 'every';

  /**
   * @param expression 5 fields (minute, hour, day, month, weekday), 6 with seconds in front, or a nickname like `@daily`.
   * If both day and weekday are restricted, a day matches when one of them does.
   * @param tz `UTC` (default) or `Z`, an offset like `+05:30` or `-0800`, or an IANA name.
   * @throws ConfigError (CMQ-004) that names the part that is invalid
   */
  static cron(expression: string, tz?: string): CronPattern {
    return new CronPattern(expression, tz);
  }

  /**
   * @param offsetMs the slots are the multiples of the interval since 1970, shifted by so much. Default: they count from the
   * time at which the schedule is stored.
   * @throws ConfigError (CMQ-004) unless `intervalMs` is a whole number of at least 1, and `offsetMs` one of at least 0
   */
  static every(intervalMs: number, offsetMs?: number): EveryPattern {
    return new EveryPattern(intervalMs, offsetMs);
  }

  /** `cron:<expression>:<tz>`, `every:<ms>` or `every:<ms>+<offset>`: the second half of a schedule's default key. */
  abstract signature(): string;

  /** Whether the slots follow from the pattern alone. If not, they count from the time at which the schedule is stored. */
  abstract readonly isFixed: boolean;

  /**
   * The first slot after `afterMs`, in unix ms; undefined if there is none.
   * @param anchorMs any slot of the pattern; only an interval needs it. Default: `afterMs`.
   */
  abstract next(afterMs: number, anchorMs?: number): number | undefined;
}

export class EveryPattern extends RepeatPattern {
  readonly kind = 'every';

  constructor(
    readonly intervalMs: number,
    readonly offsetMs?: number,
  ) {
    super();
    checkOption(whole(1), 'repeat: "every"', intervalMs);
    if (offsetMs !== undefined) checkOption(whole(0), 'repeat: "offset"', offsetMs);
  }

  get isFixed(): boolean {
    return this.offsetMs !== undefined;
  }

  signature(): string {
    const every = `every:${String(this.intervalMs)}`;
    return this.offsetMs === undefined ? every : `${every}+${String(this.offsetMs)}`;
  }

  next(afterMs: number, anchorMs = afterMs): number {
    const anchor = this.offsetMs ?? anchorMs;
    const periods = Math.floor((afterMs - anchor) / this.intervalMs) + 1;
    return anchor + periods * this.intervalMs;
  }
}

/** The expression is part of the default key, which is bounded. */
const MAX_EXPRESSION_LENGTH = 200;

export class CronPattern extends RepeatPattern {
  readonly kind = 'cron';
  readonly isFixed = true;
  readonly expression: string;
  readonly tz: string | undefined;
  readonly #calendar: Cron;
  readonly #zone: Zone;

  constructor(expression: string, tz?: string) {
    super();
    this.expression = normalize(expression);
    this.tz = tz?.trim();
    this.#zone = zoneOf(tz);
    this.#calendar = calendarOf(this.expression);
  }

  signature(): string {
    return `cron:${this.expression}:${this.tz ?? 'UTC'}`;
  }

  next(afterMs: number): number | undefined {
    if (afterMs >= LAST_TIME) return undefined;
    // The calendar counts in wall times and knows no zones. Wall times map to instants in order, so the slot is the first
    // wall time whose instant is after `afterMs`. Several wall times share one instant only in a gap.
    let wall: number | undefined = this.#zone.lastWallUntil(afterMs);
    do {
      wall = this.#calendar.nextRun(new Date(wall))?.getTime();
      if (wall === undefined) return undefined;
      const instant = this.#zone.toInstant(wall);
      if (instant > afterMs) return instant;
    } while (wall < LAST_TIME);
    return undefined;
  }
}

/** 9999-01-01, the end of the calendar. */
const LAST_TIME = 253_370_764_800_000;

function normalize(expression: string): string {
  const fields = expression.trim().split(/\s+/);
  const isNickname = fields.length === 1 && /^@[a-z]+$/i.test(fields[0] ?? '');
  if (!isNickname && fields.length !== 5 && fields.length !== 6) {
    throw invalid(expression, `it has ${String(fields.length)} field(s) instead of 5 or 6`);
  }
  const normal = fields.join(' ');
  if (normal.length > MAX_EXPRESSION_LENGTH) {
    throw invalid(expression, `it is longer than ${String(MAX_EXPRESSION_LENGTH)} characters`);
  }
  return normal;
}

function calendarOf(expression: string): Cron {
  let calendar: Cron;
  try {
    calendar = new Cron(expression, { utcOffset: 0, mode: '5-or-6-parts' });
  } catch (error) {
    throw invalid(expression, wrongField(expression) ?? reasonOf(error), error);
  }
  return calendar;
}

/** From the last field of an expression to its first. */
const FIELDS = [
  ['weekday', '0 to 7, or SUN to SAT'],
  ['month', '1 to 12, or JAN to DEC'],
  ['day', '1 to 31, or L'],
  ['hour', '0 to 23'],
  ['minute', '0 to 59'],
  ['second', '0 to 59'],
] as const;

/** Which field is wrong. The parser counts months and days from 0, so its own message has values that nobody wrote. */
function wrongField(expression: string): string | undefined {
  const parts = expression.split(' ').toReversed();
  for (const [index, [name, range]] of FIELDS.entries()) {
    const part = parts[index];
    if (part === undefined || parts.length === 1) return undefined;
    const alone = parts.map((_, other) => (other === index ? part : '*')).toReversed();
    try {
      new Cron(alone.join(' '), { utcOffset: 0, mode: '5-or-6-parts' });
    } catch (error) {
      const reason = reasonOf(error);
      const why = reason.startsWith('Invalid value') ? '' : ` (${reason.replace(/\.$/, '')})`;
      return `the ${name} is ${range}, not ${JSON.stringify(part)}${why}`;
    }
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  return messageOf(error).replace(/^CronPattern: /, '');
}

function invalid(expression: string, reason: string, cause?: unknown): ConfigError {
  const shown = JSON.stringify(expression.length > 60 ? `${expression.slice(0, 60)}…` : expression);
  return new ConfigError(`repeat: pattern ${shown} is not a cron expression: ${reason}.`, { cause });
}
