import Table from 'cli-table3';
import { VARIANTS } from '../../drivers/index.mjs';
import { format, formatRatio } from '../metrics.mjs';
import { markOf } from '../rows.mjs';

/** The result as a table for a terminal. */
export function screenTable(rows, variants) {
  const table = new Table({
    head: [
      'scenario',
      ...variants.map((name) => VARIANTS[name].title),
      'ours / BullMQ',
      ...(variants.includes('oursQuiet') ? ['no events / BullMQ'] : []),
      ...(variants.includes('peerTuned') ? ['tuned / BullMQ'] : []),
      'target',
      '',
    ],
    colAligns: ['left', ...variants.map(() => 'right')],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push([
      plain(row.title),
      ...variants.map((name) => format(row.metric, row.medians[name])),
      formatRatio(row.ratios.ours),
      ...(variants.includes('oursQuiet') ? [formatRatio(row.ratios.oursQuiet)] : []),
      ...(variants.includes('peerTuned') ? [formatRatio(row.ratios.peerTuned)] : []),
      row.target,
      markOf(row),
    ]);
  }
  return table.toString();
}

/** What one job costs, by scenario. */
export function screenCosts(costs, variants) {
  const table = new Table({
    head: ['client / Redis CPU per job, µs', ...variants.map((name) => VARIANTS[name].title)],
    colAligns: ['left', ...variants.map(() => 'right')],
    style: { head: [], border: [], compact: true },
  });
  for (const { title, values } of costs) {
    table.push([
      plain(title),
      ...variants.map((name) => {
        const { clientCpuUs, redisCpuUs } = values[name] ?? {};
        return `${format('clientCpuUs', clientCpuUs, { unit: false })} / ${format('redisCpuUs', redisCpuUs, { unit: false })}`;
      }),
    ]);
  }
  return table.toString();
}

function plain(markdown) {
  return markdown.replaceAll('`', '');
}
