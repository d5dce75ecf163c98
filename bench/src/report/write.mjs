import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawChart } from './chart.mjs';
import { insert } from './insert.mjs';
import { toMarkdown } from './markdown.mjs';

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
  await insert(join(folder, 'README.md'), 'report', markdown);
}
