import type { JobLogs } from '../engine/index.js';

/** The newest rows of a log that the board shows. */
export const MOST_LOG_ROWS = 1_000;
const ROW_CHARACTERS = 4_000;
const ALL_CHARACTERS = 500_000;

/**
 * The end of a log, the oldest row first, as text. Says what was left out.
 * @param log the newest row first
 */
export function shownLogs({ logs, count }: JobLogs): string[] {
  const rows: string[] = [];
  let left = ALL_CHARACTERS;
  for (const row of logs) {
    const text =
      row.length > ROW_CHARACTERS
        ? `${row.slice(0, ROW_CHARACTERS)}⟦${String(row.length - ROW_CHARACTERS)} more characters⟧`
        : row;
    left -= text.length;
    if (left < 0) break;
    rows.push(text);
  }
  rows.reverse();
  const missing = count - rows.length;
  return missing > 0 ? [`⟦${String(missing)} earlier rows⟧`, ...rows] : rows;
}
