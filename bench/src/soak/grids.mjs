import { show } from './measures.mjs';

/** @typedef {import('../report/tables.mjs').Grid} Grid */

/** @returns {Grid} */
export function growthGrid(rows) {
  return {
    head: ['', 'after warm-up', 'at the end', 'per hour', 'may rise by', 'verdict'],
    rows: rows.map((row) => [
      row.title,
      show(row, row.first),
      show(row, row.last),
      `${row.perHour > 0 ? '+' : ''}${show(row, row.perHour)}`,
      show(row, row.allowed),
      verdictOf(row),
    ]),
  };
}

function verdictOf({ judged, grows }) {
  if (!judged) return 'too short';
  return grows ? '✗ grows' : '✓ ok';
}

/** @returns {Grid} */
export function checksGrid(checks) {
  const count = (value) => value.toLocaleString('en-US');
  return {
    head: ['count', 'seen', 'expected', 'verdict'],
    rows: checks.map(({ title, seen, expected, ok }) => [
      title,
      count(seen),
      count(expected),
      ok ? '✓ ok' : '✗ wrong',
    ]),
  };
}
