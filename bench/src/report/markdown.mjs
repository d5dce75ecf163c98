/** @param {import('./tables.mjs').Grid} grid */
export function drawInMarkdown({ head, rows }) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = line(head.map((_, column) => (column === 0 ? '---' : '---:')));
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/**
 * @param {object} report
 * @param {Record<string, import('./tables.mjs').Grid>} grids
 */
export function toMarkdown(report, grids) {
  const { machine, versions, server, native } = report;
  const parts = [
    '![Ratios to BullMQ](report.svg)',
    `Measured on ${report.date}: nestjs-chasqui ${versions['nestjs-chasqui']} and BullMQ ${versions.bullmq}, both with ` +
      `ioredis ${versions.ioredis}, on Node ${versions.node} and ${server}. ${machine.cores} cores of ${machine.cpu}, ` +
      `${machine.memoryGiB} GiB, ${machine.platform}. ${report.rounds === 1 ? '1 round' : `${report.rounds} rounds`}; medians, and in brackets the smallest ` +
      `and the largest ratio of a pair. A round trip to the server took ${native.roundTripUs.toFixed(0)} µs (PING), ` +
      `an XADD that is awaited ${native.xaddUs.toFixed(0)} µs.` +
      quickText(report.quick),
    ...Object.values(grids)
      .filter(({ rows }) => rows.length > 0)
      .map(drawInMarkdown),
    noiseLine(report.rows),
  ];
  return `${parts.join('\n\n')}\n`;
}

function noiseLine(rows) {
  const spreads = rows
    .filter(({ metric }) => metric === 'rate')
    .flatMap((row) => Object.values(row.spreads))
    .sort((a, b) => a - b);
  if (spreads.length === 0) return '';
  const percent = (value) => `${(value * 100).toFixed(0)} %`;
  const middle = spreads[spreads.length >> 1];
  return `Noise: from round to round, half of the rates lay within ${percent(middle)} of their median, the worst within ${percent(spreads.at(-1))}.`;
}

/** @param {'all' | string[]} quick */
function quickText(quick) {
  if (quick === 'all') return ' With the smaller sizes of `--quick`.';
  if (quick.length === 0) return '';
  return ` With the smaller sizes of \`--quick\`: ${quick.join(', ')}.`;
}
