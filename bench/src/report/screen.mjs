import Table from 'cli-table3';

/** @param {import('./tables.mjs').Grid} grid */
export function drawOnScreen({ head, rows }) {
  const table = new Table({
    head: head.map(plain),
    colAligns: ['left', ...head.slice(1).map(() => 'right')],
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => row.map(plain)));
  return table.toString();
}

function plain(markdown) {
  return markdown.replaceAll('`', '');
}
