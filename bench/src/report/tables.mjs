import { VARIANTS } from '../../drivers/index.mjs';
import { format, formatRatio } from '../metrics.mjs';
import { markOf } from '../rows.mjs';

/*
 * The tables of the report, as a head and rows of cells: the screen and the Markdown file differ only in how they draw
 * them. Only what was measured gets a column.
 */

/** @typedef {{ head: string[], rows: string[][] }} Grid */

/** @returns {Grid} */
export function comparison(rows, variants) {
  const tuned = variants.includes('peerTuned');
  const quiet = variants.includes('oursQuiet');
  return {
    head: [
      'scenario',
      ...variants.map((name) => VARIANTS[name].title),
      'ours / BullMQ',
      ...(quiet ? ['no events / BullMQ'] : []),
      ...(tuned ? ['ours / tuned'] : []),
      'target',
      'met',
    ],
    rows: rows.map((row) => [
      row.title,
      ...variants.map((name) => format(row.metric, row.medians[name])),
      formatRatio(row.ratios.ours),
      ...(quiet ? [formatRatio(row.ratios.oursQuiet)] : []),
      ...(tuned ? [formatRatio(row.tunedRatios.ours)] : []),
      row.target,
      markOf(row),
    ]),
  };
}

/** @returns {Grid} */
export function nest(rows) {
  return pair(rows, 'in a Nest application', ['ours', 'oursNest'], 'Nest / bare');
}

/** @returns {Grid} */
export function telemetry(rows) {
  const { head, rows: cells } = pair(
    rows,
    'traces (1 % sampled) and metrics',
    ['oursSdk', 'oursTraced'],
    'with / an SDK alone',
  );
  const inserted = (row, side, ratio) => [row[0], side, ...row.slice(1, 3), ratio, ...row.slice(3)];
  return {
    head: inserted(head, VARIANTS.ours.title, 'with / without'),
    rows: cells.map((row, index) => {
      const { metric, medians, alsoRatio } = rows[index];
      return inserted(row, format(metric, medians.ours), formatRatio(alsoRatio));
    }),
  };
}

/** @returns {Grid} two sides, and their ratio */
export function pair(rows, title, [one, other], ratio) {
  return {
    head: [title, VARIANTS[one].title, VARIANTS[other].title, ratio, 'target', 'met'],
    rows: rows.map((row) => [
      row.title,
      format(row.metric, row.medians[one]),
      format(row.metric, row.medians[other]),
      formatRatio(row.ratios.ours),
      row.target,
      markOf(row),
    ]),
  };
}

/** @returns {Grid} */
export function growth(rows, variants) {
  const measured = variants.filter((name) => rows.some((row) => row.medians[name] !== undefined));
  return {
    head: [
      'growth',
      ...measured.flatMap((name) => [VARIANTS[name].title, '× the first']),
      'ours / BullMQ',
      'target',
      'met',
    ],
    rows: rows.map((row) => [
      row.title,
      ...measured.flatMap((name) => [
        format(row.metric, row.medians[name]),
        row.growth[name] ? row.growth[name].median.toFixed(2) : '',
      ]),
      formatRatio(row.ratios.ours),
      row.target,
      markOf(row),
    ]),
  };
}

/** @returns {Grid} a line for each part */
export function unused(rows) {
  const keys = ['clientCpuUs', 'redisCpuUs'];
  const parts = new Set(rows.map(({ scenario }) => scenario));
  return {
    head: [
      'CPU per job, µs',
      ...['client', 'Redis'].flatMap((who) => [`${who}, without`, 'with', 'ratio']),
      'target',
      'met',
    ],
    rows: [...parts].map((part) => {
      const byKey = keys.map((key) => rows.find((row) => row.scenario === part && row.metric === key));
      return [
        byKey[0].title.split(':')[0],
        ...byKey.flatMap(({ metric, medians, sides, ratios }) => [
          format(metric, medians[sides.to], { unit: false }),
          format(metric, medians[sides.of], { unit: false }),
          formatRatio(ratios.ours),
        ]),
        byKey[0].target,
        byKey.map(markOf).join(' ').trim(),
      ];
    }),
  };
}

/** @returns {Grid} */
export function costs(costRows, variants) {
  return {
    head: ['CPU per job, client + Redis, µs', ...variants.map((name) => VARIANTS[name].title)],
    rows: costRows.map(({ title, values }) => [
      title,
      ...variants.map((name) => {
        const cost = values[name];
        if (cost?.clientCpuUs === undefined) return '–';
        const text = (key) => format(key, cost[key], { unit: false });
        return `${text('clientCpuUs')} + ${text('redisCpuUs')}`;
      }),
    ]),
  };
}

/** @returns {Grid} */
export function shares(shareRows, variants) {
  return {
    head: ["share of the server's limit", 'limit', ...variants.map((name) => VARIANTS[name].title)],
    rows: shareRows.map(({ title, limit, shares: byVariant }) => [
      title,
      format('rate', limit),
      ...variants.map((name) =>
        byVariant[name] === undefined ? '–' : `${(byVariant[name] * 100).toFixed(0)} %`,
      ),
    ]),
  };
}
