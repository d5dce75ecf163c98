/** Says what is wrong with a value. Returns undefined if the value is valid. */
export interface Check {
  (value: unknown): string | undefined;
  /** Returns the value to use instead of the given one: nested options are copied, like the options around them. */
  readonly read?: (value: unknown) => unknown;
}

/** Text that may contain a password. */
const MAY_BE_SECRET = /:\/\/|@/;

/** Text that UTF-8 cannot hold would arrive as other text, and two different ids as one. */
export const NOT_WELL_FORMED =
  'must not contain half of a surrogate pair (text that was cut within a character)';

/** `String.prototype.isWellFormed`, which Node has and the library of ES2023 does not know. */
export function isWellFormed(value: string): boolean {
  return (value as string & { isWellFormed: () => boolean }).isWellFormed();
}

/** A value as an error message shows it. */
export const show = (value: unknown): string => {
  if (typeof value === 'string') {
    if (MAY_BE_SECRET.test(value)) return 'a string';
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (typeof value === 'bigint') return `${String(value)}n`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
};

export const anything: Check = () => undefined;
export const boolean: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
export const text: Check = (value) => {
  if (typeof value !== 'string' || value.trim() === '') return 'must be a string that is not blank';
  return isWellFormed(value) ? undefined : NOT_WELL_FORMED;
};
export const record: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object';

/** One of some texts. */
export const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string)
      ? undefined
      : `must be ${values.map((allowed) => `'${allowed}'`).join(' or ')}`;

export const signal: Check = (value) => (value instanceof AbortSignal ? undefined : 'must be an AbortSignal');

/**
 * A whole number of at least `least` (and at most `most`). Each can hold as many as JavaScript has whole numbers: only a value beyond
 * them is told so.
 */
export const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check =>
  (value) => {
    const isTooMuch = Number.isInteger(value) && (value as number) > most;
    if (Number.isInteger(value) && !isTooMuch && (value as number) >= least) return undefined;
    const bounds = [
      ...(least > Number.MIN_SAFE_INTEGER ? [`of at least ${String(least)}`] : []),
      ...(isTooMuch || most < Number.MAX_SAFE_INTEGER ? [`at most ${String(most)}`] : []),
    ];
    return ['must be a whole number', bounds.join(' and ')].join(' ').trim();
  };

/** Handlers running at once. */
export const CONCURRENCY = whole(1, 100_000);

/** A finite number of at least `least`. */
export const number =
  (least: number): Check =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) && value >= least
      ? undefined
      : `must be a finite number of at least ${String(least)}`;

/** A time limit in ms: a whole number, or `Infinity` for no limit. */
export const limitMs =
  (least: number): Check =>
  (value) =>
    value === Infinity ? undefined : whole(least)(value)?.replace(/$/, ', or Infinity');

/** The longest time that Redis and JavaScript can both add to a clock in ms without rounding. */
export const MOST_MS = 2 ** 52;

/** The longest delay that a queue accepts by default, and the longest backoff: 30 days. */
export const MOST_DELAY_MS = 30 * 24 * 3_600_000;

/** A duration in whole ms that is sent to Redis. */
export const ms = (least: number): Check => whole(least, MOST_MS);

/** A duration in seconds that is sent to Redis in ms. */
export const seconds =
  (least: number): Check =>
  (value) =>
    number(least)(value) ??
    ((value as number) <= MOST_MS / 1000 ? undefined : `must be at most ${String(MOST_MS / 1000)}`);

const secrets = new WeakSet<Check>();

/** Marks the check of an option that may hold a secret: messages never show its value. */
export function secret(check: Check): Check {
  const marked: Check = (value) => check(value);
  secrets.add(marked);
  return marked;
}

export function isSecret(check: Check): boolean {
  return secrets.has(check);
}
