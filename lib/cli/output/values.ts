import { printable } from '../../engine/base/printable.js';

/** 1234567 → 1,234,567 */
export function grouped(value: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en-US') : '–';
}

/** `1 job`, `1,234 jobs` */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

const STEPS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
] as const;

/** A span of ms with its two largest units: `2d3h`, `15m`, `4.2s`, `12ms`. */
export function span(ms: number): string {
  const whole = Math.round(Math.abs(ms));
  if (whole < 1_000) return `${String(whole)}ms`;
  if (whole < 10_000) return `${(whole / 1_000).toFixed(1).replace(/\.0$/, '')}s`;
  const at = STEPS.findIndex(([step]) => whole >= step);
  const [step, unit] = STEPS[at] as (typeof STEPS)[number];
  const next = STEPS[at + 1];
  const rest = next ? Math.floor((whole % step) / next[0]) : 0;
  return `${String(Math.floor(whole / step))}${unit}${next && rest > 0 ? `${String(rest)}${next[1]}` : ''}`;
}

/** `3m ago`, `in 5s`, `now`. */
export function relative(at: number, now = Date.now()): string {
  const ms = now - at;
  if (Math.abs(ms) < 500) return 'now';
  return ms > 0 ? `${span(ms)} ago` : `in ${span(ms)}`;
}

/** ISO 8601, in UTC. Numbers that are no time become a dash. */
export function iso(at: number | undefined): string {
  return at === undefined || !Number.isFinite(at) || Math.abs(at) > 8.64e15
    ? '–'
    : new Date(at).toISOString();
}

/** `2026-05-01T12:00:00.000Z (3m ago)` */
export function moment(at: number | undefined, now = Date.now()): string {
  return at === undefined || !Number.isFinite(at) ? '–' : `${iso(at)} (${relative(at, now)})`;
}

/**
 * A value as JSON can hold it: bigints become text, bytes `{ "$bytes": "<base64>" }`, dates ISO 8601, and numbers that JSON
 * lacks text.
 */
export function jsonable(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(jsonable);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonable(inner)]));
  }
  return value === undefined || typeof value === 'function' || typeof value === 'symbol' ? null : value;
}

/** Control characters that JSON allows as they are, and marks that change the order of the text on a terminal. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A value as JSON that is safe to print on a terminal: the same value, with more escapes. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    UNSAFE,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A text as a word for a shell, escaped. */
export function shellWord(text: string): string {
  return /^[\w.:@%+,/-]+$/.test(text) ? text : `'${printable(text).replaceAll("'", `'\\''`)}'`;
}

/** Data on one line, escaped. */
export function oneLine(value: unknown): string {
  return value === undefined ? '–' : printable(JSON.stringify(jsonable(value)));
}

/** Data on several lines, escaped and indented. */
export function manyLines(value: unknown): string {
  if (value === undefined) return '–';
  return JSON.stringify(jsonable(value), undefined, 2).split('\n').map(printable).join('\n');
}

/** Text from a job, on one line. */
export function cell(text: string | undefined): string {
  return text === undefined || text === '' ? '–' : printable(text);
}
