import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `15m`, `2h`, `1d`, `1h30m`, `500ms`, in ms. Undefined for other text. */
export function readDuration(text: string): number | undefined {
  const parts = [
    ...text
      .trim()
      .toLowerCase()
      .matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g),
  ];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.trim().toLowerCase()) {
    return undefined;
  }
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0), 0);
  return Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : undefined;
}

/** Reads the value of an option that is a duration. */
export function duration(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined)
    throw new InvalidArgumentError('It must be a duration such as 500ms, 30s, 15m, 2h or 1d.');
  return ms;
}

/** Reads a time: ISO 8601, unix ms, or a duration, which means so long ago. In unix ms. */
export function time(text: string): number {
  const ago = readDuration(text);
  if (ago !== undefined) return Date.now() - ago;
  if (/^\d{9,15}$/.test(text)) return Number(text);
  const at = /^\d{4}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) {
    throw new InvalidArgumentError(
      'It must be a time such as 2026-05-01T12:00:00Z, unix ms, or a duration such as 15m, which means so long ago.',
    );
  }
  return at;
}

/** Reads a whole number of at least `least`. Digits may be grouped: 1_000. */
export function whole(least = 0): (text: string) => number {
  return (text) => {
    const digits = text.replaceAll(/(?<=\d)[_,](?=\d{3})/g, '');
    const value = /^\d+$/.test(digits) ? Number(digits) : NaN;
    if (value >= least && Number.isSafeInteger(value)) return value;
    const most = value >= least ? ` and at most ${String(Number.MAX_SAFE_INTEGER)}` : '';
    throw new InvalidArgumentError(`It must be a whole number of at least ${String(least)}${most}.`);
  };
}

/** As `MAX_GROUP_ID_BYTES` of the engine. */
const MOST_GROUP_BYTES = 256;

/** Reads the id of a group. */
export function groupId(text: string): string {
  if (text.trim() !== '' && Buffer.byteLength(text) <= MOST_GROUP_BYTES) return text;
  throw new InvalidArgumentError(
    `It must be the id of a group: not blank, and at most ${String(MOST_GROUP_BYTES)} bytes.`,
  );
}

/** Collects the values of an option that may be repeated; each may be a list with commas. */
export function list(text: string, before: readonly string[] | undefined): readonly string[] {
  const parts = text.split(',').filter((part) => part.trim() !== '');
  // An unset variable of a script must not mean "all".
  if (parts.length === 0) throw new InvalidArgumentError('It must have at least one value.');
  return [...(before ?? []), ...parts];
}

/** Collects the values of an option that may be repeated. */
export function each(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
