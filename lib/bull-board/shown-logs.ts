import { stripVTControlCharacters } from 'node:util';
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
  for (const written of logs) {
    // Colors are for terminals.
    const row = stripVTControlCharacters(written);
    const more = row.length - ROW_CHARACTERS;
    const text = more > 0 ? `${row.slice(0, ROW_CHARACTERS)}⟦${String(more)} more characters⟧` : row;
    left -= text.length;
    if (left < 0) break;
    rows.push(text);
  }
  rows.reverse();
  const missing = count - rows.length;
  return missing > 0 ? [`⟦${String(missing)} earlier rows⟧`, ...rows] : rows;
}
