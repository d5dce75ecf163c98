import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawChart } from './chart.mjs';
import { toMarkdown } from './markdown.mjs';

const START = '<!-- report:start -->';
const END = '<!-- report:end -->';

/**
 * Writes report.json, report.md and report.svg, and puts the report into the README of the folder where that has a
 * place for it.
 *
 * @param {string} folder
 * @param {object} report
 * @param {Record<string, import('./tables.mjs').Grid>} grids
 */
export async function writeReport(folder, report, grids) {
  await mkdir(folder, { recursive: true });
  const markdown = toMarkdown(report, grids);
  const { versions, server, date } = report;
  const caption = `Throughput, BullMQ ${versions.bullmq} = 1. Node ${versions.node}, ${server}, ${date}.`;
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(folder, 'report.md'), `# Report\n\n${markdown}`);
  await writeFile(join(folder, 'report.svg'), drawChart(report.rows, caption));

  const readme = join(folder, 'README.md');
  const text = await readFile(readme, 'utf8').catch(() => '');
  const [before, rest] = text.split(START);
  const after = rest?.split(END)[1];
  if (after !== undefined) await writeFile(readme, `${before}${START}\n\n${markdown}\n${END}${after}`);
}
