import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cuts a text to a number of columns. What is cut off is shown as `…`. The text has no escape codes. */
export function cut(text: string, width: number): string {
  if (width <= 0) return '';
  // No character of ASCII is wide, and most texts are ASCII.
  if (text.length <= width && stringWidth(text) <= width) return text;
  let shown = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const wide = stringWidth(segment);
    if (used + wide > width - 1) break;
    shown += segment;
    used += wide;
  }
  return `${shown}…`;
}

/** The text in exactly so many columns, at the left. */
export function left(text: string, width: number): string {
  const shown = cut(text, width);
  return shown + ' '.repeat(Math.max(0, width - stringWidth(shown)));
}

/** The text in exactly so many columns, at the right. */
export function right(text: string, width: number): string {
  const shown = cut(text, width);
  return ' '.repeat(Math.max(0, width - stringWidth(shown))) + shown;
}

/** Breaks a text into lines of at most so many columns. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, Math.max(1, width)));
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let rest = '';
  let used = 0;
  for (const { segment } of graphemes.segment(line)) {
    const wide = stringWidth(segment);
    if (used + wide > width && rest !== '') {
      lines.push(rest);
      rest = '';
      used = 0;
    }
    rest += segment;
    used += wide;
  }
  return [...lines, rest];
}

/** 1234567 → 1.23M: a count in at most five columns, for tables that change. */
export function short(count: number): string {
  if (count < 10_000) return String(Math.round(count));
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (count < size) continue;
    const value = count / size;
    return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)}${unit}`;
  }
  return String(count);
}

/** A rate in at most five columns: 0, 0.4, 12, 482, 12.4k. */
export function perSecond(rate: number): string {
  if (rate === 0) return '0';
  return rate < 9.95 ? rate.toFixed(1) : short(rate);
}
