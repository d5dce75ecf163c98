const WIDTH = 760;
const LABEL = 250;
const VALUE = 60;
const BAR = 15;
const GAP = 5;
const BLOCK = 2 * BAR + GAP + 18;
const TOP = 64;

const SERIES = [
  { variant: 'ours', label: 'nestjs-chasqui', fill: 'ours' },
  { variant: 'oursQuiet', label: 'nestjs-chasqui, events off', fill: 'quiet' },
];

/**
 * Bars of throughput, with BullMQ as 1: for the README, in light and in dark.
 *
 * @param {import('../rows.mjs').Row[]} rows
 * @param {string} caption
 */
export function drawChart(rows, caption) {
  const shown = rows.filter((row) => row.group === 'main' && row.metric === 'rate' && row.ratios.ours);
  const most = Math.max(
    1,
    ...shown.flatMap((row) => SERIES.map(({ variant }) => row.ratios[variant]?.median ?? 0)),
  );
  const scale = (WIDTH - LABEL - VALUE) / most;
  const height = TOP + shown.length * BLOCK + 24;
  const one = LABEL + scale;

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Throughput compared with BullMQ">
<style>
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .small { font-size: 11px; fill: #57606a }
  .value { font-weight: 600 }
  .ours { fill: #0969da }
  .quiet { fill: #54aeff }
  .peer { stroke: #8c959f; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #8d96a0 }
    .ours { fill: #1f6feb }
    .quiet { fill: #79c0ff }
  }
</style>
${legend()}
${shown.map((row, index) => block(row, TOP + index * BLOCK, scale)).join('\n')}
<line class="peer" x1="${one}" y1="${TOP - 10}" x2="${one}" y2="${height - 26}"/>
<text class="small" x="${one}" y="${TOP - 14}" text-anchor="middle">BullMQ</text>
<text class="small" x="0" y="${height - 6}">${escape(caption)}</text>
</svg>
`;
}

function legend() {
  return SERIES.map(
    ({ label, fill }, index) =>
      `<rect class="${fill}" x="${index * 150}" y="6" width="12" height="12" rx="2"/><text x="${index * 150 + 18}" y="17">${label}</text>`,
  ).join('\n');
}

function block(row, y, scale) {
  const bars = SERIES.filter(({ variant }) => row.ratios[variant]).map(({ variant, fill }, index) => {
    const ratio = row.ratios[variant].median;
    const top = y + index * (BAR + 3);
    const width = Math.max(1, ratio * scale).toFixed(1);
    return (
      `<rect class="${fill}" x="${LABEL}" y="${top}" width="${width}" height="${BAR}" rx="2"/>` +
      `<text class="value" x="${LABEL + Number(width) + 6}" y="${top + 12}">${ratio.toFixed(1)}×</text>`
    );
  });
  const label = `<text x="0" y="${y + BAR + 6}">${escape(row.title.replaceAll('`', ''))}</text>`;
  return [label, ...bars].join('\n');
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
