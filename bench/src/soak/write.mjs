import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { insert } from '../report/insert.mjs';
import { drawInMarkdown } from '../report/markdown.mjs';
import { drawSoak } from './chart.mjs';

/**
 * Writes soak.json, soak.md and soak.svg, and puts the report into the README of the folder where that has a place for
 * it.
 *
 * @param {string} folder
 * @param {object} report
 * @param {Record<string, import('../report/tables.mjs').Grid>} grids
 */
export async function writeSoak(folder, report, grids) {
  await mkdir(folder, { recursive: true });
  const markdown = toMarkdown(report, grids);
  await writeFile(join(folder, 'soak.json'), toJson(report));
  await writeFile(join(folder, 'soak.md'), `# Soak\n\n${markdown}`);
  await writeFile(join(folder, 'soak.svg'), drawSoak(report.samples, report.warmUpMs));
  await insert(join(folder, 'README.md'), 'soak', markdown);
}

/** A sample a line. */
function toJson({ samples, ...rest }) {
  const head = JSON.stringify(rest, null, 2).slice(0, -2);
  const lines = samples.map((sample) => `    ${JSON.stringify(sample)}`);
  return `${head},\n  "samples": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

function toMarkdown(report, { growth, checks }) {
  const { machine, versions, server, counts, examples, verdict } = report;
  const minutes = (ms) => (ms / 60_000).toFixed(ms < 600_000 ? 1 : 0);
  const count = (value) => value.toLocaleString('en-US');
  const parts = [
    `**${verdict}** ${minutes(report.ranMs)} minutes at ${count(report.rate)} jobs a second: ${count(counts.added)} jobs added, ` +
      `${count(counts.completed)} completed, ${count(counts.died)} died as they should, ${count(counts.removed)} removed. ` +
      `Judged from minute ${minutes(report.warmUpMs)} on.`,
    '![Memory over time](soak.svg)',
    `Measured on ${report.date}: nestjs-chasqui ${versions['nestjs-chasqui']} with ioredis ${versions.ioredis}, on Node ` +
      `${versions.node} and ${server}. ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.platform}.`,
    drawInMarkdown(growth),
    drawInMarkdown(checks),
    ...(examples.length > 0 ? [examples.map((one) => `- ${one.split('\n')[0]}`).join('\n')] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}
