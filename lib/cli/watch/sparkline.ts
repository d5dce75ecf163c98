import type { Glyphs } from './glyphs.js';

/** One bar per value; with less room, the newest values. Zero has the lowest bar, and only zero. */
export function sparkline(values: readonly number[], width: number, glyphs: Glyphs, top?: number): string {
  const shown = width <= 0 ? [] : values.slice(-width);
  const most = Math.max(top ?? 0, ...shown, 1e-9);
  const { bars } = glyphs;
  const line = shown.map((value) => {
    const level = value <= 0 ? 0 : Math.max(1, Math.ceil((value / most) * (bars.length - 1)));
    return bars[Math.min(level, bars.length - 1)] ?? '';
  });
  return line.join('');
}
