const WIDTH = 760;
const PANEL = 190;
const LEFT = 56;
const RIGHT = 12;
const TOP = 30;
const GAP = 44;
const MIB = 2 ** 20;
const ROUND = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];
const RULES = 6;
/** Minutes between two labels. */
const STEPS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 480, 1_440];

const PANELS = [
  {
    title: 'Heap after a collection, MiB',
    series: [
      { label: 'worker', shade: 'a', of: ({ worker }) => worker.heap / MIB },
      { label: 'producer', shade: 'b', of: ({ producer }) => producer.heap / MIB },
      { label: 'listener', shade: 'c', of: ({ listener }) => listener.heap / MIB },
    ],
  },
  {
    title: 'Redis memory, MiB',
    series: [{ label: 'Redis', shade: 'a', of: ({ redis }) => redis.memory / MIB }],
  },
];

/**
 * Memory over time, for the README, in light and in dark.
 *
 * @param {readonly { at: number }[]} samples
 * @param {number} warmUpMs
 */
export function drawSoak(samples, warmUpMs) {
  const height = TOP + PANELS.length * (PANEL + GAP);
  const minutes = samples.at(-1).at / 60_000;
  const x = (at) => LEFT + (at / 60_000 / minutes) * (WIDTH - LEFT - RIGHT);
  const panels = PANELS.map((panel, index) =>
    drawPanel(panel, samples, x, TOP + index * (PANEL + GAP), minutes),
  );
  const warm = x(warmUpMs).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Memory over time">
<style>
  text { font: 11px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 13px; fill: #24292f }
  path { fill: none; stroke-width: 1.5 }
  .grid { stroke: #d0d7de }
  .warm { stroke: #8c959f; stroke-dasharray: 3 3 }
  .a { stroke: #0969da } .b { stroke: #bc4c00 } .c { stroke: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #8d96a0 }
    .title { fill: #e6edf3 }
    .grid { stroke: #30363d }
    .a { stroke: #58a6ff } .b { stroke: #f0883e } .c { stroke: #3fb950 }
  }
</style>
${panels.join('\n')}
<line class="warm" x1="${warm}" y1="${TOP}" x2="${warm}" y2="${height - GAP}"/>
</svg>
`;
}

function drawPanel({ title, series }, samples, x, top, minutes) {
  const most = Math.max(...series.flatMap(({ of }) => samples.map(of))) * 1.15;
  const bottom = top + PANEL;
  const y = (value) => bottom - (value / most) * PANEL;
  const step = ROUND.find((one) => most / one <= RULES) ?? most / RULES;
  const rules = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => {
    const at = y(index * step).toFixed(1);
    return (
      `<line class="grid" x1="${LEFT}" y1="${at}" x2="${WIDTH - RIGHT}" y2="${at}"/>` +
      `<text x="${LEFT - 6}" y="${Number(at) + 4}" text-anchor="end">${Number((index * step).toFixed(1))}</text>`
    );
  });
  const every = STEPS.find((one) => minutes / one <= 8) ?? STEPS.at(-1);
  const ticks = Array.from({ length: Math.floor(minutes / every) + 1 }, (_, index) => {
    const at = x(index * every * 60_000).toFixed(1);
    return `<text x="${at}" y="${bottom + 15}" text-anchor="middle">${index * every} min</text>`;
  });
  const lines = series.map(({ shade, of }) => {
    const points = samples.map((sample) => `${x(sample.at).toFixed(1)},${y(of(sample)).toFixed(1)}`);
    return `<path class="${shade}" d="M${points.join('L')}"/>`;
  });
  return [
    `<text class="title" x="0" y="${top - 10}">${title}</text>`,
    ...rules,
    ...ticks,
    ...lines,
    ...(series.length > 1 ? series.map((one, index) => legend(one, index, top)) : []),
  ].join('\n');
}

function legend({ label, shade }, index, top) {
  const at = 240 + index * 90;
  return (
    `<path class="${shade}" d="M${at},${top - 14}h16"/>` +
    `<text x="${at + 21}" y="${top - 10}">${label}</text>`
  );
}
