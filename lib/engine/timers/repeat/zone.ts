import { ConfigError } from '../../base/errors.js';

/**
 * A time zone: functions between instants (unix ms) and wall times. A wall time is a number: the unix ms at which a clock in
 * UTC shows the same digits. So a calendar that knows no zones can count in wall times.
 */
export interface Zone {
  toWall(instant: number): number;
  /**
   * The instant of a wall time. For a wall time that occurs twice, it is the earlier instant. For a skipped wall time, it is
   * the instant of the shift, so all wall times of a gap have the same instant. Never decreases as the wall time grows.
   */
  toInstant(wall: number): number;
  /**
   * The last wall time whose instant is not after `instant`. This is the wall time of `instant` itself, except in the second
   * pass of a repeated hour, whose wall times belong to the first pass.
   */
  lastWallUntil(instant: number): number;
}

/** @throws ConfigError (CMQ-004) that shows the value */
export function zoneOf(tz: string | undefined): Zone {
  const given = tz?.trim() ?? 'UTC';
  let zone = zones.get(given);
  if (!zone) {
    zone = createZone(given);
    zones.set(given, zone);
  }
  return zone;
}

const zones = new Map<string, Zone>();

function createZone(tz: string): Zone {
  if (/^(utc|z|gmt)$/i.test(tz)) return fixedZone(0);
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(tz) ?? [];
  if (sign !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
    const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
    return fixedZone(sign === '-' ? -offset : offset);
  }
  // Newer runtimes accept offsets of other forms as zone names. Only names are allowed here, on every runtime.
  if (/^[a-z]/i.test(tz)) {
    try {
      return new NamedZone(tz);
    } catch {
      // The error below says what is allowed.
    }
  }
  throw new ConfigError(
    `repeat: time zone ${JSON.stringify(tz)} is unknown. Use UTC, an offset like +05:30 or -0800, or an IANA name like Europe/Madrid.`,
  );
}

function fixedZone(offset: number): Zone {
  const toWall = (instant: number): number => instant + offset;
  return { toWall, toInstant: (wall) => wall - offset, lastWallUntil: toWall };
}

const HOUR = 3_600_000;
/** Offsets are between UTC-12 and UTC+14, so the instant of a wall time is within these bounds of its digits. */
const EARLIEST = -15 * HOUR;
const LATEST = 13 * HOUR;

/** A zone of the IANA database, from this runtime's Intl. */
class NamedZone implements Zone {
  readonly #format: Intl.DateTimeFormat;

  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  toWall(instant: number): number {
    return instant + this.#offsetAt(instant);
  }

  toInstant(wall: number): number {
    const before = this.#offsetAt(wall + EARLIEST);
    const after = this.#offsetAt(wall + LATEST);
    if (before === after) return wall - before;
    const candidates = [wall - before, wall - after].filter((instant) => this.toWall(instant) === wall);
    if (candidates.length > 0) return Math.min(...candidates);
    return this.#shiftBetween(wall + EARLIEST, wall + LATEST);
  }

  lastWallUntil(instant: number): number {
    const wall = this.toWall(instant);
    const first = this.toInstant(wall);
    if (first >= instant) return wall;
    const shift = this.#shiftBetween(first, instant);
    return this.toWall(shift - 1);
  }

  /** Wall time minus instant, in ms. */
  #offsetAt(instant: number): number {
    const seconds = Math.floor(instant / 1000) * 1000;
    let year = 0;
    let month = 0;
    let day = 0;
    let hour = 0;
    let minute = 0;
    let second = 0;
    for (const { type, value } of this.#format.formatToParts(seconds)) {
      if (type === 'year') year = Number(value);
      else if (type === 'month') month = Number(value);
      else if (type === 'day') day = Number(value);
      else if (type === 'hour') hour = Number(value);
      else if (type === 'minute') minute = Number(value);
      else if (type === 'second') second = Number(value);
    }
    return Date.UTC(year, month - 1, day, hour, minute, second) - seconds;
  }

  /** The instant, to the second, at which the offset of `to` begins. The offset of `from` is another one. */
  #shiftBetween(from: number, to: number): number {
    const offset = this.#offsetAt(to);
    let low = Math.floor(from / 1000);
    let high = Math.floor(to / 1000);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetAt(middle * 1000) === offset) high = middle;
      else low = middle;
    }
    return high * 1000;
  }
}
