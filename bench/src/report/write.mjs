import { mkdir, readFile, writeFile } from 'node:fs/promises';
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

/**
 * What an earlier report has measured, by scenario.
 *
 * @param {string} folder
 * @param {Record<string, string>} versions of what is measured now: those of another are not to be mixed with it
 * @returns {Promise<[scenario: string, rounds: object[]][]>}
 */
export async function keptFrom(folder, versions) {
  const file = join(folder, 'report.json');
  const earlier = JSON.parse(await readFile(file, 'utf8'));
  for (const [name, version] of Object.entries(versions)) {
    if (earlier.versions[name] === version) continue;
    throw new Error(
      `${file} is about ${name} ${earlier.versions[name]}; this is ${version}. Measure all anew.`,
    );
  }
  return Object.entries(earlier.measurements);
}
